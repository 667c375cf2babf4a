// What a cluster's connections are secured with: transport_socket and transport_socket_matches.
#include <string>
#include <utility>

#include "envoy/config/core/v3/base.pb.h"
#include "envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer.pb.h"
#include "google/protobuf/struct.pb.h"
#include "proxy/stats/registry.h"
#include "proxy/tls/transport_socket.h"
#include "proxy/upstream/cluster_config_parts.h"

namespace weir::upstream {

namespace core = envoy::config::core::v3;
using config::Code;
using config::FieldPath;

namespace {

constexpr const char* kLabels = "envoy.transport_socket_match";

std::shared_ptr<const tls::ClientTls> read_socket(ClusterBuild& build,
                                                  const core::TransportSocket& socket,
                                                  const FieldPath& path) {
  using envoy::extensions::transport_sockets::raw_buffer::v3::RawBuffer;
  const bool plain = socket.has_typed_config()
                         ? socket.typed_config().Is<RawBuffer>()
                         : socket.name() == "envoy.transport_sockets.raw_buffer";
  if (plain) return nullptr;
  if (build.tls.secrets == nullptr) {
    refuse(build.diagnostics, path, "TLS in this place");
    return nullptr;
  }
  return tls::compile_upstream(socket, path,
                               {*build.tls.secrets, build.diagnostics, *build.tls.stats},
                               "cluster." + build.out.stat_name + ".");
}

std::map<std::string, std::string> labels_of(const google::protobuf::Struct& labels) {
  std::map<std::string, std::string> out;
  for (const auto& [key, value] : labels.fields()) out[key] = value.string_value();
  return out;
}

void read_matches(ClusterBuild& build) {
  const FieldPath matches = build.path.field("transport_socket_matches");
  for (int i = 0; i < build.proto.transport_socket_matches_size(); ++i) {
    const auto& match = build.proto.transport_socket_matches(i);
    const FieldPath at = matches.at(i);
    for (const auto& [key, value] : match.match().fields())
      if (value.kind_case() != google::protobuf::Value::kStringValue)
        build.diagnostics.error(Code::kNotSupported, at.field("match"),
                                "the label '" + key + "' is not a string",
                                "labels are compared as strings");
    ClusterConfig::TransportMatch out;
    out.labels = labels_of(match.match());
    out.tls = read_socket(build, match.transport_socket(), at.field("transport_socket"));
    build.out.transport_matches.push_back(std::move(out));
  }
}

}  // namespace

int32_t transport_of(const ClusterConfig& cluster, const core::Metadata& metadata) {
  if (cluster.transport_matches.empty()) return -1;
  std::map<std::string, std::string> has;
  const auto found = metadata.filter_metadata().find(kLabels);
  if (found != metadata.filter_metadata().end()) has = labels_of(found->second);
  for (size_t i = 0; i < cluster.transport_matches.size(); ++i) {
    bool all = true;
    for (const auto& [key, value] : cluster.transport_matches[i].labels) {
      const auto label = has.find(key);
      all &= label != has.end() && label->second == value;
    }
    if (all) return static_cast<int32_t>(i);
  }
  return -1;
}

void compile_transport(ClusterBuild& build) {
  if (build.proto.has_transport_socket())
    build.out.tls =
        read_socket(build, build.proto.transport_socket(), build.path.field("transport_socket"));
  read_matches(build);
}

}  // namespace weir::upstream
