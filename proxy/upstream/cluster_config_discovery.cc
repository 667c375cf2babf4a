// How the endpoints of a cluster are found: its type, and what belongs to DNS and ORIGINAL_DST.
#include <algorithm>
#include <string>
#include <utility>

#include "envoy/config/core/v3/config_source.pb.h"
#include "envoy/extensions/clusters/dns/v3/dns_cluster.pb.h"
#include "proxy/upstream/cluster_config_parts.h"

namespace weir::upstream {

using config::Code;
using config::FieldPath;
using Discovery = ClusterConfig::Discovery;
using envoy::config::cluster::v3::Cluster;
using envoy::extensions::clusters::dns::v3::DnsCluster;

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

void use_resolvers(ClusterBuild& build, const ResolverFields& fields, const FieldPath& path) {
  if (auto resolvers = read_resolvers(fields, path, build.diagnostics))
    build.out.resolvers = std::move(*resolvers);
}

void read_dns_of_cluster(ClusterBuild& build) {
  const Cluster& c = build.proto;
  read_refresh(build, c, build.path);
  ResolverFields fields;
  if (c.has_typed_dns_resolver_config()) fields.extension = &c.typed_dns_resolver_config();
  if (c.has_dns_resolution_config()) fields.resolution = &c.dns_resolution_config();
  if (c.dns_resolvers_size() > 0) fields.addresses = &c.dns_resolvers();
  use_resolvers(build, fields, build.path);
  if (c.use_tcp_for_dns_lookups()) build.out.resolvers.over_tcp = true;
}

void read_dns_cluster(ClusterBuild& build, const DnsCluster& dns, const FieldPath& path) {
  build.out.discovery =
      dns.all_addresses_in_single_endpoint() ? Discovery::kLogicalDns : Discovery::kStrictDns;
  read_refresh(build, dns, path);
  build.out.dns_jitter_ms = to_ms(dns.dns_jitter());
  ResolverFields fields;
  if (dns.has_typed_dns_resolver_config()) fields.extension = &dns.typed_dns_resolver_config();
  use_resolvers(build, fields, path);
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
    refuse(build.diagnostics, build.path.field("original_dst_lb_config.metadata_key"),
           "metadata_key");
}

void read_eds(ClusterBuild& build) {
  const auto& eds = build.proto.eds_cluster_config();
  const FieldPath path = build.path.field("eds_cluster_config");
  build.out.discovery = Discovery::kEds;
  build.out.eds_service_name = eds.service_name().empty() ? build.proto.name() : eds.service_name();
  if (!eds.has_eds_config())
    return build.diagnostics.error(Code::kSemantic, path,
                                   "an EDS cluster says who knows its endpoints",
                                   "set eds_cluster_config.eds_config, e.g. to {ads: {}}");
  build.out.eds_source =
      std::make_shared<const envoy::config::core::v3::ConfigSource>(eds.eds_config());
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
      return read_eds(build);
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
  if (name == "envoy.cluster.eds") return read_type(build, Cluster::EDS);
  refuse(build.diagnostics, path.field("name"), "the cluster type '" + name + "'");
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
  refuse(build.diagnostics, config_path, "the cluster type " + custom.typed_config().type_url());
}

}  // namespace weir::upstream
