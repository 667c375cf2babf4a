// Peers that reset, close and stall at the worst moment.
#include <gtest/gtest.h>

#include <csignal>
#include <thread>

#include "tests/harness/fluent.h"

namespace weir::test {
namespace {

using namespace std::chrono_literals;

TEST(BrokenUpstream, AtEveryByteOfItsResponse) {
  TestUpstream app;
  Proxy proxy = weir().upstream(app).start();
  // What the upstream would send whole: its head is 41 bytes long, its body 10.
  for (const bool reset : {false, true}) {
    for (uint64_t bytes = 0; bytes < 51; ++bytes) {
      const std::string path = "/" + std::to_string(reset) + "/" + std::to_string(bytes);
      Behaviour& behaviour = app.on(path).respond(200, "0123456789").only(bytes);
      reset ? behaviour.then_reset() : behaviour.then_close();
      const Reply reply = proxy.get(path, 2s);
      EXPECT_LT(reply.took, 2s) << path << ": nothing was told to the client";
      const bool refused = reply.complete && reply.status >= 500;
      EXPECT_TRUE(refused || !reply.complete) << path << ": a clean end with " << reply.status;
      EXPECT_EQ(proxy.get("/good").body, "ok") << "behind " << path;
    }
  }
}

TEST(BrokenUpstream, IsNotPooled) {
  TestUpstream app;
  app.on("/cut").respond(200, "0123456789").only(50).then_reset();
  Proxy proxy = weir().upstream(app).start();
  for (int i = 0; i < 20; ++i) {
    const Reply reply = proxy.get("/cut", 2s);
    EXPECT_FALSE(reply.complete);
    EXPECT_LT(reply.took, 2s) << "nothing was told to the client";
    EXPECT_EQ(proxy.get("/good").body, "ok");
  }
}

TEST(BrokenUpstream, GoesAwayInTheMiddle) {
  auto app = std::make_unique<TestUpstream>();
  app->on("/large").large_body(1 << 30);
  Proxy proxy = weir().upstream(*app).start();
  RawClient client(proxy);
  client.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n");
  client.read(100'000);
  app->stop();
  EXPECT_TRUE(client.closed_within(5s));
  EXPECT_EQ(proxy.get("/good").status, 503);
}

TEST(BrokenUpstream, ComesBack) {
  TestUpstream app;
  Proxy proxy = weir().upstream(app).start();
  EXPECT_EQ(proxy.get("/").status, 200);
  app.close_all();  // while the connection lies idle in the pool
  EXPECT_EQ(proxy.get("/").status, 200);
  EXPECT_EQ(app.requests(), 2);
}

TEST(BrokenClient, ThatResetsEndsTheUpstreamsRequest) {
  TestUpstream app;
  app.on("/large").large_body(1 << 30);
  app.on("/never").never_respond();
  Proxy proxy = weir().upstream(app).start();
  int sent = 0;
  for (const std::string path : {"/large", "/never"}) {
    RawClient client(proxy);
    client.send("GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n");
    // A connection that has not carried it yet would stay in the pool.
    ++sent;
    ASSERT_TRUE(eventually([&] { return app.requests() == sent; }));
    client.wire().reset();
    EXPECT_TRUE(eventually([&] { return app.open_connections() == 0; })) << path;
  }
}

TEST(BrokenClient, ThatBreaksOffItsBodyNeverCompletesARequest) {
  TestUpstream app;
  Proxy proxy = weir().upstream(app).start();
  for (int i = 0; i < 10; ++i) {
    const uint64_t before = app.bytes_received();
    RawClient client(proxy);
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nbegin");
    ASSERT_TRUE(eventually([&] { return app.bytes_received() > before; }));
    i % 2 == 0 ? client.wire().reset() : client.wire().close();
    EXPECT_TRUE(eventually([&] { return app.unfinished() == i + 1; }));
  }
  EXPECT_EQ(app.requests(), 0);
}

// While the proxy stands still, the answer to one client arrives and then that client resets: both
// are found at once, and the upstream's connection already has its next request by the time that
// the answer cannot be written.
TEST(BrokenClient, ThatIsGoneWhenItsAnswerComesTakesNobodyElseAlong) {
  TestUpstream app;
  app.on("/first").delay(200ms);
  Proxy proxy = weir()
                    .upstream(app)
                    .with("app", "circuit_breakers: {thresholds: [{max_connections: 1}]}")
                    .start();
  for (int i = 0; i < 3; ++i) {
    const int before = app.requests();
    RawClient first(proxy);
    first.send("GET /first HTTP/1.1\r\nHost: a\r\n\r\n");
    ASSERT_TRUE(eventually([&] { return app.requests() == before + 1; }));
    RawClient second(proxy);
    second.send("GET /second HTTP/1.1\r\nHost: a\r\n\r\n");
    std::this_thread::sleep_for(50ms);  // it waits for the only connection
    proxy.signal(SIGSTOP);
    std::this_thread::sleep_for(250ms);
    first.wire().reset();
    std::this_thread::sleep_for(20ms);
    proxy.signal(SIGCONT);
    EXPECT_EQ(second.reply(2s).status, 200);
    EXPECT_TRUE(proxy.weir().process().running());
  }
}

TEST(EarlyResponse, WhileTheClientStillSends) {
  TestUpstream app;
  app.on("/early").respond(413, "too much").stop_reading();
  Proxy proxy = weir().upstream(app).start();
  const std::string head = "POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n";
  const Reply reply = proxy.send(head + std::string(50'000, 'x'));
  EXPECT_EQ(reply.status, 413);
  EXPECT_EQ(reply.body, "too much");
  EXPECT_TRUE(eventually([&] { return app.open_connections() == 0; }));
}

TEST(Overload, ConnectionsBeyondTheBreakerAreRefusedAtOnce) {
  TestUpstream app;
  app.on("/slow").delay(400ms);
  Proxy proxy =
      weir()
          .upstream(app)
          .with("app",
                "circuit_breakers: {thresholds: [{max_connections: 2, max_pending_requests: 2}]}")
          .start();
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 10; ++i) {
    clients.push_back(std::make_unique<RawClient>(proxy));
    clients.back()->send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
    // A request waits as long as its connection is made: the first two have theirs before more
    // come.
    if (i == 1) {
      ASSERT_TRUE(eventually([&] { return app.requests() == 2; }));
    }
  }
  int served = 0;
  int refused = 0;
  for (const auto& client : clients) {
    const Reply reply = client->reply();
    served += reply.status == 200 ? 1 : 0;
    refused += reply.status == 503 ? 1 : 0;
  }
  EXPECT_EQ(served, 4);
  EXPECT_EQ(refused, 6);
  EXPECT_EQ(app.connections(), 2);
  EXPECT_EQ(proxy.stat("cluster.app.upstream_rq_pending_overflow"), 6);
}

}  // namespace
}  // namespace weir::test
