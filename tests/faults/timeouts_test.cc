// Deadlines, measured: each passes when it should and not before.
#include <gtest/gtest.h>

#include <thread>

#include "tests/harness/fluent.h"

namespace weir::test {
namespace {

using namespace std::chrono_literals;

// Coarse timers and a busy machine make a deadline late, never early.
constexpr Milliseconds kEarly = 20ms;
constexpr Milliseconds kLate = 1500ms;

void expect_about(Milliseconds took, Milliseconds wanted) {
  EXPECT_GE(took, wanted - kEarly);
  EXPECT_LE(took, wanted + kLate);
}

TEST(Timeouts, TheRoutesTimeoutEndsARequest) {
  TestUpstream app;
  app.on("/never").never_respond();
  Proxy proxy = weir().upstream(app).route("/", "{cluster: app, timeout: 0.3s}").start();
  const Reply reply = proxy.get("/never");
  EXPECT_EQ(reply.status, 504);
  expect_about(reply.took, 300ms);
  EXPECT_TRUE(eventually([&] { return app.open_connections() == 0; }))
      << "the upstream's connection is kept although its answer may still come";
}

TEST(Timeouts, AnAnswerInTimeIsNotTouched) {
  TestUpstream app;
  app.on("/soon").delay(200ms).respond(200, "in time");
  Proxy proxy = weir().upstream(app).route("/", "{cluster: app, timeout: 2s}").start();
  const Reply reply = proxy.get("/soon");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body, "in time");
  EXPECT_GE(reply.took, 190ms);
}

TEST(Timeouts, ATimeoutOfZeroIsNone) {
  TestUpstream app;
  app.on("/late").delay(700ms);
  Proxy proxy = weir().upstream(app).route("/", "{cluster: app, timeout: 0s}").start();
  EXPECT_EQ(proxy.get("/late").status, 200);
}

TEST(Timeouts, EachTryHasItsOwn) {
  TestUpstream app;
  app.on("/never").never_respond();
  Proxy proxy = weir()
                    .upstream(app)
                    .route("/",
                           "{cluster: app, timeout: 5s, retry_policy: {retry_on: 5xx, "
                           "num_retries: 2, per_try_timeout: 0.2s}}")
                    .start();
  const Reply reply = proxy.get("/never");
  EXPECT_EQ(reply.status, 504);
  expect_about(reply.took, 600ms);
  EXPECT_EQ(app.requests(), 3);
}

TEST(Timeouts, TheRoutesTimeoutHoldsOverAllTries) {
  TestUpstream app;
  app.on("/never").never_respond();
  Proxy proxy = weir()
                    .upstream(app)
                    .route("/",
                           "{cluster: app, timeout: 0.5s, retry_policy: {retry_on: 5xx, "
                           "num_retries: 10, per_try_timeout: 0.2s}}")
                    .start();
  const Reply reply = proxy.get("/never");
  EXPECT_EQ(reply.status, 504);
  expect_about(reply.took, 500ms);
  EXPECT_LE(app.requests(), 3);
}

// A listener that never accepts: its queue full, the kernel drops further handshakes.
TEST(Timeouts, ConnectingHasADeadline) {
  const Fd full = listen_on_loopback(0);
  std::vector<Fd> fillers;
  for (int i = 0; i < 3; ++i) fillers.push_back(connect_to_loopback(local_port(full)));
  Proxy proxy = weir()
                    .with("clusters",
                          "- name: full\n"
                          "  type: STATIC\n"
                          "  connect_timeout: 0.3s\n"
                          "  load_assignment:\n"
                          "    cluster_name: full\n"
                          "    endpoints:\n"
                          "    - lb_endpoints:\n"
                          "      - endpoint:\n"
                          "          address:\n"
                          "            socket_address: {address: 127.0.0.1, port_value: " +
                              std::to_string(local_port(full)) + "}")
                    .route("/", "{cluster: full}")
                    .start();
  const Reply reply = proxy.get("/");
  EXPECT_EQ(reply.status, 503);
  expect_about(reply.took, 300ms);
}

TEST(Timeouts, AnIdleClientIsSentAway) {
  Proxy proxy = weir()
                    .with("hcm", "common_http_protocol_options: {idle_timeout: 0.3s}")
                    .direct("/", 200, "hi")
                    .start();
  RawClient client(proxy);
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(client.reply().status, 200);
  const auto start = std::chrono::steady_clock::now();
  EXPECT_TRUE(client.closed_within(3s));
  expect_about(std::chrono::duration_cast<Milliseconds>(std::chrono::steady_clock::now() - start),
               300ms);
}

TEST(Timeouts, AHeadMayNotDripForEver) {
  Proxy proxy = weir().with("hcm", "request_headers_timeout: 0.4s").direct("/", 200, "hi").start();
  RawClient client(proxy);
  client.send("GET / HTTP/1.1\r\nX: ");
  const auto start = std::chrono::steady_clock::now();
  while (!client.closed_within(30ms) && std::chrono::steady_clock::now() - start < 3s)
    client.send("a");
  expect_about(std::chrono::duration_cast<Milliseconds>(std::chrono::steady_clock::now() - start),
               400ms);
  EXPECT_EQ(client.wire().input().compare(0, 12, "HTTP/1.1 408"), 0) << client.wire().input();
}

TEST(Timeouts, AResponseThatDripsKeepsItsStreamAlive) {
  TestUpstream app;
  app.on("/drip").respond(200, "drip drip drip").drip(70ms);
  Proxy proxy = weir()
                    .upstream(app)
                    .with("hcm", "stream_idle_timeout: 0.5s")
                    .route("/", "{cluster: app, timeout: 0s}")
                    .start();
  const Reply reply = proxy.get("/drip");
  EXPECT_TRUE(reply.complete);
  EXPECT_EQ(reply.body, "drip drip drip");
  EXPECT_GT(reply.took, 600ms) << "the test does not outlast the idle timeout";
}

TEST(Timeouts, AResponseThatStopsIsBrokenOff) {
  TestUpstream app;
  app.on("/stop").respond(200, "never all of it").only(50);
  Proxy proxy = weir()
                    .upstream(app)
                    .with("hcm", "stream_idle_timeout: 0.3s")
                    .route("/", "{cluster: app, timeout: 0s}")
                    .start();
  const Reply reply = proxy.get("/stop");
  EXPECT_FALSE(reply.complete);
  expect_about(reply.took, 300ms);
}

TEST(Timeouts, AConnectionHasALongestLife) {
  Proxy proxy = weir()
                    .with("hcm", "common_http_protocol_options: {max_connection_duration: 0.4s}")
                    .direct("/", 200, "hi")
                    .start();
  RawClient client(proxy);
  const auto start = std::chrono::steady_clock::now();
  while (!client.closed_within(50ms) && std::chrono::steady_clock::now() - start < 4s) {
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    client.reply();
  }
  expect_about(std::chrono::duration_cast<Milliseconds>(std::chrono::steady_clock::now() - start),
               400ms);
}

}  // namespace
}  // namespace weir::test
