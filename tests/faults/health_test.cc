// Hosts that fail their checks, or fail requests, and come back.
#include <gtest/gtest.h>

#include <csignal>
#include <thread>

#include "tests/harness/fluent.h"

namespace weir::test {
namespace {

using namespace std::chrono_literals;

std::string endpoint(const TestUpstream& upstream) {
  return "      - endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: " +
         std::to_string(upstream.port()) + "}}}\n";
}

// A cluster `pair` of these upstreams.
std::string cluster(const std::string& lines,
                    std::initializer_list<const TestUpstream*> upstreams) {
  std::string out = "- name: pair\n  type: STATIC\n  connect_timeout: 1s\n" + lines +
                    "  load_assignment:\n    cluster_name: pair\n    endpoints:\n"
                    "    - lb_endpoints:\n";
  for (const TestUpstream* upstream : upstreams) out += endpoint(*upstream);
  return out;
}

std::string checks(const std::string& more = "timeout: 2s") {
  return "  common_lb_config: {healthy_panic_threshold: {value: 0}}\n"
         "  health_checks:\n"
         "  - {interval: 0.05s, no_traffic_interval: 0.05s, unhealthy_threshold: 2, "
         "healthy_threshold: 2, http_health_check: {path: /check}, " +
         more + "}\n";
}

class HealthTest : public testing::Test {
 protected:
  Proxy start(const std::string& lines, bool both = true) {
    const std::string text = both ? cluster(lines, {&a_, &b_}) : cluster(lines, {&a_});
    return weir().upstream(a_).route("/", "{cluster: pair}").with("clusters", text).start();
  }
  static bool healthy(const Proxy& proxy, long count) {
    return eventually([&] { return proxy.stat("cluster.pair.membership_healthy") == count; });
  }
  static std::string flags(const Proxy& proxy, const TestUpstream& upstream) {
    const std::string text = proxy.admin("/clusters").body;
    const std::string before =
        "pair::127.0.0.1:" + std::to_string(upstream.port()) + "::health_flags::";
    const size_t at = text.find(before);
    if (at == std::string::npos) return "none";
    const size_t from = at + before.size();
    return text.substr(from, text.find('\n', from) - from);
  }

  TestUpstream a_;
  TestUpstream b_;
};

TEST_F(HealthTest, WhoFailsItsCheckGetsNoRequest) {
  b_.on("/check").respond(503, "no");
  const Proxy proxy = start(checks());
  EXPECT_TRUE(healthy(proxy, 1));
  for (int i = 0; i < 20; ++i) EXPECT_EQ(proxy.get("/x").status, 200);
  EXPECT_EQ(b_.last_request().substr(0, 10), "GET /check");
  EXPECT_EQ(flags(proxy, a_), "healthy");
  EXPECT_EQ(flags(proxy, b_), "/failed_active_hc");
  EXPECT_EQ(proxy.stat("cluster.pair.membership_total"), 2);
  EXPECT_EQ(proxy.stat("cluster.pair.health_check.healthy"), 1);
  // It comes back.
  b_.on("/check").respond(200, "yes");
  EXPECT_TRUE(healthy(proxy, 2));
}

TEST_F(HealthTest, NobodyHealthyIsAnError) {
  a_.on("/check").respond(404, "");
  const Proxy proxy = start(checks(), false);
  EXPECT_EQ(proxy.get("/x").status, 503);
  a_.on("/check").respond(200, "");
  EXPECT_TRUE(healthy(proxy, 1));
  EXPECT_EQ(proxy.get("/x").status, 200);
}

// The proxy serves when the first round is over, however long that takes.
TEST_F(HealthTest, TheStartWaitsForTheFirstRound) {
  a_.on("/check").delay(700ms);
  b_.on("/check").never_respond();
  const Proxy proxy = start(checks("timeout: 1.5s"));
  for (int i = 0; i < 10; ++i) EXPECT_EQ(proxy.get("/x").status, 200);
  EXPECT_EQ(flags(proxy, a_), "healthy");
  EXPECT_EQ(flags(proxy, b_), "/failed_active_hc/active_hc_timeout");
}

TEST_F(HealthTest, AKilledUpstreamIsLeftOut) {
  const Proxy proxy = start(checks());
  EXPECT_TRUE(healthy(proxy, 2));
  for (int i = 0; i < 4; ++i) EXPECT_EQ(proxy.get("/x").status, 200);
  b_.stop();
  EXPECT_TRUE(healthy(proxy, 1));
  for (int i = 0; i < 20; ++i) EXPECT_EQ(proxy.get("/x").status, 200);
  EXPECT_EQ(flags(proxy, b_), "/failed_active_hc");
  EXPECT_GE(proxy.stat("cluster.pair.health_check.network_failure"), 2);
}

TEST_F(HealthTest, WithoutTrafficItIsCheckedSeldom) {
  const std::string slow =
      "  health_checks:\n"
      "  - {interval: 0.02s, no_traffic_interval: 60s, timeout: 1s, unhealthy_threshold: 1, "
      "healthy_threshold: 1, http_health_check: {path: /check}}\n";
  const Proxy proxy = start(slow, false);
  std::this_thread::sleep_for(300ms);
  EXPECT_EQ(proxy.stat("cluster.pair.health_check.attempt"), 1);
}

TEST_F(HealthTest, AResponseMaySayThatItsHostIsToBeLeftOut) {
  b_.on("/x").header("x-envoy-immediate-health-check-fail: true");
  b_.on("/check").delay(400ms);
  const Proxy proxy = start(checks());
  EXPECT_TRUE(healthy(proxy, 2));
  for (int i = 0; i < 4; ++i) EXPECT_EQ(proxy.get("/x").status, 200);
  EXPECT_TRUE(
      eventually([&] { return proxy.stat("cluster.pair.health_check.passive_failure") >= 1; }));
}

// ---- outlier detection ----

std::string outliers(const std::string& fields) {
  return "  common_lb_config: {healthy_panic_threshold: {value: 0}}\n"
         "  outlier_detection: {interval: 0.05s, base_ejection_time: 0.4s, max_ejection_percent: "
         "50, " +
         fields + "}\n";
}

// How many requests failed.
int failures(const Proxy& proxy, const std::string& path, int count) {
  int out = 0;
  for (int i = 0; i < count; ++i) out += proxy.get(path).status == 200 ? 0 : 1;
  return out;
}

TEST_F(HealthTest, WhoFailsRequestsIsEjectedAndReturns) {
  b_.on("/x").respond(500, "");
  const Proxy proxy = start(outliers("consecutive_5xx: 3"));
  EXPECT_TRUE(eventually([&] {
    proxy.get("/x");
    return proxy.stat("cluster.pair.outlier_detection.ejections_active") == 1;
  }));
  EXPECT_TRUE(healthy(proxy, 1));
  EXPECT_EQ(flags(proxy, b_), "/failed_outlier_check");
  EXPECT_EQ(failures(proxy, "/x", 10), 0);
  b_.on("/x").respond(200, "fine");
  EXPECT_TRUE(healthy(proxy, 2));
  EXPECT_EQ(proxy.stat("cluster.pair.outlier_detection.ejections_active"), 0);
  EXPECT_EQ(proxy.stat("cluster.pair.outlier_detection.ejections_enforced_consecutive_5xx"), 1);
  EXPECT_EQ(failures(proxy, "/x", 10), 0);
}

TEST_F(HealthTest, WhoCannotBeReachedIsEjected) {
  const Proxy proxy = start(
      outliers("split_external_local_origin_errors: true, consecutive_local_origin_failure: 2"));
  b_.stop();
  EXPECT_TRUE(eventually([&] {
    proxy.get("/x");
    return proxy.stat(
               "cluster.pair.outlier_detection."
               "ejections_enforced_consecutive_local_origin_failure") >= 1;
  }));
}

TEST_F(HealthTest, NoMoreThanSoManyPercentAreEjected) {
  a_.on("/x").respond(500, "");
  b_.on("/x").respond(500, "");
  const Proxy proxy = start(outliers("consecutive_5xx: 2"));
  EXPECT_TRUE(eventually([&] {
    proxy.get("/x");
    return proxy.stat("cluster.pair.outlier_detection.ejections_overflow") > 0;
  }));
  EXPECT_LE(proxy.stat("cluster.pair.outlier_detection.ejections_active"), 1);
}

TEST_F(HealthTest, APassedCheckBringsAnEjectedHostBack) {
  b_.on("/x").respond(500, "");
  const Proxy proxy =
      start(checks() +
            "  outlier_detection: {base_ejection_time: 60s, max_ejection_percent: 50, "
            "consecutive_5xx: 3}\n");
  EXPECT_TRUE(healthy(proxy, 2));
  EXPECT_TRUE(eventually([&] {
    proxy.get("/x");
    return proxy.stat("cluster.pair.outlier_detection.ejections_enforced_total") >= 1;
  }));
  EXPECT_TRUE(eventually(
      [&] { return proxy.stat("cluster.pair.outlier_detection.ejections_active") == 0; }));
}

// ---- reloads ----

// The endpoints of a reload that changes the cluster are checked before it takes over.
TEST_F(HealthTest, AReloadWarms) {
  const Proxy proxy = start(checks());
  EXPECT_TRUE(healthy(proxy, 2));
  const std::string path = proxy.weir().config_path();
  std::string text = read_file(path);
  const size_t at = text.find("healthy_threshold: 2, http");
  ASSERT_NE(at, std::string::npos);
  write_file(path, text.replace(at, 20, "healthy_threshold: 3"));
  b_.on("/check").delay(500ms);
  proxy.signal(SIGHUP);
  for (int i = 0; i < 60; ++i) {
    EXPECT_EQ(proxy.get("/x").status, 200);
    std::this_thread::sleep_for(10ms);
  }
  EXPECT_TRUE(healthy(proxy, 2));
}

}  // namespace
}  // namespace weir::test
