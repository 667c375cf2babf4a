#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "proxy/http/rate_limit.h"
#include "proxy/http/route_fixture.h"

namespace weir::http {
namespace {

constexpr const char* kRoutePath = "rc.virtual_hosts[0].routes[0].";

class NamedFilter : public FilterConfig {
 public:
  Filter* make(FilterContext&) const override { return nullptr; }
};

class RouteCompileTest : public RouteFixture {
 protected:
  bool use(const std::string& action, const std::string& match = "prefix: '/'") {
    return compile_routes("routes { match { " + match + " } " + action + " }");
  }
  const Route& route() const {
    const TestRequest request("a.com", "/");
    return *find(request.head);
  }
  const ForwardAction& forward() const { return std::get<ForwardAction>(route().action); }

  // Compiling the action of the one route must give this error alone.
  void expect_error(const std::string& action, const std::string& path, config::Code code) {
    EXPECT_FALSE(use(action)) << action;
    EXPECT_EQ(errors(), kRoutePath + path + ": " + std::string(config::code_name(code)) + "\n")
        << action;
  }
};

using config::Code;

TEST_F(RouteCompileTest, GivesEnvoysDefaults) {
  ASSERT_TRUE(use("route { cluster: 'c' }")) << errors();
  EXPECT_EQ(forward().cluster, "c");
  EXPECT_EQ(forward().timeout_ms, 15'000);
  EXPECT_EQ(forward().idle_timeout_ms, std::nullopt);
  EXPECT_EQ(forward().max_stream_duration_ms, std::nullopt);
  EXPECT_EQ(forward().cluster_not_found_status, 503);
  EXPECT_FALSE(forward().retry);
  EXPECT_EQ(forward().prefix_rewrite, "");
  EXPECT_EQ(route().buffer_limit_bytes, 0u);
  EXPECT_EQ(route().host->name, "all");
}

TEST_F(RouteCompileTest, ReadsTimeoutsRoundedUp) {
  ASSERT_TRUE(
      use("route { cluster: 'c' timeout { nanos: 1 } idle_timeout {} max_stream_duration { "
          "max_stream_duration { seconds: 2 nanos: 500000000 } } priority: HIGH "
          "cluster_not_found_response_code: NOT_FOUND }"))
      << errors();
  EXPECT_EQ(forward().timeout_ms, 0) << "max_stream_duration replaces it";
  EXPECT_EQ(forward().idle_timeout_ms, 0);
  EXPECT_EQ(forward().max_stream_duration_ms, 2'500);
  EXPECT_TRUE(forward().high_priority);
  EXPECT_EQ(forward().cluster_not_found_status, 404);
  expect_error("route { cluster: 'c' timeout { seconds: -1 } }", "route.timeout",
               Code::kOutOfRange);
}

TEST_F(RouteCompileTest, ReadsGrpcTimeouts) {
  ASSERT_TRUE(use("route { cluster: 'c' timeout { nanos: 1 } }")) << errors();
  EXPECT_EQ(forward().timeout_ms, 1);
  EXPECT_EQ(forward().grpc_timeout, nullptr);
  ASSERT_TRUE(
      use("route { cluster: 'c' timeout { seconds: 2 } max_grpc_timeout { seconds: 1 } "
          "grpc_timeout_offset { nanos: 5000000 } }"))
      << errors();
  EXPECT_EQ(forward().timeout_ms, 2000);
  EXPECT_FALSE(forward().grpc_timeout->of_stream);
  EXPECT_EQ(forward().grpc_timeout->most_ms, 1000);
  EXPECT_EQ(forward().grpc_timeout->offset_ms, 5);
  ASSERT_TRUE(
      use("route { cluster: 'c' max_stream_duration { grpc_timeout_header_max {} "
          "grpc_timeout_header_offset { seconds: 1 } } max_grpc_timeout { seconds: 9 } }"))
      << errors();
  EXPECT_TRUE(forward().grpc_timeout->of_stream);
  EXPECT_EQ(forward().grpc_timeout->most_ms, 0);
  EXPECT_EQ(forward().grpc_timeout->offset_ms, 1000);
  ASSERT_TRUE(use("route { cluster: 'c' max_stream_duration {} }")) << errors();
  EXPECT_EQ(forward().grpc_timeout->most_ms, std::nullopt);
  expect_error("route { cluster: 'c' max_grpc_timeout { seconds: -1 } }", "route.max_grpc_timeout",
               Code::kOutOfRange);
}

TEST_F(RouteCompileTest, ReadsRetryPolicies) {
  ASSERT_TRUE(use(
      "route { cluster: 'c' retry_policy { retry_on: '5xx, reset,retriable-status-codes' "
      "num_retries { value: 3 } per_try_timeout { seconds: 1 } retriable_status_codes: 429 "
      "retry_back_off { base_interval { nanos: 10000000 } } retry_host_predicate { name: "
      "'envoy.retry_host_predicates.previous_hosts' } host_selection_retry_max_attempts: 4 } }"))
      << errors();
  const RetryPolicy& retry = *forward().retry;
  EXPECT_EQ(retry.on, RetryPolicy::k5xx | RetryPolicy::kReset | RetryPolicy::kRetriableStatusCodes);
  EXPECT_EQ(retry.num_retries, 3u);
  EXPECT_EQ(retry.per_try_timeout_ms, 1000);
  EXPECT_EQ(retry.status_codes, std::vector<uint16_t>{429});
  EXPECT_EQ(retry.back_off_base_ms, 10);
  EXPECT_EQ(retry.back_off_max_ms, 100);
  EXPECT_EQ(retry.host_selection_attempts, 4u);
  ASSERT_TRUE(
      use("route { cluster: 'c' retry_policy { retry_on: 'cancelled,deadline-exceeded,"
          "internal,resource-exhausted,unavailable' } }"))
      << errors();
  EXPECT_EQ(forward().retry->on, RetryPolicy::kAnyGrpc);
}

TEST_F(RouteCompileTest, ReadsWhatHeadersSayOfRetries) {
  ASSERT_TRUE(use(
      "route { cluster: 'c' retry_policy { retry_on: 'retriable-headers' "
      "retriable_headers { name: 'X-Again' } retriable_request_headers { name: 'x-safe' } "
      "rate_limited_retry_back_off { reset_headers { name: 'Retry-After' } reset_headers { name: "
      "'x-reset' format: UNIX_TIMESTAMP } max_interval { seconds: 9 } } } }"))
      << errors();
  const RetryPolicy& retry = *forward().retry;
  EXPECT_EQ(retry.on, RetryPolicy::kRetriableHeaders);
  EXPECT_EQ(retry.response_headers.size(), 1u);
  EXPECT_EQ(retry.request_headers.size(), 1u);
  ASSERT_EQ(retry.reset_headers.size(), 2u);
  EXPECT_EQ(retry.reset_headers[0].name, "retry-after");
  EXPECT_FALSE(retry.reset_headers[0].unix_time);
  EXPECT_TRUE(retry.reset_headers[1].unix_time);
  EXPECT_EQ(retry.reset_max_ms, 9000);
}

TEST_F(RouteCompileTest, ReportsBadRetryPolicies) {
  const auto error = [&](const std::string& policy, const std::string& path, Code code) {
    expect_error("route { cluster: 'c' retry_policy { " + policy + " } }",
                 "route.retry_policy." + path, code);
  };
  error("retry_on: '5xy'", "retry_on", Code::kUnknownValue);
  EXPECT_EQ(diagnostics.items()[0].hint, "did you mean '5xx'?");
  error("retry_on: 'http3-post-connect-failure'", "retry_on", Code::kNotSupported);
  error("retry_on: '5xx' retriable_status_codes: 42", "retriable_status_codes[0]",
        Code::kOutOfRange);
  error("retry_back_off { base_interval { seconds: 2 } max_interval { seconds: 1 } }",
        "retry_back_off.max_interval", Code::kSemantic);
  error("retry_host_predicate { name: 'envoy.retry_host_predicates.omit_canary_hosts' }",
        "retry_host_predicate[0]", Code::kNotSupported);
}

TEST_F(RouteCompileTest, InheritsWhatTheHostAndTheTableSay) {
  ASSERT_TRUE(compile(
      "request_mirror_policies { cluster: 'table' } "
      "virtual_hosts { name: 'h' domains: '*' retry_policy { retry_on: '5xx' } "
      "per_request_buffer_limit_bytes { value: 10 } include_request_attempt_count: true "
      "rate_limits { actions { remote_address {} } } "
      "routes { name: 'a' match { path: '/a' } route { cluster: 'c' } } "
      "routes { name: 'b' match { path: '/b' } per_request_buffer_limit_bytes { value: 20 } "
      "route { cluster: 'c' retry_policy { retry_on: 'reset' } request_mirror_policies { "
      "cluster: 'own' disable_shadow_host_suffix_append: true runtime_fraction { default_value { "
      "numerator: 5 denominator: TEN_THOUSAND } runtime_key: 'k' } } "
      "rate_limits { actions { generic_key { descriptor_value: 'x' } } } "
      "include_vh_rate_limits { value: true } } } }"))
      << errors();
  const TestRequest request_a("h", "/a");
  const Route& a = *find(request_a.head);
  const auto& inherited = std::get<ForwardAction>(a.action);
  EXPECT_EQ(inherited.retry->on, RetryPolicy::k5xx);
  EXPECT_EQ(inherited.mirrors.at(0).cluster, "table");
  EXPECT_EQ(inherited.mirrors.at(0).share.numerator, 100u);
  EXPECT_TRUE(inherited.mirrors.at(0).suffix_host);
  EXPECT_EQ(a.buffer_limit_bytes, 10u);
  EXPECT_TRUE(a.host->include_attempt_count_in_request);
  EXPECT_EQ(a.rate_limits, nullptr);
  ASSERT_NE(a.host->rate_limits, nullptr);
  EXPECT_EQ(a.host->rate_limits->size(), 1u);

  const TestRequest request_b("h", "/b");
  const Route& b = *find(request_b.head);
  const auto& own = std::get<ForwardAction>(b.action);
  EXPECT_EQ(own.retry->on, RetryPolicy::kReset);
  ASSERT_EQ(own.mirrors.size(), 1u);
  EXPECT_EQ(own.mirrors[0].cluster, "own");
  EXPECT_EQ(own.mirrors[0].share.numerator, 5u);
  EXPECT_EQ(own.mirrors[0].share.denominator, 10'000u);
  EXPECT_EQ(own.mirrors[0].share.runtime_key, "k");
  EXPECT_FALSE(own.mirrors[0].suffix_host);
  EXPECT_EQ(b.buffer_limit_bytes, 20u);
  EXPECT_EQ(b.rate_limits->size(), 1u);
  EXPECT_TRUE(b.include_host_rate_limits);
}

TEST_F(RouteCompileTest, ReadsHashPolicies) {
  ASSERT_TRUE(use(
      "route { cluster: 'c' hash_policy { header { header_name: 'X-User' regex_rewrite { pattern { "
      "regex: '^u-(.*)' } substitution: '\\\\1' } } terminal: true } hash_policy { cookie { name: "
      "'s' ttl { nanos: 1 } path: '/p' attributes { name: 'SameSite' value: 'Lax' } attributes { "
      "name: 'Secure' } } } hash_policy { connection_properties { source_ip: true } "
      "} hash_policy { connection_properties {} } hash_policy { query_parameter { name: 'q' } } }"))
      << errors();
  const auto& hash = forward().hash;
  ASSERT_EQ(hash.size(), 4u);
  EXPECT_EQ(hash[0].name, "x-user");
  EXPECT_NE(hash[0].regex, nullptr);
  EXPECT_TRUE(hash[0].terminal);
  EXPECT_EQ(hash[1].kind, HashPolicy::Kind::kCookie);
  EXPECT_EQ(hash[1].cookie_ttl_s, 1);
  EXPECT_EQ(hash[1].cookie_end, "; Path=/p; SameSite=Lax; Secure; HttpOnly");
  EXPECT_EQ(hash[2].kind, HashPolicy::Kind::kSourceIp);
  EXPECT_EQ(hash[3].kind, HashPolicy::Kind::kQueryParameter);
  expect_error("route { cluster: 'c' hash_policy {} }", "route.hash_policy[0]", Code::kConstraint);
  expect_error("route { cluster: 'c' hash_policy { cookie { name: 'a b' } } }",
               "route.hash_policy[0].cookie.name", Code::kInvalidValue);
  expect_error(
      "route { cluster: 'c' hash_policy { cookie { name: 'a' attributes { name: 'A' value: 'b;c' } "
      "} } }",
      "route.hash_policy[0].cookie.attributes[0]", Code::kInvalidValue);
}

TEST_F(RouteCompileTest, ReadsWeightedClusters) {
  ASSERT_TRUE(
      use("route { weighted_clusters { header_name: 'X-At' runtime_key_prefix: 'p' clusters { "
          "name: 'a' weight "
          "{ value: 1 } } clusters { cluster_header: 'X-C' weight { value: 4 } } } }"))
      << errors();
  EXPECT_EQ(forward().total_weight, 5u);
  EXPECT_EQ(forward().weighted.at(0).cluster, "a");
  EXPECT_EQ(forward().weighted.at(1).cluster_header, "x-c");
  EXPECT_EQ(forward().weighted_runtime_prefix, "p");
  EXPECT_EQ(forward().weighted_header, "x-at");

  const auto error = [&](const std::string& clusters, const std::string& path, Code code) {
    expect_error("route { weighted_clusters { " + clusters + " } }",
                 "route.weighted_clusters" + path, code);
  };
  error("clusters { name: 'a' }", "", Code::kSemantic);
  error(
      "clusters { name: 'a' weight { value: 4294967295 } } clusters { name: 'b' weight { value: 1 "
      "} }",
      "", Code::kOutOfRange);
  error("total_weight { value: 100 } clusters { name: 'a' weight { value: 1 } }", ".total_weight",
        Code::kSemantic);
  error("clusters { name: 'a' cluster_header: 'b' weight { value: 1 } }", ".clusters[0]",
        Code::kOneofConflict);
}

TEST_F(RouteCompileTest, ChecksClustersWhenAsked) {
  const std::string routes =
      "virtual_hosts { name: 'h' domains: '*' routes { match { prefix: '/' } route { cluster: "
      "'known' request_mirror_policies { cluster: 'mirror' } } } routes { match { prefix: '/' } "
      "route { weighted_clusters { clusters { name: 'w' weight { value: 1 } } } } } routes { match "
      "{ prefix: '/' } route { cluster: 'gone' } } }";
  EXPECT_TRUE(compile(routes));
  has_cluster = [](std::string_view name) { return name == "known"; };
  EXPECT_FALSE(compile(routes));
  const std::string path = "rc.virtual_hosts[0].routes";
  EXPECT_EQ(errors(), path + "[0].route.request_mirror_policies[0].cluster: reference\n" + path +
                          "[1].route.weighted_clusters.clusters[0].name: reference\n" + path +
                          "[2].route.cluster: reference\n");
  EXPECT_TRUE(compile("validate_clusters { value: false } " + routes));
}

TEST_F(RouteCompileTest, ReadsRedirects) {
  ASSERT_TRUE(
      use("redirect { https_redirect: true host_redirect: 'b.com' port_redirect: 1 "
          "path_redirect: '/x#f' response_code: PERMANENT_REDIRECT strip_query: true }"))
      << errors();
  const auto& redirect = std::get<RedirectAction>(route().action);
  EXPECT_EQ(redirect.scheme, "https");
  EXPECT_EQ(redirect.host, "b.com");
  EXPECT_EQ(redirect.port, 1);
  EXPECT_EQ(redirect.path, "/x#f");
  EXPECT_EQ(redirect.status, 308);
  EXPECT_TRUE(redirect.strip_query);
  expect_error("redirect { port_redirect: 65536 }", "redirect.port_redirect", Code::kOutOfRange);
  expect_error("redirect { host_redirect: 'a b' }", "redirect.host_redirect", Code::kInvalidValue);
  expect_error("redirect { path_redirect: 'x' }", "redirect.path_redirect", Code::kInvalidValue);
  expect_error("redirect { path_redirect: '/a b' }", "redirect.path_redirect", Code::kInvalidValue);
  expect_error("redirect { scheme_redirect: '1x' }", "redirect.scheme_redirect",
               Code::kInvalidValue);
}

TEST_F(RouteCompileTest, ReadsDirectResponses) {
  ASSERT_TRUE(use("direct_response { status: 418 body { inline_string: 'teapot' } }")) << errors();
  EXPECT_EQ(std::get<DirectAction>(route().action).status, 418);
  EXPECT_EQ(std::get<DirectAction>(route().action).body, "teapot");
  ASSERT_TRUE(use("direct_response { status: 204 }"));
  EXPECT_EQ(std::get<DirectAction>(route().action).body, "");

  const std::string file = ::testing::TempDir() + "/body.html";
  std::ofstream(file) << "<html>";
  ASSERT_TRUE(use("direct_response { status: 200 body { filename: '" + file + "' } }"));
  EXPECT_EQ(std::get<DirectAction>(route().action).body, "<html>");
  std::remove(file.c_str());
  expect_error("direct_response { status: 200 body { filename: '" + file + "' } }",
               "direct_response.body.filename", Code::kIo);

  ASSERT_EQ(setenv("WEIR_ROUTE_BODY", "from-env", 1), 0);
  ASSERT_TRUE(
      use("direct_response { status: 200 body { environment_variable: 'WEIR_ROUTE_BODY' } }"));
  EXPECT_EQ(std::get<DirectAction>(route().action).body, "from-env");
  ASSERT_EQ(unsetenv("WEIR_ROUTE_BODY"), 0);
  expect_error("direct_response { status: 200 body { environment_variable: 'WEIR_ROUTE_BODY' } }",
               "direct_response.body.environment_variable", Code::kReference);
}

TEST_F(RouteCompileTest, BoundsDirectResponses) {
  const std::string body(4097, 'x');
  expect_error("direct_response { status: 200 body { inline_string: '" + body + "' } }",
               "direct_response.body", Code::kLimit);
  expect_error("direct_response { status: 199 }", "direct_response.status", Code::kOutOfRange);
  EXPECT_TRUE(
      compile("max_direct_response_body_size_bytes { value: 4097 } virtual_hosts { name: "
              "'h' domains: '*' routes { match { prefix: '/' } direct_response { status: "
              "200 body { inline_string: '" +
              body + "' } } } }"))
      << errors();
}

TEST_F(RouteCompileTest, ReportsBadRewrites) {
  const auto error = [&](const std::string& action, const std::string& path, Code code) {
    expect_error("route { cluster: 'c' " + action + " }", "route" + path, code);
  };
  error("prefix_rewrite: '/a b'", ".prefix_rewrite", Code::kInvalidValue);
  error("prefix_rewrite: '/a' regex_rewrite { pattern { regex: 'a' } }", "", Code::kOneofConflict);
  error("regex_rewrite { pattern { regex: 'a' } substitution: '\\\\1' }",
        ".regex_rewrite.substitution", Code::kInvalidValue);
  error("regex_rewrite { pattern { regex: '(' } }", ".regex_rewrite.pattern.regex",
        Code::kInvalidValue);
  error("host_rewrite_literal: 'a b'", ".host_rewrite_literal", Code::kInvalidValue);
  error("host_rewrite_header: 'a b'", ".host_rewrite_header", Code::kInvalidValue);
}

TEST_F(RouteCompileTest, ReadsUpgrades) {
  ASSERT_TRUE(
      use("route { cluster: 'c' upgrade_configs { upgrade_type: 'WebSocket' } "
          "upgrade_configs { upgrade_type: 'h2c' enabled { value: false } } }"))
      << errors();
  EXPECT_EQ(forward().upgrades.at(0).type, "websocket");
  EXPECT_TRUE(forward().upgrades.at(0).enabled);
  EXPECT_FALSE(forward().upgrades.at(1).enabled);
  expect_error(
      "route { cluster: 'c' upgrade_configs { upgrade_type: 'a' } upgrade_configs { "
      "upgrade_type: 'A' } }",
      "route.upgrade_configs[1].upgrade_type", Code::kSemantic);
}

TEST_F(RouteCompileTest, GathersPerRouteFiltersLeastSpecificFirst) {
  compile_filter = [](const std::string& name, const google::protobuf::Any& any,
                      const config::FieldPath&) -> RouteFilter {
    return {name, std::make_shared<const NamedFilter>(), any.type_url() == "disabled"};
  };
  const auto filter = [](const std::string& name) {
    return "typed_per_filter_config { key: '" + name + "' value { type_url: 't' } } ";
  };
  ASSERT_TRUE(compile(filter("table") + "virtual_hosts { name: 'h' domains: '*' " + filter("host") +
                      "routes { match { prefix: '/' } " + filter("z") + filter("a") +
                      "route { weighted_clusters { clusters { name: 'c' weight { value: 1 } " +
                      filter("cluster") + "} } } } }"))
      << errors();
  const Route& found = route();
  ASSERT_EQ(found.filters.size(), 3u);
  EXPECT_EQ(found.filters[0]->at(0).name, "table");
  EXPECT_EQ(found.filters[1]->at(0).name, "host");
  EXPECT_EQ(found.filters[2]->at(0).name, "a");
  EXPECT_EQ(found.filters[2]->at(1).name, "z");
  EXPECT_EQ(forward().weighted[0].filters.at(0).name, "cluster");

  compile_filter = [&](const std::string&, const google::protobuf::Any&,
                       const config::FieldPath& path) -> RouteFilter {
    diagnostics.error(Code::kUnknownExtension, path, "unknown");
    return {};
  };
  EXPECT_FALSE(use(filter("x") + "route { cluster: 'c' }"));
  EXPECT_EQ(errors(),
            kRoutePath + std::string("typed_per_filter_config[\"x\"]: unknown-extension\n"));
}

TEST_F(RouteCompileTest, ReportsBadDomainsAndEmptyRoutes) {
  EXPECT_FALSE(
      compile("virtual_hosts { name: 'a' domains: 'x.com' domains: '' } virtual_hosts { "
              "name: 'b' domains: 'X.com' domains: 'a*b' routes {} }"));
  EXPECT_EQ(errors(),
            "rc.virtual_hosts[0].domains[1]: invalid-value\n"
            "rc.virtual_hosts[1].domains[0]: semantic\n"
            "rc.virtual_hosts[1].domains[1]: invalid-value\n"
            "rc.virtual_hosts[1].routes[0].match: constraint\n"
            "rc.virtual_hosts[1].routes[0]: constraint\n");
}

TEST_F(RouteCompileTest, ReportsBadMatches) {
  const auto error = [&](const std::string& match, const std::string& path, Code code) {
    EXPECT_FALSE(use("route { cluster: 'c' }", match)) << match;
    EXPECT_EQ(errors(), std::string(kRoutePath) + "match." + path + ": " +
                            std::string(config::code_name(code)) + "\n");
  };
  error("safe_regex { regex: '(' }", "safe_regex.regex", Code::kInvalidValue);
  error("path_separated_prefix: '/a/'", "path_separated_prefix", Code::kInvalidValue);
  error("path_separated_prefix: '/'", "path_separated_prefix", Code::kInvalidValue);
  error("prefix: '/' headers { name: 'a b' }", "headers[0].name", Code::kInvalidValue);
  error("prefix: '/' query_parameters { name: '' }", "query_parameters[0].name", Code::kConstraint);
  error("path_match_policy { name: 'x' typed_config { type_url: 'a/b' } }",
        "path_match_policy.typed_config", Code::kNotSupported);
}

TEST_F(RouteCompileTest, WarnsOfMatchesThatNeverHold) {
  for (const char* match : {"prefix: '/a?b'", "path: '/a#b'", "prefix: 'api'"}) {
    EXPECT_TRUE(use("route { cluster: 'c' }", match)) << match;
    EXPECT_EQ(diagnostics.warning_count(), 1u) << match;
  }
}

TEST_F(RouteCompileTest, ReportsAllErrorsAtOnce) {
  EXPECT_FALSE(
      compile("vhds {} virtual_hosts { name: 'h' domains: '*' routes { match { prefix: '/' "
              "} route { cluster: 'c' prefix_rewrite: '/ ' retry_policy { retry_on: 'x' } "
              "} } routes { match { prefix: '/' } redirect { host_redirect: ',' } } }"));
  EXPECT_EQ(diagnostics.error_count(), 4u) << errors();
}

}  // namespace
}  // namespace weir::http
