// What is tried again and what is not, and how long an attempt may take.
#include <gtest/gtest.h>

#include <regex>

#include "tests/harness/fluent.h"
#include "tests/harness/raw_h2_upstream.h"

namespace weir::test {
namespace {

using namespace std::chrono_literals;

constexpr uint32_t kInternalError = 2;

// `/` to the cluster with that retry policy.
std::string retried_on(const std::string& conditions, const std::string& more = "") {
  return "{cluster: app, retry_policy: {retry_on: \"" + conditions +
         "\", num_retries: 3, retry_back_off: {base_interval: 0.001s}" + more + "}}";
}

ProxyBuilder with_h2(const RawH2Upstream& app) {
  return weir().upstream_port(app.port()).with("app", RawH2Upstream::protocol_options());
}

TEST(Retries, NoConnectionIsAlsoA5xx) {
  TestUpstream dead;
  dead.stop();
  for (const char* on : {"5xx", "gateway-error", "reset", "reset-before-request", "connect-failure",
                         "retriable-4xx"}) {
    Proxy proxy = weir().upstream(dead).route("/", retried_on(on)).start();
    EXPECT_EQ(proxy.get("/").status, 503) << on;
    const bool retried = std::string(on) != "retriable-4xx";
    EXPECT_EQ(proxy.stat("cluster.app.upstream_rq_retry"), retried ? 3 : 0) << on;
  }
}

TEST(Retries, NoResponseIsAlsoAGatewayError) {
  TestUpstream app;
  app.on("/closes").only(0).then_close();
  app.on("/junk").only(3).then_close();
  for (const char* on : {"5xx", "gateway-error", "reset"}) {
    Proxy proxy = weir().upstream(app).route("/", retried_on(on)).start();
    const int before = app.requests();
    EXPECT_GE(proxy.get("/closes").status, 502) << on;
    EXPECT_EQ(app.requests(), before + 4) << on;
    EXPECT_GE(proxy.get("/junk").status, 502) << on;
    EXPECT_EQ(app.requests(), before + 8) << on;
  }
  // What was sent in part is no reason for those who want nothing to have been sent.
  Proxy proxy = weir().upstream(app).route("/", retried_on("reset-before-request")).start();
  const int before = app.requests();
  EXPECT_EQ(proxy.get("/closes").status, 503);
  EXPECT_EQ(app.requests(), before + 1);
}

TEST(Retries, AStreamThatIsResetWasLookedAt) {
  RawH2Upstream app([](int number, uint32_t stream) {
    return number == 0 ? RawH2Upstream::ok(stream) : RawH2Upstream::reset(stream, kInternalError);
  });
  Proxy proxy = with_h2(app).start();
  EXPECT_EQ(proxy.get("/").status, 200);
  const Reply reply = proxy.get("/");  // on a connection that was used already
  EXPECT_EQ(reply.status, 503);
  EXPECT_NE(reply.body.find("reset reason: remote reset"), std::string::npos) << reply.body;
  EXPECT_EQ(app.requests(), 2);
  EXPECT_TRUE(eventually([&] {
    return proxy.weir().access_log().find("GET / 503 UR upstream_reset_before_response_started{") !=
           std::string::npos;
  })) << proxy.weir().access_log();
}

// A body that waited for its connection is let go when it is sent, and cannot be sent again.
TEST(Retries, ABodyThatIsGoneIsNotReplaced) {
  TestUpstream app;
  app.on("/slow").delay(300ms);
  app.on("/put").only(0).then_close();
  Proxy proxy = weir()
                    .upstream(app)
                    .with("app", "circuit_breakers: {thresholds: [{max_connections: 1}]}")
                    .start();
  RawClient first(proxy);
  first.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return app.requests() == 1; }));
  RawClient second(proxy);
  second.send("PUT /put HTTP/1.1\r\nHost: a\r\nContent-Length: 50000\r\n\r\n" +
              std::string(50'000, 'x'));
  EXPECT_EQ(first.reply().status, 200);
  EXPECT_EQ(second.reply().status, 503);
  EXPECT_EQ(app.requests(), 2) << "it went out on the connection of the first one, once";
}

TEST(Retries, TheRoutesBufferLimitBoundsThem) {
  TestUpstream app;
  app.on("/").respond(503, "");
  Proxy proxy = weir()
                    .upstream(app)
                    .with("virtual_hosts",
                          "- name: all\n"
                          "  domains: [\"*\"]\n"
                          "  routes:\n"
                          "  - match: {prefix: /}\n"
                          "    per_request_buffer_limit_bytes: 1000\n"
                          "    route: " +
                              retried_on("5xx"))
                    .start();
  const auto post = [&](size_t bytes) {
    proxy.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(bytes) +
               "\r\n\r\n" + std::string(bytes, 'x'));
    return app.requests();
  };
  EXPECT_EQ(post(900), 4);
  EXPECT_EQ(post(1500), 5);
}

TEST(Retries, AnIdleTryEndsOnANewConnectionToo) {
  TestUpstream app;
  app.on("/").never_respond();
  Proxy proxy = weir()
                    .upstream(app)
                    .route("/",
                           "{cluster: app, timeout: 0s, retry_policy: {retry_on: 5xx, "
                           "num_retries: 1, per_try_idle_timeout: 0.2s, "
                           "retry_back_off: {base_interval: 0.001s}}}")
                    .start();
  const Reply reply = proxy.get("/");
  EXPECT_EQ(reply.status, 504);
  EXPECT_GE(reply.took, 400ms);
  EXPECT_LT(reply.took, 3s);
  EXPECT_EQ(app.requests(), 2);
  EXPECT_EQ(proxy.stat("cluster.app.upstream_rq_per_try_idle_timeout"), 2);
  EXPECT_EQ(proxy.stat("cluster.app.upstream_rq_per_try_timeout"), 0);
  EXPECT_EQ(proxy.stat("cluster.app.upstream_rq_timeout"), 0);
}

TEST(Retries, ATryHasItsTimeFromTheRequestsEnd) {
  TestUpstream app;
  app.on("/never").never_respond();
  Proxy proxy = weir()
                    .upstream(app)
                    .route("/",
                           "{cluster: app, timeout: 10s, retry_policy: {retry_on: 5xx, "
                           "num_retries: 0, per_try_timeout: 0.4s}}")
                    .start();
  RawClient client(proxy);
  client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n");
  for (int i = 0; i < 4; ++i) {
    std::this_thread::sleep_for(200ms);
    client.send("x").read(0);
  }
  EXPECT_EQ(client.reply().status, 200);
  EXPECT_EQ(proxy.get("/never").status, 504);
  EXPECT_EQ(proxy.stat("cluster.app.upstream_rq_per_try_timeout"), 1);
  EXPECT_EQ(proxy.stat("cluster.app.upstream_rq_timeout"), 0);
}

TEST(Retries, OnlyWhatSucceedsIsASuccess) {
  TestUpstream app;
  app.on("/").respond(409, "");
  Proxy proxy = weir().upstream(app).route("/", retried_on("retriable-4xx")).start();
  EXPECT_EQ(proxy.get("/").status, 409);
  EXPECT_EQ(proxy.stat("cluster.app.upstream_rq_retry"), 3);
  EXPECT_EQ(proxy.stat("cluster.app.upstream_rq_retry_limit_exceeded"), 1);
  EXPECT_EQ(proxy.stat("cluster.app.upstream_rq_retry_success"), 0);
}

// To the end of the response, as in Envoy.
TEST(Retries, HowLongAResponseTakes) {
  TestUpstream app;
  app.on("/").respond(200, "1234").drip(60ms);
  Proxy proxy = weir().upstream(app).start();
  EXPECT_EQ(proxy.get("/").status, 200);
  const auto longest = [&] {
    const std::string text = proxy.admin("/stats?filter=app.upstream_rq_time").body;
    std::smatch found;
    if (!std::regex_search(text, found, std::regex("P100\\([^,]*,([0-9.]+)\\)"))) return 0.0;
    return std::stod(found[1]);
  };
  EXPECT_TRUE(eventually([&] { return longest() >= 150; })) << longest();
}

// An upload stops when the upstream takes nothing, also one that waited for its connection.
TEST(Uploads, StopOnAConnectionThatIsNew) {
  RawH2Upstream app([](int, uint32_t) { return std::string(); });
  Proxy proxy = with_h2(app).start();
  RawClient client(proxy);
  const long before = proxy.memory_kib();
  client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n" +
              std::string(400'000, 'x'));
  client.read(0);
  ASSERT_TRUE(eventually([&] { return app.requests() == 1; }));
  client.send(std::string(60'000'000, 'x')).read(1, 1s);
  EXPECT_FALSE(client.wire().sent_all());
  EXPECT_LT(proxy.memory_kib() - before, 16 * 1024);
}

}  // namespace
}  // namespace weir::test
