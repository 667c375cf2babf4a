#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "config/message_check.h"
#include "proxy/admin/hooks.h"
#include "proxy/admin_server.h"
#include "proxy/base/log.h"
#include "proxy/http/kept_state.h"
#include "proxy/net/loop.h"
#include "proxy/options.h"
#include "proxy/plan.h"
#include "proxy/stats/log_writers.h"
#include "proxy/stats/registry.h"
#include "proxy/tls/secrets.h"
#include "proxy/upstream/cluster.h"
#include "proxy/upstream/discovery.h"
#include "proxy/worker.h"

namespace weir {

// The process: the main thread's loop, which loads and applies configuration, resolves names,
// answers the admin port and takes signals, and the workers. Everything here runs on the main
// thread.
class Server {
 public:
  explicit Server(Options options);
  ~Server();

  // Until told to end. The process's exit status.
  int run();

  // What SIGHUP does: reads the configuration again and applies what changed. False: refused, and
  // the last good one goes on.
  bool reload();
  void begin_drain();
  void reopen_logs() { logs_.reopen(); }

 private:
  class Signals;
  class DrainWatch;
  class ReadyTimer;
  struct Loaded {
    std::shared_ptr<const config::Bootstrap> bootstrap;
    std::unique_ptr<const Plan> plan;
  };

  Loaded load();
  void print(config::Diagnostics& diagnostics) const;
  AppBuild app_build(config::Diagnostics& diagnostics);
  void start_workers();
  Result<void> apply(Loaded loaded);
  void apply_clusters(const Plan& plan);
  using OpenedSockets = std::map<std::string, std::vector<std::vector<int>>>;
  void apply_listeners(const Plan& plan, OpenedSockets& opened);
  Result<std::vector<std::vector<int>>> sockets_for_workers(const ListenerConfig& config);
  void publish_cluster(std::shared_ptr<const upstream::ClusterConfig> config);
  void publish_hosts(const std::string& name, std::shared_ptr<const upstream::HostSet> hosts);
  void on_each_worker(const std::function<void(Worker&)>& task);
  Result<void> set_up_log();
  void discover(std::shared_ptr<const upstream::ClusterConfig> config);
  // Listeners open when every name was asked for once, or after a while.
  void serve_when_ready();
  void start_serving();
  Result<void> open_admin(const Plan& plan);
  admin::AdminHooks admin_hooks();
  admin::ServerFacts facts();
  std::vector<admin::ClusterState> cluster_states();

  Options options_;
  Logger log_;
  stats::Registry stats_;
  stats::LogWriters logs_;
  config::MessageCheck check_;
  net::Loop loop_;
  std::unique_ptr<Signals> signals_;
  std::unique_ptr<DrainWatch> drain_watch_;
  std::atomic<bool> health_check_failing_{false};
  http::KeptState kept_filter_state_;
  tls::Secrets secrets_{stats_, log_};
  uint32_t concurrency_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::shared_ptr<const config::Bootstrap> bootstrap_;
  std::unique_ptr<const Plan> plan_;
  int64_t config_updated_s_ = 0;
  int64_t started_ms_ = 0;
  std::map<std::string, std::shared_ptr<upstream::Cluster>> clusters_;
  std::map<std::string, std::shared_ptr<const ListenerConfig>> listeners_;
  std::unique_ptr<upstream::Discovery> discovery_;
  std::unique_ptr<AdminServer> admin_;
  std::unique_ptr<ReadyTimer> ready_timer_;
  bool serving_ = false;
};

}  // namespace weir
