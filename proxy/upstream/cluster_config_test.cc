#include "proxy/upstream/cluster_config.h"

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <string>

#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/extensions/clusters/dns/v3/dns_cluster.pb.h"
#include "envoy/extensions/filters/http/router/v3/router.pb.h"
#include "envoy/extensions/filters/http/upstream_codec/v3/upstream_codec.pb.h"
#include "envoy/extensions/http/header_formatters/preserve_case/v3/preserve_case.pb.h"
#include "envoy/extensions/network/dns_resolver/cares/v3/cares_dns_resolver.pb.h"
#include "envoy/extensions/transport_sockets/proxy_protocol/v3/upstream_proxy_protocol.pb.h"
#include "envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer.pb.h"
#include "envoy/extensions/transport_sockets/tls/v3/tls.pb.h"
#include "envoy/extensions/upstreams/http/v3/http_protocol_options.pb.h"
#include "proxy/upstream/drop_policy.h"
#include "proxy/upstream/testing/compiled_cluster.h"

namespace weir::upstream {
namespace {

using Discovery = ClusterConfig::Discovery;
using Kind = LoadBalancing::Kind;

std::string proxy_socket(const std::string& config, const std::string& inner) {
  return "name: 'proxy' typed_config { " +
         any("transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport",
             "config { " + config + " } transport_socket { " + inner + " }") +
         " }";
}
const std::string kRaw =
    "name: 'raw' typed_config { [type.googleapis.com/envoy.extensions."
    "transport_sockets.raw_buffer.v3.RawBuffer] { } }";

TEST(ClusterConfig, TheProxyHeaderOfAConnection) {
  EXPECT_FALSE(Compiled("")->introduces);
  const Compiled c(
      "transport_socket { " +
      proxy_socket("version: V2 pass_through_tlvs { match_type: INCLUDE tlv_type: 5 }", kRaw) +
      " }");
  ASSERT_TRUE(c->introduction);
  EXPECT_TRUE(c->introduces);
  EXPECT_EQ(c->introduction->version, 2);
  EXPECT_TRUE(c->introduction->tlvs.passes(5));
  EXPECT_FALSE(c->introduction->tlvs.passes(6));
  const Compiled plain("transport_socket { " + proxy_socket("", kRaw) + " }");
  EXPECT_EQ(plain->introduction->version, 1);
  EXPECT_FALSE(plain->introduction->tlvs.passes(5));
  EXPECT_TRUE(plain.diagnostics.items().empty()) << plain.problems();
}

TEST(ClusterConfig, ProxyHeadersThatMakeNoSense) {
  expect_problem("transport_socket { " + proxy_socket("", proxy_socket("", kRaw)) + " }",
                 "not-supported", "transport_socket.typed_config.transport_socket");
  expect_problem("transport_socket { " + proxy_socket("pass_through_tlvs { }", kRaw) + " }",
                 "semantic", "transport_socket.typed_config.config.pass_through_tlvs",
                 "carries no TLVs");
}

TEST(ClusterConfig, DefaultsAreEnvoys) {
  const Compiled c("");
  EXPECT_EQ(c->name, "c");
  EXPECT_EQ(c->stat_name, "c");
  EXPECT_EQ(c->discovery, Discovery::kStatic);
  EXPECT_EQ(c->connect_timeout_ms, 5000);
  EXPECT_EQ(c->buffer_limit_bytes, 1u << 20);
  EXPECT_EQ(c->balancing.kind, Kind::kRoundRobin);
  EXPECT_EQ(c->balancing.panic_threshold_percent, 50u);
  EXPECT_EQ(c->thresholds[0].max_connections, 1024u);
  EXPECT_EQ(c->thresholds[1].max_retries, 3u);
  EXPECT_EQ(c->idle_timeout_ms, 3'600'000);
  EXPECT_EQ(c->hosts.overprovisioning_factor, 140u);
}

TEST(ClusterConfig, Basics) {
  const Compiled c(
      "connect_timeout { nanos: 250000001 } per_connection_buffer_limit_bytes { value: 32768 } "
      "alt_stat_name: 'a:b://c' cleanup_interval { seconds: 9 }");
  EXPECT_EQ(c->connect_timeout_ms, 251);
  EXPECT_EQ(c->buffer_limit_bytes, 32768u);
  EXPECT_EQ(c->alias, "a:b://c");
  EXPECT_EQ(c->stat_name, "a_b_c");
  EXPECT_EQ(c->cleanup_interval_ms, 9000);
}

TEST(ClusterConfig, HashTellsChanges) {
  EXPECT_EQ(Compiled("connect_timeout { seconds: 1 }")->hash,
            Compiled("connect_timeout { seconds: 1 }")->hash);
  EXPECT_NE(Compiled("connect_timeout { seconds: 1 }")->hash,
            Compiled("connect_timeout { seconds: 2 }")->hash);
  const std::string a = "metadata { filter_metadata { key: 'a' } filter_metadata { key: 'b' } }";
  const std::string b = "metadata { filter_metadata { key: 'b' } filter_metadata { key: 'a' } }";
  EXPECT_EQ(Compiled(a)->hash, Compiled(b)->hash);
}

// ---- endpoints ----

TEST(ClusterEndpoints, StaticAddressesOfEveryKind) {
  const Compiled c(assignment(
      "endpoints { " + endpoint("127.0.0.1", 80) + endpoint("::1", 81) +
      "lb_endpoints { endpoint { hostname: 'h' address { pipe { path: '/run/x.sock' } } } } }"));
  ASSERT_EQ(c->hosts.endpoints.size(), 3u);
  EXPECT_EQ(c->hosts.endpoints[0].address_text, "127.0.0.1:80");
  EXPECT_EQ(c->hosts.endpoints[1].address_text, "[::1]:81");
  EXPECT_EQ(c->hosts.endpoints[2].address_text, "/run/x.sock");
  EXPECT_EQ(c->hosts.endpoints[2].hostname, "h");
}

TEST(ClusterEndpoints, WeightHealthPriorityLocality) {
  const Compiled c(assignment(
      "endpoints { locality { region: 'r' } load_balancing_weight { value: 5 } " +
      endpoint("127.0.0.1", 1, "load_balancing_weight { value: 7 } health_status: DEGRADED") +
      endpoint("127.0.0.1", 2, "health_status: DRAINING") + "} endpoints { priority: 1 " +
      endpoint("127.0.0.1", 3, "health_status: HEALTHY") +
      "} endpoints { locality { region: 'r' } " +
      endpoint("127.0.0.1", 4, "health_status: TIMEOUT") +
      "} policy { overprovisioning_factor { value: 200 } weighted_priority_health: true }"));
  const Endpoints& e = c->hosts.endpoints;
  ASSERT_EQ(e.size(), 4u);
  EXPECT_EQ(e[0].weight, 7u);
  EXPECT_EQ(e[0].health, Health::kDegraded);
  EXPECT_EQ(e[1].weight, 1u);
  EXPECT_EQ(e[1].health, Health::kUnhealthy);
  EXPECT_EQ(e[2].priority, 1u);
  EXPECT_EQ(e[2].health, Health::kHealthy);
  EXPECT_EQ(e[3].health, Health::kUnhealthy);
  EXPECT_EQ(e[3].locality, e[0].locality);  // listed twice, one locality
  ASSERT_EQ(c->hosts.localities.size(), 2u);
  EXPECT_EQ(c->hosts.localities[0].weight, 5u);
  EXPECT_EQ(c->hosts.overprovisioning_factor, 200u);
  EXPECT_TRUE(c->hosts.weighted_priority_health);
}

TEST(ClusterEndpoints, HashKeyComesFromMetadata) {
  const Compiled c(assignment(
      "endpoints { " +
      endpoint("127.0.0.1", 1,
               "metadata { filter_metadata { key: 'envoy.lb' value { fields { key: 'hash_key' "
               "value { string_value: 'k' } } } } }") +
      "}"));
  ASSERT_EQ(c->hosts.endpoints.size(), 1u);
  EXPECT_EQ(c->hosts.endpoints[0].hash_key, "k");
}

TEST(ClusterEndpoints, NamesNeedDns) {
  const std::string path = "load_assignment.endpoints[0].lb_endpoints[0].endpoint.address.";
  expect_problem(assignment("endpoints { " + endpoint("example.com", 80) + "}"), "semantic",
                 path + "socket_address.address", "'example.com' is not an IPv4 or IPv6 address");
  const Compiled c(assignment("endpoints { " + endpoint("example.com", 80) + "}"));
  EXPECT_NE(c.diagnostics.items()[0].hint.find("STRICT_DNS"), std::string::npos);
  expect_problem(
      "type: STRICT_DNS " +
          assignment("endpoints { lb_endpoints { endpoint { address { pipe { path: '/x' } } } } }"),
      "semantic", path + "pipe", "names");
}

TEST(ClusterEndpoints, AddressProblems) {
  const std::string at = "load_assignment.endpoints[0].lb_endpoints[0].endpoint";
  const auto one = [](const std::string& body) {
    return assignment("endpoints { lb_endpoints { endpoint { " + body + " } } }");
  };
  expect_problem(one(""), "semantic", at + ".address", "no address");
  expect_problem(one("address { envoy_internal_address { server_listener_name: 'x' } }"),
                 "not-supported", at + ".address.envoy_internal_address");
  expect_problem(one("address { socket_address { address: '::1' named_port: 'http' } }"),
                 "semantic", at + ".address.socket_address.named_port", "number");
  expect_problem(one("address { socket_address { protocol: UDP address: '::1' port_value: 1 } }"),
                 "not-supported", at + ".address.socket_address.protocol");
  expect_problem(one("address { pipe { path: '" + std::string(108, 'x') + "' } }"), "semantic",
                 at + ".address.pipe.path", "107");
  expect_problem(one("address { pipe { path: '/x' } } additional_addresses { }"), "not-supported",
                 at + ".additional_addresses");
  expect_problem(assignment("endpoints { lb_endpoints { endpoint_name: 'x' } }"), "not-supported",
                 "load_assignment.endpoints[0].lb_endpoints[0].endpoint_name");
}

TEST(ClusterEndpoints, DropOverloadsAreSharesOfAll) {
  const auto one = [](const std::string& category, const std::string& percentage) {
    return "drop_overloads { category: '" + category + "' drop_percentage { " + percentage + " } }";
  };
  EXPECT_EQ(Compiled("")->hosts.drops, nullptr);
  EXPECT_EQ(Compiled(assignment("policy { drop_overloads { category: 'x' } }"))->hosts.drops,
            nullptr)
      << "no percentage is 0";
  const Compiled c(assignment("policy { " + one("a", "numerator: 50") +
                              one("b", "numerator: 5000 denominator: TEN_THOUSAND") +
                              one("c", "numerator: 500000 denominator: MILLION") + " }"));
  ASSERT_NE(c->hosts.drops, nullptr);
  const auto& drops = c->hosts.drops->categories();
  ASSERT_EQ(drops.size(), 3u);
  EXPECT_EQ(drops[2].name, "c");
  for (const auto& category : drops) EXPECT_EQ(category.share, 0.5);
  EXPECT_EQ(c->hosts.drops->share(DropPolicy::kAll), DropPolicy::kAll / 8 * 7);
  const Compiled all(assignment("policy { " + one("a", "numerator: 101") + " }"));
  EXPECT_EQ(all->hosts.drops->share(DropPolicy::kAll), DropPolicy::kAll);
  const Compiled named("type: STRICT_DNS " +
                       assignment("policy { " + one("a", "numerator: 1") + " }"));
  EXPECT_NE(named->hosts.drops, nullptr);
}

TEST(ClusterEndpoints, WeightsMayNotOverflow) {
  const std::string heavy = "load_balancing_weight { value: 4294967295 }";
  expect_problem(assignment("endpoints { " + endpoint("::1", 1, heavy) + endpoint("::1", 2) + "}"),
                 "semantic", "load_assignment.endpoints[0]", "4294967295");
  expect_problem(assignment("endpoints { locality { zone: 'a' } " + heavy +
                            " } endpoints { locality { zone: 'b' } " + heavy + " }"),
                 "semantic", "load_assignment", "priority 0");
}

TEST(ClusterEndpoints, AllProblemsAreReportedAtOnce) {
  const Compiled c("health_checks { } " +
                   assignment("endpoints { " + endpoint("a", 1) + endpoint("b", 2) + "}"));
  EXPECT_EQ(c.diagnostics.error_count(), 3u) << c.problems();
}

// ---- discovery ----

TEST(ClusterDiscovery, StrictDns) {
  const Compiled c(
      "type: STRICT_DNS dns_lookup_family: V4_PREFERRED dns_refresh_rate { seconds: 7 } "
      "respect_dns_ttl: true dns_failure_refresh_rate { base_interval { seconds: 2 } } " +
      assignment("endpoints { " + endpoint("a.example", 80) + endpoint("10.0.0.1", 81) + "}"));
  EXPECT_EQ(c->discovery, Discovery::kStrictDns);
  EXPECT_EQ(c->dns_family, DnsFamily::kV4Preferred);
  EXPECT_EQ(c->dns_refresh_ms, 7000);
  EXPECT_EQ(c->dns_failure_base_ms, 2000);
  EXPECT_EQ(c->dns_failure_max_ms, 20'000);
  EXPECT_TRUE(c->respect_dns_ttl);
  ASSERT_EQ(c->targets.size(), 2u);
  EXPECT_EQ(c->targets[0].name, "a.example");
  EXPECT_EQ(c->targets[0].port, 80);
  EXPECT_EQ(c->targets[0].prototype.hostname, "a.example");
  EXPECT_TRUE(c->hosts.endpoints.empty());
}

TEST(ClusterDiscovery, FailureRateDefaultsToTheRefreshRate) {
  const Compiled c("type: STRICT_DNS dns_refresh_rate { seconds: 7 }");
  EXPECT_EQ(c->dns_failure_base_ms, 7000);
  EXPECT_EQ(c->dns_failure_max_ms, 7000);
  expect_problem(
      "type: STRICT_DNS dns_failure_refresh_rate { base_interval { seconds: 2 } "
      "max_interval { seconds: 1 } }",
      "semantic", "dns_failure_refresh_rate", "smaller");
}

TEST(ClusterDiscovery, LogicalDnsHasOneTarget) {
  const Compiled c("type: LOGICAL_DNS " +
                   assignment("endpoints { " + endpoint("a.example", 80) + "}"));
  EXPECT_EQ(c->discovery, Discovery::kLogicalDns);
  EXPECT_EQ(c->targets.size(), 1u);
  const std::string two =
      "type: LOGICAL_DNS " + assignment("endpoints { " + endpoint("a", 1) + endpoint("b", 2) + "}");
  expect_problem(two, "semantic", "load_assignment", "exactly one");
  expect_problem("type: LOGICAL_DNS", "semantic", "load_assignment", "exactly one");
}

TEST(ClusterDiscovery, DnsClusterExtension) {
  const std::string at = "cluster_type { name: 'x' typed_config { ";
  const Compiled strict(at +
                        any("clusters.dns.v3.DnsCluster",
                            "dns_lookup_family: ALL dns_jitter { nanos: 5000000 } respect_dns_ttl: "
                            "true dns_refresh_rate { seconds: 3 }") +
                        " } } " + assignment("endpoints { " + endpoint("a.example", 80) + "}"));
  EXPECT_EQ(strict->discovery, Discovery::kStrictDns);
  EXPECT_EQ(strict->dns_family, DnsFamily::kAll);
  EXPECT_EQ(strict->dns_jitter_ms, 5);
  EXPECT_EQ(strict->dns_refresh_ms, 3000);
  EXPECT_TRUE(strict->respect_dns_ttl);
  const Compiled logical(
      at + any("clusters.dns.v3.DnsCluster", "all_addresses_in_single_endpoint: true") + " } } " +
      assignment("endpoints { " + endpoint("a.example", 80) + "}"));
  EXPECT_EQ(logical->discovery, Discovery::kLogicalDns);
  EXPECT_EQ(logical->dns_family, DnsFamily::kAuto);
}

TEST(ClusterDiscovery, OtherClusterTypes) {
  EXPECT_EQ(Compiled("cluster_type { name: 'envoy.cluster.strict_dns' }")->discovery,
            Discovery::kStrictDns);
  expect_problem("cluster_type { name: 'envoy.clusters.redis' }", "not-supported",
                 "cluster_type.name", "envoy.clusters.redis");
  expect_problem(
      "cluster_type { name: 'x' typed_config { " + any("filters.http.router.v3.Router") + " } }",
      "not-supported", "cluster_type.typed_config", "router.v3.Router");
}

TEST(ClusterDiscovery, EdsAsksByTheServicesName) {
  const std::string source = "eds_cluster_config { eds_config { ads {} } ";
  const Compiled plain("type: EDS " + source + "}");
  EXPECT_EQ(plain->discovery, Discovery::kEds);
  EXPECT_EQ(plain->eds_service_name, plain->name);
  EXPECT_EQ(Compiled("type: EDS " + source + "service_name: 'other' }")->eds_service_name, "other");
  EXPECT_EQ(Compiled("cluster_type { name: 'envoy.cluster.eds' } " + source + "}")->discovery,
            Discovery::kEds);
  expect_problem("type: EDS", "semantic", "eds_cluster_config", "who knows its endpoints");
  expect_problem("type: EDS load_assignment {} " + source + "}", "semantic", "load_assignment",
                 "come from its control plane");
}

TEST(ClusterDiscovery, Resolvers) {
  const std::string address =
      "resolvers { socket_address { protocol: UDP address: '10.1.1.1' port_value: 5353 } } ";
  const Compiled typed("type: STRICT_DNS typed_dns_resolver_config { name: 'x' typed_config { " +
                       any("network.dns_resolver.cares.v3.CaresDnsResolverConfig",
                           address + "udp_max_queries { value: 9 } dns_resolver_options { "
                                     "use_tcp_for_dns_lookups: true no_default_search_domain: "
                                     "true }") +
                       " } }");
  ASSERT_EQ(typed->resolvers.servers.size(), 1u);
  EXPECT_EQ(typed->resolvers.servers[0].text(), "10.1.1.1:5353");
  EXPECT_TRUE(typed->resolvers.over_tcp);
  EXPECT_FALSE(typed->resolvers.search_domains);
  EXPECT_EQ(Compiled("type: STRICT_DNS dns_resolution_config { " + address + "}")
                ->resolvers.servers.size(),
            1u);
  EXPECT_EQ(Compiled("type: STRICT_DNS dns_resolvers { socket_address { address: '::1' } }")
                ->resolvers.servers[0]
                .text(),
            "[::1]:53");
  expect_problem("type: STRICT_DNS dns_resolvers { socket_address { address: 'ns' } }", "semantic",
                 "dns_resolvers[0].socket_address.address", "'ns'");
  expect_problem("type: STRICT_DNS dns_resolvers { pipe { path: '/x' } }", "semantic",
                 "dns_resolvers[0]", "socket_address");
}

TEST(ClusterDiscovery, ResolversOfTheBootstrapServeClustersThatNameNone) {
  envoy::config::bootstrap::v3::Bootstrap bootstrap;
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(
      "dns_resolution_config { resolvers { socket_address { address: '10.1.1.1' port_value: 53 } } "
      "dns_resolver_options { no_default_search_domain: true } }",
      &bootstrap));
  config::Diagnostics diagnostics;
  const config::FieldPath root = config::FieldPath::root();
  const DnsResolvers defaults = compile_default_resolvers(bootstrap, root, diagnostics);
  EXPECT_FALSE(diagnostics.has_errors());

  envoy::config::cluster::v3::Cluster cluster;
  cluster.set_type(envoy::config::cluster::v3::Cluster::STRICT_DNS);
  const auto without = compile_cluster(cluster, root, diagnostics, defaults);
  ASSERT_NE(without, nullptr);
  EXPECT_EQ(without->resolvers.servers.at(0).text(), "10.1.1.1:53");
  EXPECT_FALSE(without->resolvers.search_domains);
  cluster.add_dns_resolvers()->mutable_socket_address()->set_address("10.2.2.2");
  const auto with = compile_cluster(cluster, root, diagnostics, defaults);
  ASSERT_NE(with, nullptr);
  EXPECT_EQ(with->resolvers.servers.at(0).text(), "10.2.2.2:53");
  EXPECT_TRUE(with->resolvers.search_domains);
}

TEST(ClusterDiscovery, OriginalDst) {
  const Compiled c(
      "type: ORIGINAL_DST lb_policy: CLUSTER_PROVIDED original_dst_lb_config { "
      "use_http_header: true http_header_name: 'X-To' upstream_port_override { value: 8080 } }");
  EXPECT_EQ(c->discovery, Discovery::kOriginalDst);
  EXPECT_EQ(c->balancing.kind, Kind::kClusterProvided);
  EXPECT_TRUE(c->original_dst_use_header);
  EXPECT_EQ(c->original_dst_header, "x-to");
  EXPECT_EQ(c->original_dst_port, 8080u);
  expect_problem("type: ORIGINAL_DST lb_policy: CLUSTER_PROVIDED " + assignment(""), "semantic",
                 "load_assignment", "ORIGINAL_DST");
  expect_problem("type: ORIGINAL_DST", "semantic", "lb_policy", "chooses by itself");
  expect_problem("lb_policy: CLUSTER_PROVIDED", "semantic", "lb_policy", "ORIGINAL_DST");
}

// ---- protocol ----

TEST(ClusterProtocol, HttpProtocolOptions) {
  const Compiled c(options(
      "common_http_protocol_options { idle_timeout { seconds: 5 } max_connection_duration { "
      "seconds: 60 } max_stream_duration { seconds: 7 } max_headers_count { value: 50 } "
      "max_requests_per_connection { value: 9 } } explicit_http_config { http_protocol_options { "
      "enable_trailers: true send_fully_qualified_url: true header_key_format { proper_case_words "
      "{ } } } } http_filters { name: "
      "'x' typed_config { " +
      any("filters.http.upstream_codec.v3.UpstreamCodec") + " } }"));
  EXPECT_EQ(c->idle_timeout_ms, 5000);
  EXPECT_EQ(c->max_connection_duration_ms, 60'000);
  EXPECT_EQ(c->max_stream_duration_ms, 7000);
  EXPECT_EQ(c->max_response_headers_count, 50u);
  EXPECT_EQ(c->max_requests_per_connection, 9u);
  EXPECT_EQ(c->header_keys.header_case, http::h1::HeaderCase::kProper);
  EXPECT_FALSE(c->header_keys.spelling);
  EXPECT_TRUE(c->pass_trailers);
  EXPECT_TRUE(c->absolute_targets);
}

TEST(ClusterProtocol, OlderFields) {
  const Compiled c(
      "max_requests_per_connection { value: 3 } common_http_protocol_options { idle_timeout { } } "
      "http_protocol_options { header_key_format { stateful_formatter { name: 'x' typed_config { " +
      any("http.header_formatters.preserve_case.v3.PreserveCaseFormatterConfig") + " } } } }");
  EXPECT_EQ(c->max_requests_per_connection, 3u);
  EXPECT_EQ(c->idle_timeout_ms, 0);
  ASSERT_TRUE(c->header_keys.spelling);
  EXPECT_FALSE(c->header_keys.spelling->proper_case_for_others);
  EXPECT_FALSE(c->header_keys.spelling->forward_reason);
  EXPECT_FALSE(c->pass_trailers);
}

TEST(ClusterProtocol, OlderFieldsBesideTheNewAreWarnedOf) {
  const std::string explicit_http1 = "explicit_http_config { http_protocol_options { } }";
  const Compiled c("http_protocol_options { } " + options(explicit_http1));
  EXPECT_EQ(c.diagnostics.warning_count(), 1u);
  const std::string most = "max_requests_per_connection { value: 3 } ";
  const Compiled alone(most + options(explicit_http1));
  EXPECT_EQ(alone->max_requests_per_connection, 3u);
  EXPECT_EQ(alone.diagnostics.warning_count(), 0u);
  const Compiled both(most + options(explicit_http1 +
                                     " common_http_protocol_options { max_requests_per_connection "
                                     "{ value: 5 } }"));
  EXPECT_EQ(both->max_requests_per_connection, 5u);
}

TEST(ClusterProtocol, Versions) {
  using Versions = ClusterConfig::Versions;
  const auto versions = [](const std::string& text) { return Compiled(text)->versions; };
  EXPECT_EQ(versions(options("explicit_http_config { http_protocol_options { } }")),
            Versions::kHttp1);
  EXPECT_EQ(versions(options("explicit_http_config { http2_protocol_options { } }")),
            Versions::kHttp2);
  EXPECT_EQ(versions(options("use_downstream_protocol_config { http_protocol_options { } }")),
            Versions::kHttp1);
  EXPECT_EQ(versions(options("use_downstream_protocol_config { http2_protocol_options { } }")),
            Versions::kDownstream);
  EXPECT_EQ(versions("http2_protocol_options { }"), Versions::kHttp2);
  EXPECT_EQ(versions("http2_protocol_options { } protocol_selection: USE_DOWNSTREAM_PROTOCOL"),
            Versions::kDownstream);
}

TEST(ClusterProtocol, Http2Options) {
  const Compiled c(options(
      "common_http_protocol_options { max_headers_count { value: 50 } } explicit_http_config { "
      "http2_protocol_options { max_concurrent_streams { value: 7 } initial_stream_window_size { "
      "value: 70000 } connection_keepalive { interval { seconds: 30 } timeout { seconds: 5 } } "
      "custom_settings_parameters { identifier { value: 100 } value { value: 9 } } } }"));
  EXPECT_EQ(c->http2.max_concurrent_streams, 7u);
  EXPECT_EQ(c->http2.initial_stream_window_bytes, 70'000u);
  EXPECT_EQ(c->http2.max_header_count, 50u);
  EXPECT_EQ(c->http2.keep_alive.interval_ms, 30'000);
  ASSERT_EQ(c->http2.custom_settings.size(), 1u);
  EXPECT_EQ(c->http2.custom_settings[0].id, 100);
  // Without a word of it, as many streams as the peer allows.
  EXPECT_EQ(Compiled("http2_protocol_options { }")->http2.max_concurrent_streams, 2147483647u);
  // A request that an upstream does not take is the route's to give up.
  EXPECT_EQ(c->http2.stream_flush_timeout_ms, 0);
  EXPECT_EQ(Compiled("http2_protocol_options { }")->http2.stream_flush_timeout_ms, 0);
  expect_problem(options("explicit_http_config { http2_protocol_options { "
                         "custom_settings_parameters { identifier { value: 3 } value { } } } }"),
                 "invalid-value",
                 "typed_extension_protocol_options["
                 "\"envoy.extensions.upstreams.http.v3.HttpProtocolOptions\"].explicit_http_config."
                 "http2_protocol_options.custom_settings_parameters[0].identifier",
                 "field of its own");
}

TEST(ClusterProtocol, WhatIsNotSupported) {
  const std::string at =
      "typed_extension_protocol_options["
      "\"envoy.extensions.upstreams.http.v3.HttpProtocolOptions\"]";
  // HTTP/2 is preferred without a word of it too, so TLS has to be there in each case.
  for (const std::string& tls : {std::string(), "transport_socket { " + kRaw + " } "})
    for (const std::string body : {"auto_config { http2_protocol_options { } }",
                                   "auto_config { http_protocol_options { } }", "auto_config { }"})
      expect_problem(tls + options(body), "semantic", at + ".auto_config", "without TLS");
  expect_problem(options("explicit_http_config { } common_http_protocol_options { idle_timeout { "
                         "seconds: -1 } }"),
                 "out-of-range", at + ".common_http_protocol_options.idle_timeout", "negative");
  expect_problem(options(""), "semantic", at, "no version of HTTP");
  expect_problem(options("explicit_http_config { http_protocol_options { allow_chunked_length: "
                         "true } }"),
                 "not-supported",
                 at + ".explicit_http_config.http_protocol_options.allow_chunked_length");
  expect_problem(options("explicit_http_config { } http_filters { name: 'x' typed_config { " +
                         any("filters.http.router.v3.Router") + " } }"),
                 "not-supported", at + ".http_filters[0].typed_config");
}

// ---- connection ----

TEST(ClusterConnection, IsAlwaysWaitedFor) {
  EXPECT_EQ(Compiled("wait_for_warm_on_init { value: true }").problems(), "");
  expect_problem("wait_for_warm_on_init { value: false }", "not-supported",
                 "wait_for_warm_on_init");
}

TEST(ClusterConnection, CircuitBreakers) {
  const Compiled c(
      "circuit_breakers { thresholds { max_connections { value: 1 } max_pending_requests { value: "
      "2 } max_requests { value: 3 } max_retries { value: 4 } track_remaining: true } "
      "thresholds { priority: HIGH retry_budget { } max_requests { value: 0 } } "
      "thresholds { max_connections { value: 99 } } }");
  EXPECT_EQ(c->thresholds[0].max_connections, 1u);  // the first for a priority counts
  EXPECT_EQ(c->thresholds[0].max_pending_requests, 2u);
  EXPECT_EQ(c->thresholds[0].max_requests, 3u);
  EXPECT_EQ(c->thresholds[0].max_retries, 4u);
  EXPECT_TRUE(c->thresholds[0].track_remaining);
  EXPECT_FALSE(c->thresholds[0].retry_budget_percent);
  EXPECT_EQ(c->thresholds[1].max_requests, 0u);
  EXPECT_EQ(c->thresholds[1].retry_budget_percent, 20.0);
  EXPECT_EQ(c->thresholds[1].retry_budget_min, 3u);
  expect_problem("circuit_breakers { per_host_thresholds { } }", "not-supported",
                 "circuit_breakers.per_host_thresholds");
}

TEST(ClusterConnection, Sockets) {
  const Compiled c(
      "upstream_bind_config { source_address { address: '127.0.0.2' } } "
      "upstream_connection_options "
      "{ tcp_keepalive { keepalive_probes { value: 3 } keepalive_time { value: 10 } "
      "keepalive_interval { value: 5 } } }");
  ASSERT_TRUE(c->bind_address);
  EXPECT_EQ(c->bind_address->text(), "127.0.0.2:0");
  ASSERT_TRUE(c->keep_alive);
  EXPECT_EQ(c->keep_alive->probes, 3u);
  EXPECT_EQ(c->keep_alive->time_s, 10u);
  EXPECT_EQ(c->keep_alive->interval_s, 5u);
  EXPECT_FALSE(Compiled("upstream_connection_options { }")->keep_alive);
  for (const std::string value : {"0", "128"})
    expect_problem("upstream_connection_options { tcp_keepalive { keepalive_probes { value: " +
                       value + " } } }",
                   "out-of-range", "upstream_connection_options.tcp_keepalive.keepalive_probes",
                   "between 1 and 127");
  expect_problem("upstream_bind_config { source_address { address: 'eth0' } }", "semantic",
                 "upstream_bind_config.source_address.address", "'eth0'");
}

TEST(ClusterConnection, TransportSockets) {
  EXPECT_TRUE(Compiled("transport_socket { name: 'x' typed_config { " +
                       any("transport_sockets.raw_buffer.v3.RawBuffer") + " } }")
                  .config);
  expect_problem("transport_socket { name: 'tls' typed_config { " +
                     any("transport_sockets.tls.v3.UpstreamTlsContext") + " } }",
                 "not-supported", "transport_socket", "TLS");
}

TEST(ClusterConfig, WhatIsRefusedAlreadyIsNotRefusedAgain) {
  config::Diagnostics diagnostics;
  diagnostics.error(config::Code::kNotSupported, "c.lb_subset_config", "no subsets yet");
  envoy::config::cluster::v3::Cluster cluster;
  cluster.mutable_lb_subset_config();
  EXPECT_EQ(compile_cluster(cluster, config::FieldPath::root("c"), diagnostics), nullptr);
  EXPECT_NE(compile_cluster({}, config::FieldPath::root("d"), diagnostics), nullptr);
  EXPECT_EQ(diagnostics.error_count(), 1u);
}

TEST(ClusterConfig, WhatWouldChangeTheRequestIsNeverSilentlyLeftOut) {
  for (const std::string field :
       {"lb_subset_config", "preconnect_policy", "upstream_config", "filters"})
    expect_problem(field + " { }", "not-supported", field, field);
}

}  // namespace
}  // namespace weir::upstream
