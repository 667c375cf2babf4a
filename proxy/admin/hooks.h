#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "proxy/base/log.h"
#include "proxy/net/address.h"
#include "proxy/net/certificate.h"
#include "proxy/stats/export_rules.h"
#include "proxy/stats/registry.h"

namespace envoy::config::bootstrap::v3 {
class Bootstrap;
}
namespace google::protobuf {
class Any;
}

namespace weir::admin {

enum class ServerState : uint8_t { kLive, kDraining, kPreInitializing, kInitializing };

// What /ready and /server_info tell.
struct ServerFacts {
  std::string version;
  ServerState state = ServerState::kLive;
  int64_t uptime_s = 0;
  // Of the command line.
  uint32_t concurrency = 0;
  std::string config_path;
  std::string config_yaml;
  bool allow_unknown_static_fields = false;
  std::string local_address_ip_version = "v4";  // "v4" or "v6"
  std::string log_level;
  std::string component_log_level;
  std::string log_path;
  std::string service_cluster;
  std::string service_node;
  int64_t file_flush_interval_ms = 0;
  std::string hot_restart_version = "disabled";
  uint32_t restart_epoch = 0;
  uint32_t base_id = 0;
  int64_t parent_shutdown_time_s = 0;
  bool disable_hot_restart = false;
  int64_t drain_time_s = 0;
  std::string drain_strategy = "gradual";  // or "immediate"
  bool cpuset_threads = false;
};

// One endpoint of a cluster, summed over the workers.
struct EndpointState {
  net::Address address;
  std::string hostname;
  uint32_t weight = 1;
  uint32_t priority = 0;
  uint32_t locality_weight = 0;  // 0: not given
  std::string region;
  std::string zone;
  std::string sub_zone;
  bool failed_active_health_check = false;
  bool active_health_check_timeout = false;
  bool degraded_active_health_check = false;
  bool pending_active_health_check = false;  // waits for its first one, and is not counted
  bool pending_dynamic_removal = false;      // its source does not name it any more
  bool excluded_by_its_word = false;         // x-envoy-immediate-health-check-fail
  bool failed_outlier_check = false;
  double success_rate = -1;  // outlier detection's, in percent; -1: not known
  double local_origin_success_rate = -1;
  bool degraded = false;
  bool unhealthy_by_config = false;  // health_status of the endpoint
  // counters, and the gauges cx_active and rq_active
  uint64_t cx_active = 0;
  uint64_t cx_connect_fail = 0;
  uint64_t cx_total = 0;
  uint64_t rq_active = 0;
  uint64_t rq_error = 0;
  uint64_t rq_success = 0;
  uint64_t rq_timeout = 0;
  uint64_t rq_total = 0;
};

struct BreakerState {
  uint32_t max_connections = 1024;
  uint32_t max_pending_requests = 1024;
  uint32_t max_requests = 1024;
  uint32_t max_retries = 3;
};

// Of drop_overloads.
struct DropState {
  std::string category;
  uint32_t per_million = 0;
};

struct ClusterState {
  std::string name;
  std::string observability_name;  // alt_stat_name, or the name
  std::string eds_service_name;
  bool added_via_api = false;
  uint32_t overprovisioning_factor = 140;  // percent
  std::vector<DropState> drops = {};
  BreakerState default_priority;
  BreakerState high_priority;
  std::vector<EndpointState> endpoints;
};

struct ListenerState {
  std::string name;
  std::vector<net::Address> addresses;  // as bound; the first is the main one
};

// A certificate in use, or an authority that is trusted.
struct CertificateState {
  std::string path;  // its file; empty when it was given in place
  net::CertificateFacts facts;
  bool authority = false;
};

struct RuntimeLayer {
  std::string name;
  std::vector<std::pair<std::string, std::string>> values;
};

// A resource that a control plane sent, as it came. `content` is null of one that was refused and
// has no version in force.
struct DynamicResource {
  std::string type_url;
  std::string name;
  std::string version;
  int64_t updated_s = 0;  // since 1970
  std::shared_ptr<const google::protobuf::Any> content;
  bool warming = false;          // waits for what it needs
  std::string state;             // as of ResourceState; empty: not known
  std::string error;             // why a later version was refused; empty: none was
  std::string rejected_version;  // of that one
  int64_t rejected_ms = 0;       // since 1970, when that was
};

// Where a resource of a control plane stands.
struct ResourceState {
  std::string type;      // "CDS", ...
  std::string type_url;  // "type.googleapis.com/envoy.config.cluster.v3.Cluster", ...
  std::string name;
  std::string state;    // "REQUESTED", "ACKED", "NACKED", "DOES_NOT_EXIST", "TIMEOUT"
  std::string version;  // in force; empty: none
  std::string rejected_version;
  std::string error;
  int64_t rejected_ms = 0;  // 1970, of the last refusal; 0: there is none
  int64_t since_ms = 0;     // 1970, of the last change of `state`
  int64_t updated_ms = 0;   // the same, when `version` came; 0: it did not
};

struct ControlPlaneState {
  std::string name;  // "ads", or what the source is
  bool connected = false;
  std::string identifier;  // what it calls itself
  std::vector<ResourceState> resources;
};

struct DrainRequest {
  bool graceful = false;
  bool skip_exit = false;
  bool inbound_only = false;
};

// What the admin endpoints need of the process. Everything is called on the main thread. A function
// that is not set makes its endpoint answer 501.
struct AdminHooks {
  const stats::Registry* stats = nullptr;                   // never null when requests are handled
  Logger* log = nullptr;                                    // the same
  std::function<const stats::ExportRules&()> export_rules;  // empty: the default ones
  std::function<void()> refresh_stats;                      // before metrics are read; may be empty

  std::function<ServerFacts()> server;
  std::function<std::vector<ClusterState>()> clusters;
  std::function<std::vector<ListenerState>()> listeners;
  std::function<std::vector<RuntimeLayer>()> runtime;
  std::function<std::vector<CertificateState>()> certificates;
  // The bootstrap in force; null: not known.
  std::function<std::shared_ptr<const envoy::config::bootstrap::v3::Bootstrap>()> bootstrap;
  std::function<int64_t()> config_updated_s;  // seconds since 1970 of the bootstrap's load
  std::function<std::vector<DynamicResource>()> dynamic_resources;
  // Of the last answers that were taken over as a whole; empty: there was none.
  std::function<std::string()> clusters_version;
  std::function<std::string()> listeners_version;
  std::function<std::vector<ControlPlaneState>()> control_planes;

  std::function<std::string()> hot_restart_version;

  std::function<void(const DrainRequest&)> drain_listeners;
  std::function<void(bool failing)> fail_health_checks;
  // Sets values of the runtime's admin layer; empty ones are taken back. False: there is no layer.
  std::function<bool(const std::vector<std::pair<std::string, std::string>>&)> modify_runtime;
  std::function<void()> reopen_logs;
  std::function<void()> quit;  // called before the response is written

  std::vector<std::string> allowed_hosts;  // further names that Host may have
};

}  // namespace weir::admin
