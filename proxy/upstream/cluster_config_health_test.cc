// health_checks, health_check_config and outlier_detection, compiled.
#include <gtest/gtest.h>

#include "proxy/upstream/health_check_config.h"
#include "proxy/upstream/outlier_config.h"
#include "proxy/upstream/testing/compiled_cluster.h"

namespace weir::upstream {
namespace {

using Kind = HealthCheckConfig::Kind;

std::string check(const std::string& how, const std::string& more = "") {
  return "health_checks { timeout { seconds: 2 } interval { seconds: 5 } "
         "unhealthy_threshold { value: 3 } healthy_threshold { value: 4 } " +
         how + " " + more + " } ";
}
const std::string kHttp = "http_health_check { path: '/' }";

TEST(ClusterHealthConfig, Defaults) {
  const Compiled c(check(kHttp));
  ASSERT_NE(c->health_check, nullptr);
  const HealthCheckConfig& h = *c->health_check;
  EXPECT_EQ(h.kind, Kind::kHttp);
  EXPECT_EQ(h.method, "GET");
  EXPECT_EQ(h.timeout_ms, 2'000);
  EXPECT_EQ(h.interval_ms, 5'000);
  EXPECT_EQ(h.unhealthy_interval_ms, 5'000);
  EXPECT_EQ(h.unhealthy_edge_interval_ms, 5'000);
  EXPECT_EQ(h.healthy_edge_interval_ms, 5'000);
  EXPECT_EQ(h.no_traffic_interval_ms, 60'000);
  EXPECT_EQ(h.no_traffic_healthy_interval_ms, 60'000);
  EXPECT_EQ(h.unhealthy_threshold, 3u);
  EXPECT_EQ(h.healthy_threshold, 4u);
  EXPECT_TRUE(h.reuse_connection);
  EXPECT_TRUE(h.expects(200));
  EXPECT_FALSE(h.expects(201));
  EXPECT_FALSE(h.may_retry(500));
  EXPECT_EQ(Compiled("")->health_check, nullptr);
}

TEST(ClusterHealthConfig, EachIntervalFollowsItsElder) {
  const Compiled c(
      check(kHttp, "unhealthy_interval { seconds: 7 } no_traffic_interval { nanos: 1 }"));
  EXPECT_EQ(c->health_check->unhealthy_edge_interval_ms, 7'000);
  EXPECT_EQ(c->health_check->healthy_edge_interval_ms, 5'000);
  EXPECT_EQ(c->health_check->no_traffic_healthy_interval_ms, 1);
}

TEST(ClusterHealthConfig, Http) {
  const Compiled c(
      check("http_health_check { path: '/up' host: 'h' method: HEAD codec_client_type: HTTP2 "
            "expected_statuses { start: 200 end: 300 } expected_statuses { start: 404 end: 405 } "
            "retriable_statuses { start: 500 end: 600 } receive { text: '6f6B' } "
            "send { binary: 'ping' } response_buffer_size { value: 0 } "
            "request_headers_to_add { header { key: 'x' value: 'y' } } "
            "service_name_matcher { prefix: 'app' } }",
            "reuse_connection { value: false } tls_options { alpn_protocols: 'h2' }"));
  const HealthCheckConfig& h = *c->health_check;
  EXPECT_EQ(h.path, "/up");
  EXPECT_EQ(h.host, "h");
  EXPECT_EQ(h.method, "HEAD");
  EXPECT_TRUE(h.http2);
  EXPECT_TRUE(h.expects(299));
  EXPECT_TRUE(h.expects(404));
  EXPECT_FALSE(h.expects(405));
  EXPECT_TRUE(h.may_retry(599));
  EXPECT_EQ(h.receive, Payload{"ok"});
  EXPECT_EQ(h.send, "ping");
  EXPECT_EQ(h.response_buffer_bytes, 0u);
  EXPECT_FALSE(h.headers.empty());
  ASSERT_TRUE(h.service_name);
  EXPECT_TRUE(h.service_name->matches("app-1"));
  EXPECT_FALSE(h.reuse_connection);
  EXPECT_EQ(h.alpn, std::vector<std::string>{"h2"});
}

TEST(ClusterHealthConfig, TcpAndGrpc) {
  const Compiled tcp(check("tcp_health_check { send { text: '00ff' } receive { binary: 'a' } }"));
  EXPECT_EQ(tcp->health_check->kind, Kind::kTcp);
  EXPECT_EQ(tcp->health_check->send, std::string("\0\xff", 2));
  EXPECT_EQ(tcp->health_check->receive, Payload{"a"});
  const Compiled grpc(check("grpc_health_check { service_name: 's' authority: 'a' }") +
                      "http2_protocol_options { }");
  EXPECT_EQ(grpc->health_check->kind, Kind::kGrpc);
  EXPECT_EQ(grpc->health_check->service, "s");
  EXPECT_EQ(grpc->health_check->host, "a");
}

TEST(ClusterHealthConfig, WhatMakesNoSense) {
  expect_problem(check(""), "semantic", "health_checks[0]", "how to check");
  expect_problem(check(kHttp) + check(kHttp), "semantic", "health_checks[1]", "one health check");
  expect_problem(check("grpc_health_check { }"), "semantic", "health_checks[0].grpc_health_check",
                 "HTTP/2");
  expect_problem(check("http_health_check { path: '/' expected_statuses { start: 300 end: 300 } }"),
                 "semantic", "health_checks[0].http_health_check.expected_statuses[0]");
  expect_problem(check("tcp_health_check { receive { text: '0' } }"), "semantic",
                 "health_checks[0].tcp_health_check.receive[0].text", "hexadecimal");
  expect_problem("type: ORIGINAL_DST lb_policy: CLUSTER_PROVIDED " + check(kHttp), "semantic",
                 "health_checks", "no endpoints");
}

TEST(ClusterHealthConfig, NegativeTimesAreRefused) {
  for (const std::string field : {"initial_jitter", "interval_jitter"}) {
    expect_problem(check(kHttp, field + " { seconds: -1 }"), "out-of-range",
                   "health_checks[0]." + field, "negative");
    expect_problem(check(kHttp, field + " { nanos: -1 }"), "out-of-range",
                   "health_checks[0]." + field, "negative");
  }
  expect_problem("outlier_detection { max_ejection_time_jitter { seconds: -1 } }", "out-of-range",
                 "outlier_detection.max_ejection_time_jitter", "negative");
  const Compiled c(check(kHttp, "initial_jitter { seconds: 1 } interval_jitter { nanos: 1 }") +
                   "outlier_detection { max_ejection_time_jitter { seconds: 2 } }");
  EXPECT_EQ(c->health_check->initial_jitter_ms, 1'000);
  EXPECT_EQ(c->health_check->interval_jitter_ms, 1);
}

TEST(ClusterHealthConfig, WhatIsNotSupportedIsRefusedByName) {
  expect_problem(check("http_health_check { path: '/' codec_client_type: HTTP3 }"), "not-supported",
                 "health_checks[0].http_health_check.codec_client_type");
  expect_problem(check("custom_health_check { name: 'x' }"), "not-supported",
                 "health_checks[0].custom_health_check");
  expect_problem(check(kHttp, "event_log_path: 'x'"), "not-supported",
                 "health_checks[0].event_log_path");
  expect_problem("outlier_detection { monitors { name: 'x' } }", "not-supported",
                 "outlier_detection.monitors");
}

TEST(ClusterHealthConfig, OfAnEndpoint) {
  const Compiled c(assignment(
      "endpoints { lb_endpoints { endpoint { address { socket_address { address: '127.0.0.1' "
      "port_value: 1 } } health_check_config { port_value: 7 hostname: 'h' address { "
      "socket_address { address: '127.0.0.2' port_value: 9 } } disable_active_health_check: true } "
      "} } " +
      endpoint("127.0.0.1", 2) + " }"));
  ASSERT_EQ(c->hosts.endpoints.size(), 2u);
  ASSERT_NE(c->hosts.endpoints[0].check, nullptr);
  const EndpointCheck& own = *c->hosts.endpoints[0].check;
  EXPECT_EQ(own.port, 7);
  EXPECT_EQ(own.hostname, "h");
  EXPECT_TRUE(own.disabled);
  ASSERT_TRUE(own.address);
  EXPECT_EQ(own.address->text(), "127.0.0.2:9");
  EXPECT_EQ(c->hosts.endpoints[1].check, nullptr);
}

TEST(OutlierConfigTest, DefaultsAreEnvoys) {
  EXPECT_EQ(Compiled("")->outlier, nullptr);
  const Compiled c("outlier_detection { }");
  const OutlierConfig& o = *c->outlier;
  EXPECT_EQ(o.consecutive_5xx, 5u);
  EXPECT_EQ(o.interval_ms, 10'000);
  EXPECT_EQ(o.base_ejection_ms, 30'000);
  EXPECT_EQ(o.max_ejection_ms, 300'000);
  EXPECT_EQ(o.max_ejection_percent, 10u);
  EXPECT_EQ(o.enforced(Ejection::kConsecutive5xx), 100u);
  EXPECT_EQ(o.enforced(Ejection::kConsecutiveGatewayFailure), 0u);
  EXPECT_EQ(o.enforced(Ejection::kConsecutiveLocalOriginFailure), 100u);
  EXPECT_EQ(o.enforced(Ejection::kFailurePercentage), 0u);
  EXPECT_TRUE(o.uneject_on_check);
  EXPECT_DOUBLE_EQ(o.success_rate_stdev_factor, 1.9);
}

TEST(OutlierConfigTest, Fields) {
  const Compiled c(
      "outlier_detection { consecutive_5xx { value: 0 } enforcing_failure_percentage { value: 7 } "
      "base_ejection_time { seconds: 400 } split_external_local_origin_errors: true "
      "success_rate_stdev_factor { value: 1000 } always_eject_one_host { value: true } "
      "successful_active_health_check_uneject_host { value: false } }");
  const OutlierConfig& o = *c->outlier;
  EXPECT_EQ(o.consecutive_5xx, 0u);
  EXPECT_EQ(o.enforced(Ejection::kFailurePercentage), 7u);
  EXPECT_EQ(o.max_ejection_ms, 400'000) << "no less than the base time";
  EXPECT_TRUE(o.split_local_origin);
  EXPECT_TRUE(o.always_eject_one);
  EXPECT_FALSE(o.uneject_on_check);
  EXPECT_DOUBLE_EQ(o.success_rate_stdev_factor, 1.0);
  expect_problem("outlier_detection { max_ejection_time { seconds: 1 } }", "semantic",
                 "outlier_detection.max_ejection_time", "base_ejection_time");
}

}  // namespace
}  // namespace weir::upstream
