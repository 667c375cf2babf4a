// How the endpoints of a cluster are found: its type, and what belongs to DNS and ORIGINAL_DST.
#include <algorithm>
#include <string>

#include "envoy/extensions/clusters/dns/v3/dns_cluster.pb.h"
#include "envoy/extensions/network/dns_resolver/cares/v3/cares_dns_resolver.pb.h"
#include "proxy/upstream/cluster_config_parts.h"

namespace weir::upstream {

namespace core = envoy::config::core::v3;
using config::Code;
using config::FieldPath;
using Discovery = ClusterConfig::Discovery;
using envoy::config::cluster::v3::Cluster;
using envoy::extensions::clusters::dns::v3::DnsCluster;
using envoy::extensions::network::dns_resolver::cares::v3::CaresDnsResolverConfig;

namespace {

DnsFamily family_of(Cluster::DnsLookupFamily family) {
  switch (family) {
    case Cluster::V4_ONLY:
      return DnsFamily::kV4Only;
    case Cluster::V6_ONLY:
      return DnsFamily::kV6Only;
    case Cluster::V4_PREFERRED:
      return DnsFamily::kV4Preferred;
    case Cluster::ALL:
      return DnsFamily::kAll;
    default:
      return DnsFamily::kAuto;
  }
}

DnsFamily family_of(envoy::extensions::clusters::common::dns::v3::DnsLookupFamily family) {
  namespace dns = envoy::extensions::clusters::common::dns::v3;
  switch (family) {
    case dns::V4_ONLY:
      return DnsFamily::kV4Only;
    case dns::V6_ONLY:
      return DnsFamily::kV6Only;
    case dns::V4_PREFERRED:
      return DnsFamily::kV4Preferred;
    case dns::ALL:
      return DnsFamily::kAll;
    default:
      return DnsFamily::kAuto;
  }
}

void read_resolver_options(ClusterBuild& build, const core::DnsResolverOptions& options) {
  build.out.dns_over_tcp = options.use_tcp_for_dns_lookups();
  build.out.dns_search_domains = !options.no_default_search_domain();
}

// `list` is the place of the repeated field.
template <class Addresses>
void read_resolvers(ClusterBuild& build, const Addresses& addresses, const FieldPath& list) {
  for (int i = 0; i < addresses.size(); ++i) {
    const FieldPath at = list.at(i);
    if (!addresses[i].has_socket_address()) {
      build.diagnostics.error(Code::kSemantic, at, "a DNS resolver needs a socket_address");
      continue;
    }
    core::SocketAddress address = addresses[i].socket_address();
    address.set_protocol(core::SocketAddress::TCP);  // resolvers are mostly written as UDP
    if (address.port_value() == 0) address.set_port_value(53);
    const FieldPath socket = at.field("socket_address");
    if (auto read = read_socket_address(build, address, socket, "a resolver is an IP address"))
      build.out.dns_resolvers.push_back(*read);
  }
}

void read_resolver_extension(ClusterBuild& build, const core::TypedExtensionConfig& extension,
                             const FieldPath& path) {
  const FieldPath config_path = path.field("typed_config");
  CaresDnsResolverConfig cares;
  if (!extension.typed_config().UnpackTo(&cares))
    return refuse(build, config_path, "a DNS resolver other than c-ares");
  if (cares.use_resolvers_as_fallback())
    refuse(build, config_path.field("use_resolvers_as_fallback"), "use_resolvers_as_fallback");
  if (cares.filter_unroutable_families())
    refuse(build, config_path.field("filter_unroutable_families"), "filter_unroutable_families");
  read_resolvers(build, cares.resolvers(), config_path.field("resolvers"));
  read_resolver_options(build, cares.dns_resolver_options());
}

// The fields that Cluster and DnsCluster have in common.
template <class Message>
void read_refresh(ClusterBuild& build, const Message& message, const FieldPath& path) {
  ClusterConfig& out = build.out;
  if (message.has_dns_refresh_rate()) out.dns_refresh_ms = to_ms(message.dns_refresh_rate());
  out.dns_failure_base_ms = out.dns_failure_max_ms = out.dns_refresh_ms;
  out.respect_dns_ttl = message.respect_dns_ttl();
  out.dns_family = family_of(message.dns_lookup_family());
  if (!message.has_dns_failure_refresh_rate()) return;
  const auto& rate = message.dns_failure_refresh_rate();
  out.dns_failure_base_ms = to_ms(rate.base_interval());
  out.dns_failure_max_ms =
      rate.has_max_interval() ? to_ms(rate.max_interval()) : 10 * out.dns_failure_base_ms;
  if (out.dns_failure_max_ms < out.dns_failure_base_ms)
    build.diagnostics.error(Code::kSemantic, path.field("dns_failure_refresh_rate"),
                            "max_interval is smaller than base_interval");
}

void read_dns_of_cluster(ClusterBuild& build) {
  const Cluster& c = build.proto;
  read_refresh(build, c, build.path);
  build.out.dns_over_tcp = c.use_tcp_for_dns_lookups();
  // The newest of the three ways to name resolvers wins, as in Envoy.
  if (c.has_typed_dns_resolver_config())
    return read_resolver_extension(build, c.typed_dns_resolver_config(),
                                   build.path.field("typed_dns_resolver_config"));
  if (c.has_dns_resolution_config()) {
    const FieldPath resolvers = build.path.field("dns_resolution_config.resolvers");
    read_resolvers(build, c.dns_resolution_config().resolvers(), resolvers);
    return read_resolver_options(build, c.dns_resolution_config().dns_resolver_options());
  }
  read_resolvers(build, c.dns_resolvers(), build.path.field("dns_resolvers"));
}

void read_dns_cluster(ClusterBuild& build, const DnsCluster& dns, const FieldPath& path) {
  build.out.discovery =
      dns.all_addresses_in_single_endpoint() ? Discovery::kLogicalDns : Discovery::kStrictDns;
  read_refresh(build, dns, path);
  build.out.dns_jitter_ms = to_ms(dns.dns_jitter());
  if (dns.has_typed_dns_resolver_config())
    read_resolver_extension(build, dns.typed_dns_resolver_config(),
                            path.field("typed_dns_resolver_config"));
}

void read_original_dst(ClusterBuild& build) {
  build.out.discovery = Discovery::kOriginalDst;
  const Cluster::OriginalDstLbConfig& lb = build.proto.original_dst_lb_config();
  build.out.original_dst_use_header = lb.use_http_header();
  if (!lb.http_header_name().empty()) {
    std::string name = lb.http_header_name();
    std::transform(name.begin(), name.end(), name.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    build.out.original_dst_header = std::move(name);
  }
  if (lb.has_upstream_port_override())
    build.out.original_dst_port = lb.upstream_port_override().value();
  if (lb.has_metadata_key())
    refuse(build, build.path.field("original_dst_lb_config.metadata_key"), "metadata_key");
}

void read_type(ClusterBuild& build, Cluster::DiscoveryType type) {
  switch (type) {
    case Cluster::STRICT_DNS:
      build.out.discovery = Discovery::kStrictDns;
      return read_dns_of_cluster(build);
    case Cluster::LOGICAL_DNS:
      build.out.discovery = Discovery::kLogicalDns;
      return read_dns_of_cluster(build);
    case Cluster::ORIGINAL_DST:
      return read_original_dst(build);
    case Cluster::EDS:
      return refuse(build, build.path.field("type"), "EDS");
    default:
      build.out.discovery = Discovery::kStatic;
  }
}

// A custom type without a configuration is one of Envoy's own, by name.
void read_named_type(ClusterBuild& build, const std::string& name, const FieldPath& path) {
  if (name == "envoy.cluster.static") return read_type(build, Cluster::STATIC);
  if (name == "envoy.cluster.strict_dns") return read_type(build, Cluster::STRICT_DNS);
  if (name == "envoy.cluster.logical_dns") return read_type(build, Cluster::LOGICAL_DNS);
  if (name == "envoy.cluster.original_dst") return read_type(build, Cluster::ORIGINAL_DST);
  refuse(build, path.field("name"), "the cluster type '" + name + "'");
}

}  // namespace

void compile_discovery(ClusterBuild& build) {
  if (!build.proto.has_cluster_type()) return read_type(build, build.proto.type());
  const Cluster::CustomClusterType& custom = build.proto.cluster_type();
  const FieldPath path = build.path.field("cluster_type");
  if (!custom.has_typed_config()) return read_named_type(build, custom.name(), path);
  const FieldPath config_path = path.field("typed_config");
  DnsCluster dns;
  if (custom.typed_config().UnpackTo(&dns)) return read_dns_cluster(build, dns, config_path);
  refuse(build, config_path, "the cluster type " + custom.typed_config().type_url());
}

}  // namespace weir::upstream
