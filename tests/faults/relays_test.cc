// What tcp_proxy does of what time and peers that break do to it, against plain sockets.
#include <gtest/gtest.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>

#include <sstream>
#include <thread>

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

// ---- ends ----

constexpr size_t kLargeBytes = 8'000'000;

std::string large() {
  std::string out;
  for (int i = 0; out.size() < kLargeBytes; ++i) out += std::to_string(i) + "\n";
  return out;
}

// The kernel takes little for it.
RawSocket connect_small(const Proxy& proxy) {
  RawSocket out(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int bytes = 32 * 1024;
  setsockopt(out.fd(), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
  sockaddr_storage at;
  const socklen_t length = net::Address::ip("127.0.0.1", proxy.port()).take().to_sockaddr(at);
  EXPECT_EQ(::connect(out.fd(), reinterpret_cast<sockaddr*>(&at), length), 0);
  return out;
}

// Reads to the end, but slower than the proxy could send.
std::string receive_slowly(RawSocket& socket) {
  std::string all;
  for (;;) {
    const std::string some = socket.receive_some();
    if (some.empty()) return all;
    all += some;
    std::this_thread::sleep_for(200us);
  }
}

// Compares without printing megabytes.
void expect_whole(const std::string& got, const std::string& wanted) {
  EXPECT_EQ(got.size(), wanted.size());
  EXPECT_TRUE(got == wanted);
}

bool is_delivered(const RawSocket& socket) {
  int bytes = 0;
  return ioctl(socket.fd(), SIOCOUTQ, &bytes) == 0 && bytes == 0;
}

std::string logging(const std::string& format) {
  std::istringstream lines(log_of(format));
  std::string out = "      access_log:\n";
  for (std::string line; std::getline(lines, line);) out += "      " + line + "\n";
  return out;
}

bool logs(const Proxy& proxy, const std::string& wanted) {
  const auto logged = [&] { return proxy.weir().access_log().find(wanted) != std::string::npos; };
  EXPECT_TRUE(eventually(logged)) << wanted << " is not in " << proxy.weir().access_log();
  return logged();
}

constexpr const char* kEnds = "%BYTES_RECEIVED% %BYTES_SENT% %RESPONSE_CODE_DETAILS%";

TEST(Relays, WhoEndsFirstStillGetsAllOfTheAnswer) {
  Upstream app;
  Proxy proxy = relaying(at_port(app.port()), logging(kEnds)).start();
  RawSocket client = connect_small(proxy);
  client.send("question");
  client.shutdown();
  RawSocket upstream = app.accept();
  EXPECT_EQ(upstream.receive_all(), "question");
  const std::string answer = large();
  std::thread answering([&] {
    upstream.send(answer);
    upstream.close();
  });
  std::this_thread::sleep_for(200ms);
  expect_whole(receive_slowly(client), answer);
  EXPECT_EQ(client.last_error(), 0);
  answering.join();
  logs(proxy, "8 " + std::to_string(answer.size()) + " -\n");
  reaches(proxy, "cluster.relayed.upstream_cx_active", 0);
  EXPECT_EQ(proxy.stat("cluster.relayed.upstream_cx_destroy"),
            proxy.stat("cluster.relayed.upstream_cx_total"));
}

TEST(Relays, AnUpstreamThatEndsFirstStillGetsAllOfTheRequest) {
  Upstream app;
  Proxy proxy = relaying(at_port(app.port()), "").start();
  RawSocket client = connect_to(proxy);
  client.send("x");
  RawSocket upstream = app.accept();
  upstream.shutdown();
  EXPECT_EQ(client.receive_some(), "");
  const std::string request = large();
  std::thread asking([&] {
    client.send(request);
    client.close();
  });
  expect_whole(receive_slowly(upstream), "x" + request);
  EXPECT_EQ(upstream.last_error(), 0);
  asking.join();
}

// What is with the proxy is not lost by a reset that follows it, and does not look like all.
TEST(Relays, WhatCameBeforeAResetIsPassedOn) {
  Upstream app;
  Proxy proxy = relaying(at_port(app.port()), logging(kEnds)).start();
  RawSocket client = connect_small(proxy);
  client.send("question");
  RawSocket upstream = app.accept();
  EXPECT_EQ(upstream.receive_some(), "question");
  const std::string answer = large().substr(0, 2'000'000);
  upstream.send(answer);
  ASSERT_TRUE(eventually([&] { return is_delivered(upstream); }));
  upstream.reset();
  std::this_thread::sleep_for(50ms);
  expect_whole(receive_slowly(client), answer);
  EXPECT_EQ(client.last_error(), ECONNRESET);
  logs(proxy, "8 2000000 connection_reset\n");
  reaches(proxy, "cluster.relayed.upstream_cx_active", 0);
}

// The client's end comes with a reset because the upstream talks to it: found out by a write.
TEST(Relays, WhatAClientSaidThatTakesNothingIsPassedOn) {
  Upstream app;
  Proxy proxy = relaying(at_port(app.port()), "").start();
  RawSocket client = connect_to(proxy);
  const std::string request = large().substr(0, 2'000'000);
  client.send(request);
  RawSocket upstream = app.accept();
  ASSERT_TRUE(eventually([&] { return is_delivered(client); }));
  client.reset();
  upstream.send("to nobody");
  expect_whole(receive_slowly(upstream), request);
  EXPECT_EQ(upstream.last_error(), ECONNRESET);
  reaches(proxy, "cluster.relayed.upstream_cx_active", 0);
}

TEST(Relays, AResetIsPassedOnAtOnce) {
  Upstream app;
  Proxy proxy = relaying(at_port(app.port()), "").start();
  for (const bool client_first : {true, false}) {
    RawSocket client = connect_to(proxy);
    client.send("x");
    RawSocket upstream = app.accept();
    EXPECT_EQ(upstream.receive_some(), "x");
    RawSocket& rest = client_first ? upstream : client;
    const auto began = Clock::now();
    (client_first ? client : upstream).reset();
    EXPECT_EQ(rest.receive_some(), "");
    EXPECT_EQ(rest.last_error(), ECONNRESET);
    EXPECT_LT(Clock::now() - began, 3s);
  }
  reaches(proxy, "cluster.relayed.upstream_cx_active", 0);
}

TEST(Relays, LogWhatAClientReallyGot) {
  Upstream app;
  Proxy proxy = relaying(at_port(app.port()), logging(kEnds)).start();
  RawSocket client = connect_small(proxy);
  client.send("question");
  RawSocket upstream = app.accept();
  EXPECT_EQ(upstream.receive_some(), "question");
  const std::string answer = large();
  std::thread answering([&] { upstream.send(answer + answer); });
  EXPECT_NE(client.receive_some(), "");
  std::this_thread::sleep_for(200ms);
  client.reset();
  answering.join();
  reaches(proxy, "cluster.relayed.upstream_cx_active", 0);
  logs(proxy, "8 " + std::to_string(proxy.stat("tcp.tcp.downstream_cx_tx_bytes_total")) +
                  " connection_reset\n");
}

// A client that takes nothing is not waited for longer than the idle timeout.
TEST(Relays, TheLastBytesDoNotWaitForEver) {
  const std::string answer = large();  // making it may take longer than the timeout
  Upstream app;
  Proxy proxy = relaying(at_port(app.port()), "      idle_timeout: 0.5s\n").start();
  RawSocket client = connect_small(proxy);
  client.send("question");
  client.shutdown();
  RawSocket upstream = app.accept();
  EXPECT_EQ(upstream.receive_all(), "question");
  std::thread answering([&] {
    upstream.send(answer);
    upstream.close();
  });
  reaches(proxy, "cluster.relayed.upstream_cx_active", 0);
  answering.join();
  EXPECT_LT(receive_slowly(client).size(), answer.size());
  EXPECT_EQ(client.last_error(), ECONNRESET) << "it does not look like all";
}

}  // namespace
}  // namespace weir::test
