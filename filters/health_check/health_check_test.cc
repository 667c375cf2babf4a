#include "filters/health_check/health_check.h"

#include <gtest/gtest.h>

#include "filters/testing/filter_driver.h"

namespace weir::filters {
namespace {

const http::FilterType kType = health_check();
constexpr const char* kHeaders =
    "headers: [{name: ':path', string_match: {exact: /healthz}}]\npass_through_mode: ";

FakeRequest check() {
  return {.method = "GET", .path = "/healthz"};
}
FakeRequest other() {
  return {.method = "GET", .path = "/"};
}

TEST(HealthCheck, AnswersByItself) {
  FilterDriver driver(kType);
  ASSERT_TRUE(driver.configure(std::string(kHeaders) + "false")) << driver.errors();
  const Outcome out = driver.run(check());
  EXPECT_EQ(out.status, 200);
  EXPECT_EQ(out.details, "health_check_ok");
  EXPECT_TRUE(out.health_check);
  EXPECT_FALSE(out.head_passed);
  EXPECT_EQ(value_of(out.response_headers, "x-envoy-upstream-healthchecked-cluster"), "here");

  const Outcome passed = driver.run(other(), {.status = 418});
  EXPECT_EQ(passed.status, 418);
  EXPECT_FALSE(passed.health_check);
  EXPECT_FALSE(value_of(passed.response_headers, "x-envoy-upstream-healthchecked-cluster"));
}

TEST(HealthCheck, PassesThrough) {
  FilterDriver driver(kType);
  ASSERT_TRUE(driver.configure(std::string(kHeaders) + "true"));
  const Outcome out = driver.run(check(), {.status = 503});
  EXPECT_EQ(out.status, 503);
  EXPECT_TRUE(out.head_passed);
  EXPECT_TRUE(out.health_check);
  EXPECT_TRUE(driver.run(check()).head_passed);
}

TEST(HealthCheck, KeepsTheUpstreamsAnswerForAWhile) {
  FilterDriver driver(kType);
  ASSERT_TRUE(driver.configure(std::string(kHeaders) + "true\ncache_time: 3600s"));
  driver.run(other(), {.status = 418});
  const FakeResponse degraded{.status = 503, .headers = {{"x-envoy-degraded", ""}}};
  EXPECT_TRUE(driver.run(check(), degraded).head_passed);
  const Outcome cached = driver.run(check(), {.status = 200});
  EXPECT_FALSE(cached.head_passed);
  EXPECT_EQ(cached.status, 503);
  EXPECT_EQ(cached.details, "health_check_cached");
  EXPECT_EQ(cached.flags, http::kFailedLocalHealthCheck);
  EXPECT_TRUE(value_of(cached.response_headers, "x-envoy-degraded"));
}

TEST(HealthCheck, AsksTheUpstreamAgainAfterThat) {
  FilterDriver driver(kType);
  ASSERT_TRUE(driver.configure(std::string(kHeaders) + "true\ncache_time: 0s"));
  EXPECT_TRUE(driver.run(check()).head_passed);
  EXPECT_TRUE(driver.run(check()).head_passed);
}

TEST(HealthCheck, FailsWhenTheServerIsToldTo) {
  for (const char* mode : {"true", "true\ncache_time: 3600s", "false"}) {
    FilterDriver driver(kType);
    ASSERT_TRUE(driver.configure(std::string(kHeaders) + mode));
    driver.run(check());
    driver.health_check_failing() = true;
    const Outcome out = driver.run(check());
    EXPECT_EQ(out.status, 503) << mode;
    EXPECT_EQ(out.details, "health_check_failed");
    EXPECT_EQ(out.flags, http::kFailedLocalHealthCheck);
    EXPECT_EQ(value_of(out.response_headers, "x-envoy-immediate-health-check-fail"), "true");
    const Outcome traffic = driver.run(other());
    EXPECT_EQ(traffic.status, 200);
    EXPECT_EQ(value_of(traffic.response_headers, "x-envoy-immediate-health-check-fail"), "true");
    driver.health_check_failing() = false;
    EXPECT_EQ(driver.run(check()).status, 200) << mode;
  }
}

TEST(HealthCheck, AsksForAShareOfEachCluster) {
  FilterDriver driver(kType);
  ASSERT_TRUE(driver.configure(std::string(kHeaders) +
                               "false\ncluster_min_healthy_percentages: {a: {value: 50}, b: {}}"));
  EXPECT_EQ(driver.run(check()).details, "health_check_no_cluster");
  driver.set_cluster("b", {});
  const struct {
    http::ClusterMembers members;
    uint16_t status;
  } cases[] = {{{4, 2}, 200}, {{4, 1}, 503}, {{3, 2}, 200}, {{3, 1}, 503}, {{0, 0}, 503}};
  for (const auto& c : cases) {
    driver.set_cluster("a", c.members);
    const Outcome out = driver.run(check());
    EXPECT_EQ(out.status, c.status) << c.members.fit << " of " << c.members.total;
    EXPECT_EQ(out.details, c.status == 503 ? "health_check_cluster_unhealthy" : "health_check_ok");
  }
  EXPECT_TRUE(driver.run(other()).head_passed);
}

TEST(HealthCheck, EveryRequestIsACheckWithoutHeaders) {
  FilterDriver driver(kType);
  ASSERT_TRUE(driver.configure("pass_through_mode: false"));
  EXPECT_EQ(driver.run(other()).details, "health_check_ok");
}

TEST(HealthCheck, NamesWhatIsWrongWithAConfig) {
  const struct {
    const char* yaml;
    const char* error;
  } cases[] = {
      {"{}", "pass_through_mode"},
      {"{pass_through_mode: false, cache_time: 1s}", "cache_time: there is no answer to keep"},
      {"{pass_through_mode: true, cache_time: -1s}", "cache_time: the duration is negative"},
      {"{pass_through_mode: true, cluster_min_healthy_percentages: {a: {value: 50}}}",
       "cluster_min_healthy_percentages: the upstream answers"},
      {"{pass_through_mode: false, cluster_min_healthy_percentages: {a: {value: 150}}}",
       "cluster_min_healthy_percentages"},
  };
  for (const auto& c : cases) {
    FilterDriver driver(kType);
    EXPECT_FALSE(driver.configure(c.yaml)) << c.yaml;
    EXPECT_NE(driver.errors().find(c.error), std::string::npos) << driver.errors();
  }
}

}  // namespace
}  // namespace weir::filters
