// upstream_connection_options.tcp_keepalive reaches each kind of connection to an upstream.
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <sstream>

#include "tests/harness/fluent.h"

namespace weir::test {
namespace {

// How many established connections to the port have the keep-alive timer running, of how many:
// /proc/net/tcp tells the timer in its sixth column, 02 is keep-alive.
struct Connections {
  int asked = 0;
  int all = 0;
};

Connections connections_to(uint16_t port) {
  char wanted[8];
  std::snprintf(wanted, sizeof(wanted), ":%04X", port);
  Connections out;
  std::ifstream table("/proc/net/tcp");
  for (std::string line; std::getline(table, line);) {
    std::istringstream fields(line);
    std::string number, local, remote, state, queues, timer;
    fields >> number >> local >> remote >> state >> queues >> timer;
    if (!remote.ends_with(wanted) || state != "01") continue;
    ++out.all;
    if (timer.starts_with("02:")) ++out.asked;
  }
  return out;
}

constexpr char kKeepAlive[] =
    "upstream_connection_options: {tcp_keepalive: {keepalive_time: 30, keepalive_interval: 5}}";

TEST(KeepAlive, ConnectionsOfAPool) {
  TestUpstream app;
  Proxy plain = weir().upstream(app).start();
  EXPECT_EQ(plain.get("/").status, 200);
  EXPECT_TRUE(eventually([&] { return connections_to(app.port()).all == 1; }));
  EXPECT_EQ(connections_to(app.port()).asked, 0);
  Proxy proxy = weir().upstream(app).with("app", kKeepAlive).start();
  EXPECT_EQ(proxy.get("/").status, 200);
  EXPECT_TRUE(eventually([&] { return connections_to(app.port()).asked == 1; }));
}

TEST(KeepAlive, ConnectionsOfHealthChecks) {
  TestUpstream app;
  Proxy proxy = weir()
                    .upstream(app)
                    .with("app", kKeepAlive)
                    .with("app",
                          "health_checks: [{timeout: 5s, interval: 60s, unhealthy_threshold: 1, "
                          "healthy_threshold: 1, http_health_check: {path: /}}]")
                    .start();
  EXPECT_TRUE(eventually([&] { return connections_to(app.port()).asked == 1; }));
}

TEST(KeepAlive, ConnectionsOfTcpProxy) {
  TestUpstream app;
  Proxy proxy = weir()
                    .upstream(app)
                    .with("app", kKeepAlive)
                    .with("chain", "filter_chain_match: {source_ports: [1]}")
                    .with("chains",
                          "- filters: [{name: tcp, typed_config: {\"@type\": type.googleapis.com/"
                          "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, "
                          "stat_prefix: tcp, cluster: app}}]")
                    .start();
  RawClient client(proxy);
  EXPECT_TRUE(eventually([&] { return connections_to(app.port()).asked == 1; }));
}

}  // namespace
}  // namespace weir::test
