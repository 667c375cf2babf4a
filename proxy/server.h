#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "config/message_check.h"
#include "proxy/admin/hooks.h"
#include "proxy/admin_server.h"
#include "proxy/base/log.h"
#include "proxy/clusters.h"
#include "proxy/control_planes.h"
#include "proxy/drain_watch.h"
#include "proxy/hcm_resources.h"
#include "proxy/health_reports.h"
#include "proxy/hot_restart.h"
#include "proxy/http/kept_state.h"
#include "proxy/listeners.h"
#include "proxy/load_reports.h"
#include "proxy/net/loop.h"
#include "proxy/options.h"
#include "proxy/overload_watch.h"
#include "proxy/plan.h"
#include "proxy/process_stats.h"
#include "proxy/resource_reader.h"
#include "proxy/runtime_layers.h"
#include "proxy/secret_feed.h"
#include "proxy/server_reload.h"
#include "proxy/stats/log_writers.h"
#include "proxy/stats/registry.h"
#include "proxy/tls/secrets.h"
#include "proxy/workers.h"

namespace weir {

// As many descriptors as the system grants: every connection needs two. Before there is a Server.
// Error: they are too few for its workers.
Result<void> raise_descriptor_limit(const Options& options);

// The process: the main thread's loop, which loads and applies configuration, resolves names,
// answers the admin port and takes signals, and the workers. Everything here runs on the main
// thread.
class Server {
 public:
  explicit Server(Options options);
  ~Server();

  // Until told to end. The process's exit status.
  int run();

  // What SIGHUP does: reads the configuration again and applies what changed. It comes into force
  // when its clusters are warm, unless another one is read until then. False: refused, and the last
  // good one goes on.
  bool reload();
  // Ends the process when what is under way has ended.
  void begin_drain();
  void reopen_logs() { logs_.reopen(); }

 private:
  class Signals;
  class ReadyTimer;
  // What the process is waiting for before it serves.
  enum class Stage : uint8_t {
    kPrimaryClusters,  // names of the bootstrap's clusters
    kClusters,         // CDS, and the endpoints of all clusters
    kListeners,        // LDS, and the routes of all listeners
    kServing,
  };
  // For names of clusters; first health checks have time limits of their own.
  static constexpr int64_t kMaxWaitMs = 5'000;
  struct Loaded {
    std::shared_ptr<const config::Bootstrap> bootstrap;
    std::unique_ptr<const Plan> plan;
  };

  Loaded load();
  void print(config::Diagnostics& diagnostics) const;
  AppParts app_parts();
  // While a bootstrap is read, its own clusters count, and not those of the one before.
  bool has_cluster(std::string_view name) const;
  Result<void> prepare(const Loaded& loaded);
  void put_into_force(Loaded loaded);
  void finish_reload();
  void cancel_reload();
  Result<void> set_up_log();
  // The next stage of the start, when what it waits for is there.
  void advance();
  void ask_for_clusters();
  void ask_for_listeners();
  void start_serving();
  void take_over();
  Result<void> start_admin();
  hot_restart::Host::Hooks heir_hooks();
  void hand_over(int64_t shutdown_ms);
  std::vector<int> sockets_for_heir(const std::string& listener, const net::Address& address) const;
  void fail(const std::string& why);
  DrainStrategy drain_strategy() const;
  void drain_listeners(const admin::DrainRequest& request);
  void stop_listeners(Worker::Which which);
  void end_when_drained(int64_t time_ms, std::function<bool()> awaits);
  Result<void> open_admin(const Plan& plan);
  admin::AdminHooks admin_hooks();
  admin::ServerFacts facts();
  std::vector<admin::ClusterState> cluster_states();
  std::vector<admin::ControlPlaneState> control_plane_states() const;
  std::vector<admin::DynamicResource> dynamic_resources() const;

  Options options_;
  Logger log_;
  stats::Registry stats_;
  stats::LogWriters logs_;
  config::MessageCheck check_;
  net::Loop loop_;
  std::unique_ptr<Signals> signals_;
  std::unique_ptr<DrainWatch> drain_watch_;
  std::unique_ptr<Later> drain_timer_;  // while /drain_listeners?graceful goes on
  HotRestart hot_restart_;
  std::atomic<bool> health_check_failing_{false};
  http::KeptState kept_filter_state_;
  Overload overload_;
  tls::Secrets secrets_{stats_, log_};
  uint32_t concurrency_;
  Workers workers_;
  LastOwner last_owner_{loop_};
  ResourceReader reader_;
  RuntimeLayers runtime_;
  OverloadWatch overload_watch_{loop_, stats_, overload_};
  Clusters clusters_;
  // The clusters of the bootstrap that is being read; none: nothing is read.
  std::optional<std::set<std::string, std::less<>>> names_in_file_;
  ProcessStats process_stats_{stats_};
  HcmResources resources_;
  Listeners listeners_;
  LeavingClusters leaving_clusters_{
      {loop_, workers_, clusters_, listeners_, options_.drain_time_s * 1000}};
  SecretFeed secret_feed_;
  ControlPlanes planes_;  // after the clusters that its streams use
  LoadReports load_reports_;
  HealthReports health_reports_;
  std::shared_ptr<const config::Bootstrap> bootstrap_;
  std::unique_ptr<const Plan> plan_;
  std::optional<Loaded> warming_;  // what SIGHUP has read, until its clusters are warm
  std::unique_ptr<Later> wait_limit_;
  bool waited_ = false;  // until that limit
  int64_t config_updated_s_ = 0;
  int64_t started_ms_ = 0;
  int admin_socket_ = -1;  // open, but not served yet
  std::unique_ptr<AdminServer> admin_;
  std::unique_ptr<ReadyTimer> ready_timer_;
  Stage stage_ = Stage::kPrimaryClusters;
  bool clusters_loaded_ = false;   // CDS has answered, or will not
  bool listeners_loaded_ = false;  // the same of LDS
  bool handed_over_ = false;       // to a process that took over
  bool failed_ = false;            // before it served
};

}  // namespace weir
