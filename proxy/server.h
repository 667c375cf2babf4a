#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "config/message_check.h"
#include "proxy/net/loop.h"
#include "proxy/options.h"
#include "proxy/plan.h"
#include "proxy/stats/log_writers.h"
#include "proxy/stats/registry.h"
#include "proxy/upstream/cluster.h"
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

  std::unique_ptr<const Plan> load();
  void print(config::Diagnostics& diagnostics) const;
  AppBuild app_build(config::Diagnostics& diagnostics);
  void start_workers();
  Result<void> apply(std::unique_ptr<const Plan> plan);
  void apply_clusters(const Plan& plan);
  using OpenedSockets = std::map<std::string, std::vector<std::vector<int>>>;
  void apply_listeners(const Plan& plan, OpenedSockets& opened);
  Result<std::vector<std::vector<int>>> sockets_for_workers(const ListenerConfig& config);
  void publish_cluster(std::shared_ptr<const upstream::ClusterConfig> config);
  void publish_hosts(const std::string& name, std::shared_ptr<const upstream::HostSet> hosts);
  void on_each_worker(const std::function<void(Worker&)>& task);
  void log(std::string_view level, const std::string& message) const;

  Options options_;
  stats::Registry stats_;
  stats::LogWriters logs_;
  config::MessageCheck check_;
  net::Loop loop_;
  std::unique_ptr<Signals> signals_;
  std::unique_ptr<DrainWatch> drain_watch_;
  std::atomic<bool> health_check_failing_{false};
  uint32_t concurrency_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::unique_ptr<const Plan> plan_;
  std::map<std::string, std::shared_ptr<upstream::Cluster>> clusters_;
  std::map<std::string, std::shared_ptr<const ListenerConfig>> listeners_;
};

}  // namespace weir
