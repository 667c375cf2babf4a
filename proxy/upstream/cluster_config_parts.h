#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "config/diagnostic.h"
#include "config/field_path.h"
#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/core/v3/address.pb.h"
#include "google/protobuf/duration.pb.h"
#include "proxy/net/address.h"
#include "proxy/upstream/cluster_config.h"

// The parts of compile_cluster, for its own files only: this header brings Envoy's messages.
namespace weir::upstream {

// What the parts read, and where they put what they find.
struct ClusterBuild {
  const envoy::config::cluster::v3::Cluster& proto;
  const config::FieldPath& path;
  config::Diagnostics& diagnostics;
  ClusterConfig& out;
};

// In this order: later parts look at what earlier ones found.
void compile_discovery(ClusterBuild& build);   // how endpoints are found; DNS; ORIGINAL_DST
void compile_endpoints(ClusterBuild& build);   // load_assignment
void compile_balancing(ClusterBuild& build);   // lb_policy or load_balancing_policy
void compile_protocol(ClusterBuild& build);    // HttpProtocolOptions, or the cluster's older fields
void compile_connection(ClusterBuild& build);  // limits, time-outs, sockets

// Milliseconds, rounded up, so that a short time does not become none.
int64_t to_ms(const google::protobuf::Duration& duration);

// Reports that Envoy has what is at `path` and Weir does not, unless an error there is known.
void refuse(ClusterBuild& build, const config::FieldPath& path, std::string_view what);

// A literal IP address and port; nothing, and an error, if it is a name or not TCP.
// `hint` says what to do about a name.
std::optional<net::Address> read_socket_address(
    ClusterBuild& build, const envoy::config::core::v3::SocketAddress& address,
    const config::FieldPath& path, std::string_view hint = {});

}  // namespace weir::upstream
