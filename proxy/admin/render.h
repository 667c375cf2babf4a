#pragma once

#include <string>
#include <vector>

#include "proxy/admin/hooks.h"
#include "proxy/base/result.h"

namespace google::protobuf {
class Message;
}
namespace envoy::config::endpoint::v3 {
class ClusterLoadAssignment;
}

// What the reading endpoints print, in Envoy's formats.
namespace weir::admin {

std::string clusters_text(const std::vector<ClusterState>& clusters);
// envoy.admin.v3.Clusters
Result<std::string> clusters_json(const std::vector<ClusterState>& clusters);

// The endpoints of a cluster as they are in use.
envoy::config::endpoint::v3::ClusterLoadAssignment load_assignment(const ClusterState& cluster);

std::string listeners_text(const std::vector<ListenerState>& listeners);
// envoy.admin.v3.Listeners
Result<std::string> listeners_json(const std::vector<ListenerState>& listeners);

// envoy.admin.v3.Certificates
Result<std::string> certs_json(const std::vector<CertificateState>& certificates, int64_t now_s);

std::string_view state_text(ServerState state);  // "LIVE", ...
// envoy.admin.v3.ServerInfo; `bootstrap` may be null.
Result<std::string> server_info_json(const ServerFacts& facts,
                                     const envoy::config::bootstrap::v3::Bootstrap* bootstrap);
// envoy.admin.v3.Memory, of the C library's allocator.
Result<std::string> memory_json();

// Ours: control planes, with each resource's state, version and last error.
std::string control_planes_json(const std::vector<ControlPlaneState>& planes);

std::string runtime_json(const std::vector<RuntimeLayer>& layers);

// A message as JSON with line breaks and the fields' own names.
enum class Unset : bool { kLeftOut, kPrinted };
Result<std::string> message_json(const google::protobuf::Message& message,
                                 Unset unset = Unset::kLeftOut);

}  // namespace weir::admin
