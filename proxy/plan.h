#pragma once

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

// A bootstrap configuration, compiled: everything that a running server needs of it. Immutable.
struct Plan {
  std::map<std::string, std::shared_ptr<const upstream::ClusterConfig>> clusters;
  std::vector<std::shared_ptr<const ListenerConfig>> listeners;
  std::optional<net::Address> admin_address;
  std::shared_ptr<const Runtime> runtime;  // null: nothing is set
  std::string node_id;
  std::string node_cluster;
};

// Null on errors, which are then in the diagnostics. `build.has_cluster` is filled in here.
std::unique_ptr<const Plan> compile_plan(const config::Bootstrap& bootstrap, AppBuild build);

}  // namespace weir
