// Peers that read or write slowly cost their buffers and no more, and nobody else notices.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <fstream>

#include "tests/harness/fluent.h"

namespace weir::test {
namespace {

using namespace std::chrono_literals;

constexpr char kLimit[] = "per_connection_buffer_limit_bytes: 32768";

ProxyBuilder bounded(const TestUpstream& app) {
  return weir().upstream(app).with("listener", kLimit).with("app", kLimit);
}

using Clients = std::vector<std::unique_ptr<RawClient>>;

// What the kernel may keep of one direction on its own: both connections' buffers for sending and
// for receiving, each as large as it lets them become.
size_t kernel_buffer_bytes() {
  size_t sum = 0;
  for (const char* file : {"/proc/sys/net/ipv4/tcp_rmem", "/proc/sys/net/ipv4/tcp_wmem"}) {
    size_t least = 0;
    size_t usual = 0;
    size_t most = 0;
    std::ifstream(file) >> least >> usual >> most;
    sum += 2 * most;
  }
  return sum;
}

// Connections of the kernel take some megabytes on their own, so a sender stops late.
void wait_until_nothing_moves(const TestUpstream& app) {
  uint64_t before = 0;
  do {
    before = app.bytes_sent();
    std::this_thread::sleep_for(100ms);
  } while (app.bytes_sent() != before);
}

TEST(SlowReaders, CostAtMostTheirBuffers) {
  TestUpstream app;
  app.on("/large").large_body(1ull << 30);
  Proxy proxy = bounded(app).start();
  ASSERT_EQ(proxy.get("/").status, 200);
  const long before = proxy.memory_kib();
  Clients clients;
  constexpr int kClients = 100;
  for (int i = 0; i < kClients; ++i) {
    clients.push_back(std::make_unique<RawClient>(proxy));
    clients.back()->send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n");
  }
  ASSERT_TRUE(eventually([&] { return app.requests() == kClients + 1; }));
  wait_until_nothing_moves(app);
  EXPECT_LT((proxy.memory_kib() - before) / kClients, 110);
  EXPECT_EQ(proxy.get("/").status, 200);
}

// Responses that were whole before anything was full are kept, too.
TEST(SlowReaders, OfAPipelineCostAtMostTheirBuffer) {
  Proxy proxy = weir().with("listener", kLimit).direct("/", 200, std::string(4000, 'x')).start();
  ASSERT_EQ(proxy.get("/").status, 200);
  const long before = proxy.memory_kib();
  const Fd client = connect_to_loopback(proxy.port());
  std::string requests;
  for (size_t i = 0; i < (kernel_buffer_bytes() + (64 << 20)) / 4000; ++i)
    requests += "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  std::string_view left = requests;
  const auto send_some = [&] {
    const ssize_t sent = ::send(client.get(), left.data(), left.size(), MSG_NOSIGNAL);
    if (sent > 0) left.remove_prefix(static_cast<size_t>(sent));
    return left.empty();
  };
  eventually(send_some, 1s);
  std::this_thread::sleep_for(200ms);
  EXPECT_LT(proxy.memory_kib() - before, 4096);
  EXPECT_EQ(proxy.get("/").status, 200);
}

TEST(SlowReaders, GetEverythingInTheEnd) {
  TestUpstream app;
  const size_t body_bytes = kernel_buffer_bytes() + (16 << 20);
  app.on("/large").large_body(body_bytes);
  Proxy proxy = bounded(app).start();
  RawClient client(proxy);
  client.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n");
  wait_until_nothing_moves(app);
  EXPECT_LT(app.bytes_sent(), body_bytes) << "the proxy did not stop reading";
  const Reply reply = client.reply(30s);
  EXPECT_TRUE(reply.complete);
  EXPECT_EQ(reply.body.size(), body_bytes);
}

TEST(SlowUpstreams, HoldUploadsBack) {
  TestUpstream app;
  app.on("/stuck").never_respond().stop_reading();
  Proxy proxy = bounded(app).start();
  ASSERT_EQ(proxy.get("/").status, 200);
  const long before = proxy.memory_kib();
  RawClient client(proxy);
  client.send("POST /stuck HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n");
  client.send(std::string(kernel_buffer_bytes() + (16 << 20), 'u'));
  EXPECT_FALSE(client.wire().sent_all()) << "the proxy took what nobody reads";
  EXPECT_LT(proxy.memory_kib() - before, 1024);
}

TEST(SlowWriters, CostLittle) {
  TestUpstream app;
  Proxy proxy = bounded(app).start();
  ASSERT_EQ(proxy.get("/").status, 200);
  const long before = proxy.memory_kib();
  Clients clients;
  constexpr int kClients = 500;
  for (int i = 0; i < kClients; ++i) {
    clients.push_back(std::make_unique<RawClient>(proxy));
    clients.back()->send("GET / HTTP/1.1\r\nHost: a\r\nX-Slow: " + std::string(200, 's'));
  }
  EXPECT_EQ(proxy.get("/").status, 200);
  EXPECT_LT((proxy.memory_kib() - before) / kClients, 12);
  for (const auto& client : clients) client->send("\r\n\r\n");
  for (const auto& client : clients) EXPECT_EQ(client->reply().status, 200);
}

TEST(IdleClients, CostNextToNothing) {
  TestUpstream app;
  Proxy proxy = bounded(app).start();
  Clients clients;
  const auto add_clients = [&](int count) {
    for (int i = 0; i < count; ++i) {
      clients.push_back(std::make_unique<RawClient>(proxy));
      clients.back()->send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
      ASSERT_EQ(clients.back()->reply().status, 200);
    }
  };
  add_clients(100);
  const long before = proxy.memory_kib();
  constexpr int kClients = 2000;
  add_clients(kClients);
  EXPECT_LT(static_cast<double>(proxy.memory_kib() - before) / kClients, 1.0);
}

TEST(GoodClients, DoNotWaitForSlowOnes) {
  TestUpstream app;
  app.on("/large").large_body(1ull << 30);
  Proxy proxy = bounded(app).start();
  Clients clients;
  for (int i = 0; i < 50; ++i) {
    clients.push_back(std::make_unique<RawClient>(proxy));
    clients.back()->send(i % 2 == 0 ? "GET /large HTTP/1.1\r\nHost: a\r\n\r\n" : "POST / HT");
  }
  wait_until_nothing_moves(app);
  for (int i = 0; i < 50; ++i) {
    const Reply reply = proxy.get("/");
    EXPECT_EQ(reply.status, 200);
    EXPECT_LT(reply.took, 500ms);
  }
}

}  // namespace
}  // namespace weir::test
