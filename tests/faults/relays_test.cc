// What tcp_proxy does of what time and peers that break do to it, against plain sockets.
#include <gtest/gtest.h>

#include "proxy/net/testing/raw_socket.h"
#include "tests/harness/fluent.h"

namespace weir::test {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using net::RawSocket;

std::string at_port(uint16_t port) {
  return "socket_address: {address: 127.0.0.1, port_value: " + std::to_string(port) + "}";
}

// A proxy whose connections are all relayed to this address.
ProxyBuilder relaying(const std::string& address, const std::string& tcp,
                      const std::string& connect_timeout = "1s") {
  ProxyBuilder builder = weir();
  builder.with("chain", "filter_chain_match: {source_ports: [1]}")
      .with("chains",
            "- filters:\n"
            "  - name: tcp\n"
            "    typed_config:\n"
            "      \"@type\": type.googleapis.com/"
            "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy\n"
            "      stat_prefix: tcp\n"
            "      cluster: relayed\n" +
                tcp)
      .with("clusters", "- name: relayed\n  type: STATIC\n  connect_timeout: " + connect_timeout +
                            "\n  load_assignment: {cluster_name: relayed, endpoints: "
                            "[{lb_endpoints: [{endpoint: {address: {" +
                            address + "}}}]}]}");
  return builder;
}

RawSocket connect_to(const Proxy& proxy) {
  return RawSocket::connect(net::Address::ip("127.0.0.1", proxy.port()).take());
}

bool reaches(const Proxy& proxy, const std::string& name, long value) {
  const bool there = eventually([&] { return proxy.stat(name) == value; });
  EXPECT_TRUE(there) << name << " is " << proxy.stat(name) << " instead of " << value;
  return there;
}

// An upstream that accepts. What showed the proxy to be ready was relayed too, and is over.
class Upstream {
 public:
  uint16_t port() const { return listener_.address().port(); }
  RawSocket accept() {
    for (;;) {
      RawSocket socket = listener_.accept();
      char byte;
      const ssize_t n = recv(socket.fd(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
      if (socket.fd() < 0 || n > 0 || (n < 0 && errno == EAGAIN)) return socket;
    }
  }

 private:
  RawSocket listener_ = RawSocket::listen();
};

// A listener that never accepts, its queue full: connecting to it takes for ever.
class FullListener {
 public:
  FullListener() : listener_(listen_on_loopback(0)) {
    for (int i = 0; i < 3; ++i) fillers_.push_back(connect_to_loopback(local_port(listener_)));
  }
  uint16_t port() const { return local_port(listener_); }

 private:
  Fd listener_;
  std::vector<Fd> fillers_;
};

// ---- time ----

// The time that connecting may take, which is longer, has nothing to do with it.
TEST(Relays, IdleTimeCountsFromTheConnectOn) {
  Upstream app;
  Proxy proxy = relaying(at_port(app.port()), "      idle_timeout: 0.4s\n", "60s").start();
  const auto began = Clock::now();
  RawSocket client = connect_to(proxy);
  RawSocket upstream = app.accept();
  EXPECT_EQ(client.receive_some(), "");
  EXPECT_EQ(client.last_error(), 0);
  EXPECT_GE(Clock::now() - began, 390ms);
  EXPECT_LT(Clock::now() - began, 5s);
  EXPECT_TRUE(eventually([&] { return proxy.stat("tcp.tcp.idle_timeout") >= 1; }));
}

TEST(Relays, IdleTimeCountsFromTheLastByteOn) {
  Upstream app;
  // The timer first looks when connecting would have taken too long.
  Proxy proxy = relaying(at_port(app.port()), "      idle_timeout: 2s\n", "1.9s").start();
  RawSocket client = connect_to(proxy);
  RawSocket upstream = app.accept();
  std::this_thread::sleep_for(500ms);
  client.send("x");
  EXPECT_EQ(upstream.receive_some(), "x");
  const auto last = Clock::now();
  EXPECT_EQ(client.receive_some(), "");
  // Counted from that look on, it would be 3.4 s.
  EXPECT_GE(Clock::now() - last, 1900ms);
  EXPECT_LT(Clock::now() - last, 3s);
}

TEST(Relays, TheMostThatAConnectionMayLastHoldsWhileConnecting) {
  const FullListener full;
  Proxy proxy = relaying(at_port(full.port()),
                         "      max_downstream_connection_duration: 0.3s\n"
                         "      max_connect_attempts: 3\n",
                         "30s")
                    .start();
  const auto began = Clock::now();
  RawSocket client = connect_to(proxy);
  EXPECT_EQ(client.receive_some(), "");
  EXPECT_GE(Clock::now() - began, 290ms);
  EXPECT_LT(Clock::now() - began, 5s);
  // With the one that showed the proxy to be ready.
  reaches(proxy, "tcp.tcp.max_downstream_connection_duration", 2);
  reaches(proxy, "cluster.relayed.upstream_cx_active", 0);
  EXPECT_EQ(proxy.stat("cluster.relayed.upstream_cx_connect_timeout"), 0);
}

// ---- attempts ----

// Each attempt fails at once, and there is no end of them.
TEST(Relays, AttemptsWithoutEndKeepNobodyWaiting) {
  Proxy proxy = relaying("pipe: {path: /nowhere/socket}",
                         "      max_downstream_connection_duration: 0.3s\n"
                         "      max_connect_attempts: 4294967295\n")
                    .start();
  const auto began = Clock::now();
  RawSocket client = connect_to(proxy);
  EXPECT_EQ(client.receive_some(), "");
  EXPECT_GE(Clock::now() - began, 290ms);
  EXPECT_LT(Clock::now() - began, 5s);
  EXPECT_GT(proxy.stat("cluster.relayed.upstream_cx_connect_fail"), 20) << "over several turns";
  reaches(proxy, "cluster.relayed.upstream_cx_active", 0);
}

TEST(Relays, AttemptsEndWhenThereWereEnough) {
  Proxy proxy =
      relaying("pipe: {path: /nowhere/socket}", "      max_connect_attempts: 20\n").start();
  RawSocket client = connect_to(proxy);
  EXPECT_EQ(client.receive_some(), "");
  // With those of the connection that showed the proxy to be ready.
  reaches(proxy, "cluster.relayed.upstream_cx_connect_fail", 40);
  reaches(proxy, "cluster.relayed.upstream_cx_active", 0);
}

}  // namespace
}  // namespace weir::test
