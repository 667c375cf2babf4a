// What a cluster's connections are secured with: transport_socket and transport_socket_matches.
#include <string>
#include <utility>

#include "envoy/config/core/v3/base.pb.h"
#include "envoy/config/core/v3/proxy_protocol.pb.h"
#include "envoy/extensions/transport_sockets/proxy_protocol/v3/upstream_proxy_protocol.pb.h"
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

net::TlvFilter read_tlv_filter(const core::ProxyProtocolPassThroughTLVs& in) {
  net::TlvFilter out;
  out.all = in.match_type() == core::ProxyProtocolPassThroughTLVs::INCLUDE_ALL;
  for (const uint32_t type : in.tlv_type()) out.types.set(type);
  return out;
}

std::shared_ptr<const tls::ClientTls> read_socket(ClusterBuild& build,
                                                  const core::TransportSocket& socket,
                                                  const FieldPath& path) {
  if (tls::is_raw_buffer(socket)) return nullptr;
  if (build.tls.secrets == nullptr) {
    refuse(build.diagnostics, path, "TLS in this place");
    return nullptr;
  }
  return tls::compile_upstream(
      socket, path, {*build.tls.secrets, build.diagnostics, *build.tls.stats, build.tls.logs},
      "cluster." + build.out.stat_name + ".");
}

// Whom a connection speaks for is said before its own transport socket begins.
std::optional<net::ProxyIntroduction> read_introduction(ClusterBuild& build,
                                                        const core::ProxyProtocolConfig& config,
                                                        const FieldPath& path) {
  net::ProxyIntroduction out;
  if (config.version() == core::ProxyProtocolConfig::V2) out.version = 2;
  build.out.introduces = true;
  if (!config.has_pass_through_tlvs()) return out;
  if (out.version == 1)
    build.diagnostics.warning(Code::kSemantic, path.field("pass_through_tlvs"),
                              "version 1 of the PROXY protocol carries no TLVs",
                              "choose version: V2");
  out.tlvs = read_tlv_filter(config.pass_through_tlvs());
  return out;
}

// The two parts of what a transport socket stands for, wherever they are kept.
template <class Transport>
void read_transport(ClusterBuild& build, const core::TransportSocket& socket, const FieldPath& path,
                    Transport& out) {
  using envoy::extensions::transport_sockets::proxy_protocol::v3::ProxyProtocolUpstreamTransport;
  ProxyProtocolUpstreamTransport proxy;
  if (!socket.typed_config().UnpackTo(&proxy)) {
    out.tls = read_socket(build, socket, path);
    return;
  }
  const FieldPath field = path.field("typed_config");
  const FieldPath inner = field.field("transport_socket");
  if (proxy.transport_socket().typed_config().Is<ProxyProtocolUpstreamTransport>())
    return refuse(build.diagnostics, inner, "a PROXY header within another");
  out.introduction = read_introduction(build, proxy.config(), field.field("config"));
  out.tls = read_socket(build, proxy.transport_socket(), inner);
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
    read_transport(build, match.transport_socket(), at.field("transport_socket"), out);
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
    read_transport(build, build.proto.transport_socket(), build.path.field("transport_socket"),
                   build.out);
  read_matches(build);
}

}  // namespace weir::upstream
