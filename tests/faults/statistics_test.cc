// What the statistics say of connections and responses, of each thing once.
#include <gtest/gtest.h>

#include "tests/harness/fluent.h"

namespace weir::test {
namespace {

using namespace std::chrono_literals;

bool reaches(const Proxy& proxy, const std::string& name, long value) {
  const bool there = eventually([&] { return proxy.stat(name) == value; });
  EXPECT_TRUE(there) << name << " is " << proxy.stat(name) << " instead of " << value;
  return there;
}

TEST(Statistics, EachStatusHasItsCounter) {
  TestUpstream app;
  app.on("/teapot").respond(418, "");
  app.on("/broken").respond(503, "");
  Proxy proxy = weir().upstream(app).with("listener", "stat_prefix: edge").start();
  for (const char* path : {"/", "/", "/teapot", "/broken"}) proxy.get(path);
  const std::string cluster = "cluster.app.upstream_rq_";
  reaches(proxy, cluster + "200", 2);
  reaches(proxy, cluster + "418", 1);
  reaches(proxy, cluster + "503", 1);
  reaches(proxy, cluster + "2xx", 2);
  reaches(proxy, cluster + "5xx", 1);
  EXPECT_EQ(proxy.stat(cluster + "404"), -1) << "it never came";
  const std::string listener = "listener.edge.http.front.downstream_rq_";
  reaches(proxy, listener + "completed", 4);
  reaches(proxy, listener + "2xx", 2);
  reaches(proxy, listener + "4xx", 1);
  reaches(proxy, listener + "5xx", 1);
}

TEST(Statistics, BytesAreCountedAsTheyPass) {
  TestUpstream app;
  app.on("/x").respond(200, std::string(70'000, 'x'));
  Proxy proxy = weir().upstream(app).start();
  RawClient client(proxy);
  const std::string request = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n";
  client.send(request);
  client.read(70'000);
  EXPECT_TRUE(eventually([&] {
    return proxy.stat("http.front.downstream_cx_tx_bytes_total") ==
           static_cast<long>(client.read(0).size());
  })) << "the connection is still open";
  EXPECT_EQ(proxy.stat("http.front.downstream_cx_rx_bytes_total"),
            static_cast<long>(request.size()));
  EXPECT_EQ(proxy.stat("cluster.app.upstream_cx_rx_bytes_total"),
            static_cast<long>(app.bytes_sent()));
  EXPECT_EQ(proxy.stat("cluster.app.upstream_cx_tx_bytes_total"),
            static_cast<long>(app.bytes_received()));
}

TEST(Statistics, WhoEndsAConnection) {
  Proxy proxy = weir()
                    .direct("/", 200, "hi")
                    .with("listener", "stat_prefix: edge")
                    .with("hcm", "common_http_protocol_options: {idle_timeout: 0.3s}")
                    .start();
  const std::string cx = "http.front.downstream_cx_";
  const std::string request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  const long before = proxy.stat(cx + "destroy_remote");  // of finding out that it is ready
  {
    RawClient leaves(proxy);
    leaves.send(request);
    EXPECT_EQ(leaves.reply().status, 200);
  }
  reaches(proxy, cx + "destroy_remote", before + 1);
  EXPECT_EQ(proxy.stat(cx + "destroy_local"), 0);
  RawClient stays(proxy);
  stays.send(request);
  EXPECT_TRUE(stays.closed_within(5s));
  reaches(proxy, cx + "idle_timeout", 1);
  reaches(proxy, cx + "destroy_local", 1);
  EXPECT_EQ(proxy.stat(cx + "destroy"), before + 2);
  const std::string lengths = proxy.admin("/stats?filter=downstream_cx_length_ms").body;
  EXPECT_NE(lengths.find("http.front.downstream_cx_length_ms: P0"), std::string::npos) << lengths;
  EXPECT_NE(lengths.find("listener.edge.downstream_cx_length_ms: P0"), std::string::npos)
      << lengths;
}

TEST(Statistics, WhyAConnectionEnds) {
  Proxy proxy = weir()
                    .direct("/", 200, "hi")
                    .with("hcm",
                          "common_http_protocol_options: {max_requests_per_connection: 2, "
                          "max_connection_duration: 0.6s}")
                    .start();
  const std::string cx = "http.front.downstream_cx_";
  const std::string request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  RawClient busy(proxy);
  busy.send(request + request);
  EXPECT_TRUE(busy.closed_within(5s));
  reaches(proxy, cx + "max_requests_reached", 1);
  RawClient old(proxy);
  old.send(request);
  EXPECT_TRUE(old.closed_within(5s));
  reaches(proxy, cx + "max_duration_reached", 1);
  EXPECT_EQ(proxy.stat(cx + "drain_close"), 0);
}

TEST(Statistics, AHeadThatIsLateIsNoProtocolError) {
  Proxy proxy = weir().with("hcm", "request_headers_timeout: 0.3s").direct("/", 200, "hi").start();
  RawClient client(proxy);
  client.send("GET / HTTP/1.1\r\nHos");
  EXPECT_EQ(client.reply().status, 408);
  reaches(proxy, "http.front.downstream_rq_header_timeout", 1);
  EXPECT_EQ(proxy.stat("http.front.downstream_cx_protocol_error"), 0);
}

TEST(Statistics, UpgradesThatAreAllowedAndRefused) {
  TestUpstream app;
  app.on("/").never_respond();
  Proxy proxy = weir()
                    .upstream(app)
                    .route("/", "{cluster: app, upgrade_configs: [{upgrade_type: websocket}]}")
                    .start();
  const std::string fields =
      "Host: a\r\nConnection: upgrade\r\nSec-WebSocket-Version: 13\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
  RawClient refused(proxy);
  refused.send("GET / HTTP/1.1\r\nUpgrade: something\r\n" + fields + "\r\n");
  EXPECT_EQ(refused.reply().status, 403);
  reaches(proxy, "http.front.downstream_rq_ws_on_non_ws_route", 1);
  EXPECT_EQ(proxy.stat("http.front.downstream_cx_upgrades_total"), 0);
  {
    RawClient allowed(proxy);
    allowed.send("GET / HTTP/1.1\r\nUpgrade: websocket\r\n" + fields + "\r\n");
    reaches(proxy, "http.front.downstream_cx_upgrades_active", 1);
  }
  reaches(proxy, "http.front.downstream_cx_upgrades_active", 0);
  EXPECT_EQ(proxy.stat("http.front.downstream_cx_upgrades_total"), 1);
}

TEST(Statistics, ADrainIsACauseOfItsOwn) {
  Proxy proxy = weir().direct("/", 200, "hi").start();
  RawClient stays(proxy);
  stays.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(stays.reply().status, 200);
  EXPECT_EQ(proxy.admin("/healthcheck/fail", "POST").status, 200);
  stays.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(stays.closed_within(5s));
  reaches(proxy, "http.front.downstream_cx_drain_close", 1);
  reaches(proxy, "http.front.downstream_cx_destroy_local", 1);
}

// As in Envoy: what is tried again counts by itself, and what we answer for an upstream counts as
// its own.
TEST(Statistics, WhatRequestsCameTo) {
  TestUpstream app;
  app.on("/broken").respond(503, "");
  Proxy proxy = weir()
                    .upstream(app)
                    .route("/broken",
                           "{cluster: app, retry_policy: {retry_on: 5xx, num_retries: 2, "
                           "retry_back_off: {base_interval: 0.001s}}}")
                    .route("/none", "{cluster: nobody}")
                    .route("/", "{cluster: app}")
                    .with("clusters", "- {name: nobody, type: STATIC, connect_timeout: 1s}")
                    .start();
  EXPECT_EQ(proxy.get("/broken").status, 503);
  reaches(proxy, "cluster.app.retry.upstream_rq_503", 2);
  reaches(proxy, "cluster.app.upstream_rq_503", 1);
  reaches(proxy, "cluster.app.upstream_rq_5xx", 1);
  reaches(proxy, "cluster.app.upstream_rq_completed", 1);
  EXPECT_EQ(proxy.get("/none").status, 503);
  reaches(proxy, "cluster.nobody.upstream_rq_503", 1);
  app.stop();
  EXPECT_EQ(proxy.get("/").status, 503);
  reaches(proxy, "cluster.app.upstream_rq_503", 2);
  reaches(proxy, "cluster.app.upstream_rq_completed", 2);
}

TEST(Statistics, AnAnswerBeforeTheRequestIsWhole) {
  Proxy proxy = weir().direct("/", 403, "no").start();
  RawClient client(proxy);
  client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n");
  EXPECT_EQ(client.reply().status, 403);
  reaches(proxy, "http.front.downstream_rq_response_before_rq_complete", 1);
}

TEST(Statistics, ABodyThatAFilterCannotKeep) {
  const std::string type = "type.googleapis.com/weir.filters.http.webhook_hmac.v1.WebhookHmac";
  Proxy proxy =
      weir()
          .with("http_filters",
                "- name: webhook\n"
                "  typed_config: {\"@type\": " +
                    type +
                    ", preset: github, max_body_bytes: 4, allow_inline_secret_for_test: true,\n"
                    "    secrets: [{data: {inline_string: a secret of the tests}}]}")
          .direct("/", 200, "hi")
          .start();
  const std::string head =
      "POST / HTTP/1.1\r\nHost: a\r\nX-Hub-Signature-256: sha256=" + std::string(64, '0') +
      "\r\nContent-Length: ";
  EXPECT_EQ(proxy.send(head + "4\r\n\r\nfour").status, 401);
  EXPECT_EQ(proxy.stat("http.front.downstream_rq_too_large"), 0);
  EXPECT_EQ(proxy.send(head + "5\r\n\r\nfiver").status, 413);
  reaches(proxy, "http.front.downstream_rq_too_large", 1);
}

// An attempt that fails is a connection that has come and gone.
TEST(Statistics, EachAttemptOfARelay) {
  TestUpstream app;
  TestUpstream dead;
  dead.stop();
  const auto endpoint = [](const TestUpstream& to) {
    return "      - endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: " +
           std::to_string(to.port()) + "}}}\n";
  };
  Proxy proxy = weir()
                    .upstream(app)
                    .with("chain", "filter_chain_match: {source_ports: [1]}")
                    .with("chains",
                          "- filters:\n"
                          "  - name: tcp\n"
                          "    typed_config: {\"@type\": type.googleapis.com/envoy.extensions."
                          "filters.network.tcp_proxy.v3.TcpProxy,\n"
                          "      stat_prefix: tcp, cluster: relayed, max_connect_attempts: 2}")
                    .with("clusters",
                          "- name: relayed\n"
                          "  type: STATIC\n"
                          "  connect_timeout: 1s\n"
                          "  load_assignment:\n"
                          "    cluster_name: relayed\n"
                          "    endpoints:\n"
                          "    - lb_endpoints:\n" +
                              endpoint(dead) + endpoint(app))
                    .start();
  const std::string cx = "cluster.relayed.upstream_cx_";
  for (int i = 0; i < 2; ++i) EXPECT_EQ(proxy.get("/").status, 200);
  // Each second attempt goes to the dead endpoint first, whatever came before.
  const long failed = proxy.stat(cx + "connect_fail");
  EXPECT_GE(failed, 1);
  reaches(proxy, cx + "active", 0);
  EXPECT_EQ(proxy.stat(cx + "destroy"), proxy.stat(cx + "total"));
  EXPECT_EQ(proxy.stat(cx + "total"), app.connections() + failed);
}

// Each name that is asked for counts at the cluster that has it.
TEST(Statistics, LookUpsOfNames) {
  Proxy proxy = weir()
                    .direct("/", 200, "hi")
                    .with("clusters",
                          "- name: named\n"
                          "  type: STRICT_DNS\n"
                          "  connect_timeout: 1s\n"
                          "  load_assignment:\n"
                          "    cluster_name: named\n"
                          "    endpoints:\n"
                          "    - lb_endpoints:\n"
                          "      - endpoint: {address: {socket_address: {address: localhost, "
                          "port_value: 9}}}")
                    .start();
  EXPECT_TRUE(eventually([&] { return proxy.stat("cluster.named.update_success") >= 1; }));
  EXPECT_EQ(proxy.stat("cluster.named.update_attempt"), proxy.stat("cluster.named.update_success"));
}

}  // namespace
}  // namespace weir::test
