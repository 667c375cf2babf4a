#include "filters/local_ratelimit/local_ratelimit.h"

#include <gtest/gtest.h>

#include "envoy/config/route/v3/route_components.pb.h"
#include "filters/testing/filter_driver.h"
#include "proxy/http/rate_limit.h"

namespace weir::local_ratelimit {
namespace {

using filters::FakeRequest;
using filters::FilterDriver;
using filters::HeaderLines;
using filters::Outcome;
using filters::value_of;

const http::FilterType kType = local_ratelimit();
const std::string kOn =
    "stat_prefix: t\n"
    "filter_enabled: {default_value: {numerator: 100}}\n"
    "filter_enforced: {default_value: {numerator: 100}}\n";
const std::string kTwo = "token_bucket: {max_tokens: 2, fill_interval: 3600s}\n";

int allowed(FilterDriver& driver, const FakeRequest& request = {}) {
  int count = 0;
  while (count < 100 && driver.run(request).status == 200) ++count;
  return count;
}

TEST(LocalRatelimit, RefusesWhatIsTooMuch) {
  FilterDriver driver(kType);
  ASSERT_TRUE(driver.configure(kOn + kTwo)) << driver.errors();
  EXPECT_EQ(driver.run({}).status, 200);
  EXPECT_EQ(driver.run({}).status, 200);
  const Outcome refused = driver.run({});
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(refused.details, "local_rate_limited");
  EXPECT_EQ(refused.response_body, "local_rate_limited");
  EXPECT_EQ(refused.flags, http::kRateLimited);
  EXPECT_FALSE(refused.head_passed);
  EXPECT_FALSE(value_of(refused.response_headers, "x-ratelimit-limit"));
  EXPECT_EQ(driver.counter("t.http_local_rate_limit.enabled"), 3u);
  EXPECT_EQ(driver.counter("t.http_local_rate_limit.ok"), 2u);
  EXPECT_EQ(driver.counter("t.http_local_rate_limit.rate_limited"), 1u);
  EXPECT_EQ(driver.counter("t.http_local_rate_limit.enforced"), 1u);
}

TEST(LocalRatelimit, IsOffUnlessEnabled) {
  FilterDriver driver(kType);
  ASSERT_TRUE(driver.configure("stat_prefix: t\n" + kTwo));
  EXPECT_EQ(allowed(driver), 100);
  EXPECT_EQ(driver.counter("t.http_local_rate_limit.enabled"), 0u);
}

TEST(LocalRatelimit, OnlyMarksWhatItDoesNotEnforce) {
  FilterDriver driver(kType);
  ASSERT_TRUE(driver.configure(R"(
stat_prefix: t
filter_enabled: {default_value: {numerator: 100}}
token_bucket: {max_tokens: 1, fill_interval: 3600s}
request_headers_to_add_when_not_enforced:
- header: {key: x-limited, value: "%REQ(:METHOD)%"}
)")) << driver.errors();
  EXPECT_FALSE(value_of(driver.run({}).request_headers, "x-limited"));
  const Outcome marked = driver.run({});
  EXPECT_EQ(marked.status, 200);
  EXPECT_EQ(value_of(marked.request_headers, "x-limited"), "POST");
  EXPECT_EQ(driver.counter("t.http_local_rate_limit.rate_limited"), 1u);
  EXPECT_EQ(driver.counter("t.http_local_rate_limit.enforced"), 0u);
}

TEST(LocalRatelimit, AsksTheRuntime) {
  FilterDriver driver(kType);
  driver.set_runtime([](std::string_view key) -> std::optional<double> {
    if (key == "limit.on") return 0;
    return std::nullopt;
  });
  ASSERT_TRUE(driver.configure(R"(
stat_prefix: t
filter_enabled: {default_value: {numerator: 100}, runtime_key: limit.on}
filter_enforced: {default_value: {numerator: 100}, runtime_key: limit.other}
token_bucket: {max_tokens: 1, fill_interval: 3600s}
)"));
  EXPECT_EQ(allowed(driver), 100);
}

TEST(LocalRatelimit, DressesTheAnswer) {
  FilterDriver driver(kType);
  ASSERT_TRUE(driver.configure(kOn + kTwo + R"(
status: {code: ServiceUnavailable}
enable_x_ratelimit_headers: DRAFT_VERSION_03
response_headers_to_add: [{header: {key: x-limited-by, value: weir}}]
)")) << driver.errors();
  const Outcome first = driver.run({});
  EXPECT_EQ(value_of(first.response_headers, "x-ratelimit-limit"), "2");
  EXPECT_EQ(value_of(first.response_headers, "x-ratelimit-remaining"), "1");
  EXPECT_EQ(value_of(first.response_headers, "x-ratelimit-reset"), "0");
  EXPECT_FALSE(value_of(first.response_headers, "x-limited-by"));
  driver.run({});
  const Outcome refused = driver.run({});
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(value_of(refused.response_headers, "x-limited-by"), "weir");
  EXPECT_EQ(value_of(refused.response_headers, "x-ratelimit-remaining"), "0");
  const int reset = std::stoi(*value_of(refused.response_headers, "x-ratelimit-reset"));
  EXPECT_GT(reset, 3590);
  EXPECT_LE(reset, 3600);
}

TEST(LocalRatelimit, AStatusBelow400IsA429) {
  FilterDriver driver(kType);
  ASSERT_TRUE(driver.configure(kOn + kTwo + "status: {code: OK}"));
  allowed(driver);
  EXPECT_EQ(driver.run({}).status, 429);
}

TEST(LocalRatelimit, TheRoutesConfigReplacesTheFilters) {
  FilterDriver driver(kType);
  ASSERT_TRUE(driver.configure(kOn + kTwo));
  ASSERT_TRUE(driver.configure_route(kOn + "token_bucket: {max_tokens: 5, fill_interval: 3600s}"))
      << driver.errors();
  EXPECT_EQ(allowed(driver), 5);
}

TEST(LocalRatelimit, BucketsStayAsTheyAreAcrossAChangeOfConfiguration) {
  FilterDriver driver(kType);
  ASSERT_TRUE(driver.configure(kOn + kTwo));
  EXPECT_EQ(allowed(driver), 2);
  ASSERT_TRUE(driver.configure(kOn + kTwo));
  EXPECT_EQ(allowed(driver), 0);
}

// Each client address has its own bucket, whoever else comes.
TEST(LocalRatelimit, LimitsEachClientByItsAddress) {
  FilterDriver driver(kType);
  ASSERT_TRUE(driver.configure(kOn + R"(
rate_limits: [{actions: [{remote_address: {}}]}]
descriptors:
- entries: [{key: remote_address}]
  token_bucket: {max_tokens: 3, fill_interval: 3600s}
)")) << driver.errors();
  EXPECT_EQ(allowed(driver), 3);
  driver.set_remote("2001:db8::1");
  EXPECT_EQ(allowed(driver), 3);
  driver.set_remote("192.0.2.7");
  EXPECT_EQ(allowed(driver), 0);
}

TEST(LocalRatelimit, LimitsEachConnection) {
  FilterDriver driver(kType);
  ASSERT_TRUE(driver.configure(kOn + kTwo + "local_rate_limit_per_downstream_connection: true"));
  EXPECT_EQ(allowed(driver), 2);
  driver.set_connection(2);
  EXPECT_EQ(allowed(driver), 2);
}

// Every action, told apart by the bucket that a descriptor selects.
TEST(LocalRatelimit, KnowsTheActionsOfRateLimits) {
  const struct {
    const char* action;
    const char* entry;
    bool matches;
  } cases[] = {
      {"generic_key: {descriptor_value: g}", "{key: generic_key, value: g}", true},
      {"generic_key: {descriptor_value: g, descriptor_key: k}", "{key: k, value: g}", true},
      {"generic_key: {descriptor_value: other}", "{key: generic_key, value: g}", false},
      {"source_cluster: {}", "{key: source_cluster, value: here}", true},
      {"destination_cluster: {}", "{key: destination_cluster, value: there}", true},
      {"request_headers: {header_name: X-User, descriptor_key: u}", "{key: u, value: ann}", true},
      {"request_headers: {header_name: ':path', descriptor_key: p}", "{key: p, value: '/a?q=1'}",
       true},
      {"request_headers: {header_name: x-none, descriptor_key: u}", "{key: u}", false},
      {"masked_remote_address: {v4_prefix_mask_len: 20}",
       "{key: masked_remote_address, value: 192.0.0.0/20}", true},
      {"masked_remote_address: {}", "{key: masked_remote_address, value: 192.0.2.7/32}", true},
      {"header_value_match: {descriptor_value: fits, headers: [{name: x-user}]}",
       "{key: header_match, value: fits}", true},
      {"header_value_match: {descriptor_value: fits, expect_match: false, headers: "
       "[{name: x-user}]}",
       "{key: header_match, value: fits}", false},
      {"query_parameter_value_match: {descriptor_value: q, query_parameters: [{name: q, "
       "string_match: {exact: '1'}}]}",
       "{key: query_match, value: q}", true},
      {"query_parameter_value_match: {descriptor_value: q, query_parameters: [{name: z, "
       "present_match: true}]}",
       "{key: query_match, value: q}", false},
  };
  for (const auto& c : cases) {
    FilterDriver driver(kType);
    driver.route().action = http::ForwardAction{.cluster = "there"};
    ASSERT_TRUE(driver.configure(kOn + "rate_limits: [{actions: [{" + c.action +
                                 "}]}]\ndescriptors: [{entries: [" + c.entry +
                                 "], token_bucket: {max_tokens: 1, fill_interval: 3600s}}]"))
        << driver.errors();
    const FakeRequest request{.path = "/a?q=1", .headers = {{"x-user", "ann"}}};
    EXPECT_EQ(allowed(driver, request), c.matches ? 1 : 100) << c.action;
  }
}

TEST(LocalRatelimit, AMissingHeaderEndsTheDescriptorOrIsSkipped) {
  for (const bool skip : {false, true}) {
    FilterDriver driver(kType);
    ASSERT_TRUE(driver.configure(
        kOn +
        "rate_limits: [{actions: [{generic_key: {descriptor_value: g}}, {request_headers: "
        "{header_name: x-none, descriptor_key: u, skip_if_absent: " +
        (skip ? "true" : "false") +
        "}}]}]\ndescriptors: [{entries: [{key: generic_key, value: g}], "
        "token_bucket: {max_tokens: 1, fill_interval: 3600s}}]"));
    EXPECT_EQ(allowed(driver), skip ? 1 : 100);
  }
}

std::shared_ptr<const http::RateLimits> generic(const std::string& value, uint32_t stage = 0) {
  google::protobuf::RepeatedPtrField<envoy::config::route::v3::RateLimit> config;
  auto* limit = config.Add();
  limit->mutable_stage()->set_value(stage);
  limit->add_actions()->mutable_generic_key()->set_descriptor_value(value);
  config::Diagnostics diagnostics;
  return std::make_shared<const http::RateLimits>(
      http::compile_rate_limits(config, "rate_limits", config::FieldPath::root(), diagnostics));
}

// Which of the route's (2 tokens) and the virtual host's (1 token) limits apply.
int allowed_with(const std::string& option, bool route_has_limits, bool include_host = false) {
  FilterDriver driver(kType);
  EXPECT_TRUE(driver.configure(kOn + option + R"(
descriptors:
- entries: [{key: generic_key, value: route}]
  token_bucket: {max_tokens: 2, fill_interval: 3600s}
- entries: [{key: generic_key, value: host}]
  token_bucket: {max_tokens: 1, fill_interval: 3600s}
)")) << driver.errors();
  http::VirtualHost host;
  host.rate_limits = generic("host");
  driver.route().host = &host;
  driver.route().include_host_rate_limits = include_host;
  if (route_has_limits) driver.route().rate_limits = generic("route");
  return allowed(driver);
}

TEST(LocalRatelimit, TakesTheRateLimitsOfRouteAndVirtualHost) {
  EXPECT_EQ(allowed_with("", true), 2);
  EXPECT_EQ(allowed_with("", false), 1);
  EXPECT_EQ(allowed_with("", true, /*include_host=*/true), 1);
  EXPECT_EQ(allowed_with("vh_rate_limits: INCLUDE", true), 1);
  EXPECT_EQ(allowed_with("vh_rate_limits: IGNORE", false), 100);
  EXPECT_EQ(allowed_with("rate_limits: [{actions: [{generic_key: {descriptor_value: x}}]}]", true),
            100);
}

TEST(LocalRatelimit, TakesTheRateLimitsOfItsStage) {
  FilterDriver driver(kType);
  ASSERT_TRUE(driver.configure(kOn + R"(
stage: 2
descriptors:
- entries: [{key: generic_key, value: route}]
  token_bucket: {max_tokens: 2, fill_interval: 3600s}
)"));
  driver.route().rate_limits = generic("route", 1);
  EXPECT_EQ(allowed(driver), 100);
  driver.route().rate_limits = generic("route", 2);
  EXPECT_EQ(allowed(driver), 2);
}

TEST(LocalRatelimit, NamesWhatIsWrongWithAConfig) {
  const struct {
    std::string yaml;
    const char* error;
  } cases[] = {
      {"{}", "stat_prefix"},
      {kOn + "token_bucket: {max_tokens: 1, fill_interval: 0.01s}",
       "token_bucket.fill_interval: a token bucket is filled every 50 ms"},
      {kOn + "token_bucket: {max_tokens: 0, fill_interval: 1s}", "token_bucket.max_tokens"},
      {kOn + "token_bucket: {max_tokens: 4000000000, fill_interval: 100s}", "70 years"},
      {kOn + "descriptors: [{entries: [{key: a}], token_bucket: {max_tokens: 1, fill_interval: "
             "0.001s}}]",
       "descriptors[0].token_bucket.fill_interval"},
      {kOn + "local_cluster_rate_limit: {}", "local_cluster_rate_limit: Weir does not share"},
      {kOn + "rate_limits: [{actions: [{dynamic_metadata: {descriptor_key: a, metadata_key: {key: "
             "k, path: [{key: p}]}}}]}]",
       "rate_limits[0].actions[0]: Weir does not support"},
  };
  for (const auto& c : cases) {
    FilterDriver driver(kType);
    EXPECT_FALSE(driver.configure(c.yaml)) << c.yaml;
    EXPECT_NE(driver.errors().find(c.error), std::string::npos) << driver.errors();
  }
  FilterDriver driver(kType);
  EXPECT_FALSE(driver.configure_route(kOn));
  EXPECT_NE(driver.errors().find("needs a token_bucket"), std::string::npos);
}

}  // namespace
}  // namespace weir::local_ratelimit
