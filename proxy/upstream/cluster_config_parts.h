#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "config/diagnostic.h"
#include "config/field_path.h"
#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/core/v3/address.pb.h"
#include "envoy/config/core/v3/extension.pb.h"
#include "envoy/config/core/v3/resolver.pb.h"
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
  const TlsBuild& tls;
};

// The ways in which messages name DNS resolvers; null: not given.
struct ResolverFields {
  const envoy::config::core::v3::TypedExtensionConfig* extension = nullptr;
  const envoy::config::core::v3::DnsResolutionConfig* resolution = nullptr;
  const google::protobuf::RepeatedPtrField<envoy::config::core::v3::Address>* addresses = nullptr;
};

// The first of the ways that is used; nothing if none is. `path` is that of the message.
std::optional<DnsResolvers> read_resolvers(const ResolverFields& fields,
                                           const config::FieldPath& path,
                                           config::Diagnostics& diagnostics);

// In this order: later parts look at what earlier ones found.
void compile_transport(ClusterBuild& build);   // transport_socket, transport_socket_matches
void compile_discovery(ClusterBuild& build);   // how endpoints are found; DNS; ORIGINAL_DST
void compile_endpoints(ClusterBuild& build);   // load_assignment
void compile_balancing(ClusterBuild& build);   // lb_policy or load_balancing_policy
void compile_protocol(ClusterBuild& build);    // HttpProtocolOptions, or the cluster's older fields
void compile_connection(ClusterBuild& build);  // limits, time-outs, sockets
void compile_health(ClusterBuild& build);      // health_checks, and what goes with them
void compile_outlier(ClusterBuild& build);     // outlier_detection

// The first of the cluster's transport_socket_matches that this endpoint's labels satisfy, or -1.
int32_t transport_of(const ClusterConfig& cluster,
                     const envoy::config::core::v3::Metadata& metadata);

// An endpoint's health_check_config; null: it says nothing, or there are errors.
std::shared_ptr<const EndpointCheck> read_endpoint_check(
    const envoy::config::endpoint::v3::Endpoint& endpoint, const config::FieldPath& path,
    config::Diagnostics& diagnostics);

// Milliseconds, rounded up, so that a short time does not become none.
int64_t to_ms(const google::protobuf::Duration& duration);

// Whether an error is known at `path` or below it.
bool has_error_under(const config::Diagnostics& diagnostics, std::string_view path);

// Reports that Envoy has what is at `path` and Weir does not, unless an error there is known.
void refuse(config::Diagnostics& diagnostics, const config::FieldPath& path, std::string_view what);

// A literal IP address and port; nothing, and an error, if it is a name or not TCP.
// `hint` says what to do about a name.
std::optional<net::Address> read_socket_address(
    config::Diagnostics& diagnostics, const envoy::config::core::v3::SocketAddress& address,
    const config::FieldPath& path, std::string_view hint = {});

}  // namespace weir::upstream
