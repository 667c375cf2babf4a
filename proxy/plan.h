#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "config/bootstrap.h"
#include "proxy/hcm_compile.h"
#include "proxy/listener_config.h"
#include "proxy/net/address.h"
#include "proxy/upstream/cluster_config.h"

namespace weir {

class ControlPlanes;
struct OverloadConfig;
struct StatsSettings;

// A bootstrap configuration, compiled: everything that a running server needs of it. Immutable.
struct Plan {
  std::map<std::string, std::shared_ptr<const upstream::ClusterConfig>> clusters;
  std::vector<std::shared_ptr<const ListenerConfig>> listeners;
  std::optional<net::Address> admin_address;
  std::shared_ptr<const OverloadConfig> overload;
  std::shared_ptr<const StatsSettings> stats;
  std::string log_format;            // of application_log_config
  upstream::DnsResolvers resolvers;  // of clusters that name none
  std::string node_id;
  upstream::Locality node_locality;
  std::string local_cluster;  // cluster_manager.local_cluster_name; empty: none
  std::string node_cluster;
};

// What compiling a bootstrap needs besides. Main thread.
struct PlanBuild {
  ControlPlanes& planes;
  // The config that a listener of that name has at present; null: there is none.
  std::function<const ListenerConfig*(const std::string& name)> old_listener;
  // It is the first: which metrics there are is decided now.
  bool sets_metrics = true;
};

// Null on errors, which are then in the diagnostics. Clusters of the bootstrap count as those that
// `build.has_cluster` knows. Its secrets are staged: whoever takes the plan over, or does not, says
// so (proxy/tls/secrets.h).
std::unique_ptr<const Plan> compile_plan(const config::Bootstrap& bootstrap, AppBuild build,
                                         const PlanBuild& more);

}  // namespace weir
