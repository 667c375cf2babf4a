// Owners of streams that act at once when they are told something: in the middle of what the
// session does with all of them.
#include <functional>
#include <string>

#include "proxy/http/testing/h2_client_fixture.h"

namespace weir::http {
namespace {

using namespace h2::testing;

class H2ReentryTest : public H2ClientFixture {
 protected:
  static constexpr int kStuck = 8;

  // A server that takes no body.
  Peer open_stuck() {
    options_.stream_flush_timeout_ms = 50;
    return open(setting(4, 0));
  }
  // Whole requests that wait for windows.
  void start_stuck(const std::function<void()>& when_reset) {
    t_.run([&] {
      for (int i = 0; i < kStuck; ++i) {
        Exchange& one = exchange(start_here("PUT", "/stuck", false));
        one.when_reset = when_reset;
        one.stream->send_body("x", true);
      }
    });
  }
  // On the loop's thread.
  Exchange& start_upgrade_here() {
    auto made = std::make_unique<Exchange>();
    Exchange& one = *made;
    exchanges_.push_back(std::move(made));
    RequestHead& head = one.prepare("GET", "/chat");
    head.upgrade = "websocket";
    one.stream = owner_->client->open_stream(one);
    one.stream->send_head(head, false);
    return one;
  }
};

TEST_F(H2ReentryTest, OthersBeginWhileStreamsAreGivenUp) {
  Peer peer = open_stuck();
  start_stuck([&] { start_here("GET", "/again", true); });
  int again = 0;
  peer.wait_for([&](const Frame& at) {
    again += at.type == kHeaders && at.get(":path") == "/again" ? 1 : 0;
    return again == kStuck;
  });
  EXPECT_EQ(again, kStuck);
  for (int i = 0; i < kStuck; ++i) EXPECT_HEARD(i, "reset http2.flush_timeout");
  EXPECT_EQ(counter("tx_flush_timeout"), static_cast<uint64_t>(kStuck));
}

TEST_F(H2ReentryTest, WhatIsGivenUpLeavesTheConnectionMeanwhile) {
  Peer peer = open_stuck();
  start_stuck([&] { t_.loop().flush(); });
  for (int i = 0; i < kStuck; ++i) EXPECT_HEARD(i, "reset http2.flush_timeout");
  EXPECT_EQ(counter("tx_flush_timeout"), static_cast<uint64_t>(kStuck));
  EXPECT_TRUE(peer.sync());
  EXPECT_EQ(t_.run([&] { return owner_->client->active_streams(); }), 0u);
}

TEST_F(H2ReentryTest, TheConnectionEndsWhileStreamsAreGivenUp) {
  Peer peer = open_stuck();
  start_stuck([&] {
    if (owner_->client != nullptr) owner_->client->close();
  });
  EXPECT_TRUE(peer.closes());
  int given_up = 0;
  int broken = 0;
  t_.run([&] {
    for (const auto& one : exchanges_) {
      given_up += one->trace == "reset http2.flush_timeout" ? 1 : 0;
      broken += one->trace == "reset connection_closed_locally" ? 1 : 0;
    }
  });
  EXPECT_EQ(given_up, 1);
  EXPECT_EQ(broken, kStuck - 1);
  EXPECT_EQ(counter("tx_flush_timeout"), 1u);
}

// More of them than the connection keeps to be used again.
TEST_F(H2ReentryTest, AStreamThatIsFullGivesUpAllOthers) {
  constexpr int kMany = 150;
  options_.max_concurrent_streams = 2 * kMany;
  Peer peer = open(setting(3, 2 * kMany));
  t_.run([&] {
    const std::string much(200'000, 'x');
    Exchange& first = exchange(start_here("PUT", "/", false));
    Exchange& second = start_upgrade_here();
    for (int i = 0; i < kMany; ++i) start_upgrade_here();
    first.when_full = [&] {
      for (size_t i = exchanges_.size() - 1; i > 0; --i)
        exchanges_[i]->stream->reset(ResetReason::kLocal);
    };
    first.stream->send_body(much, false);
    second.stream->send_body(much, false);
    t_.loop().flush();
  });
  EXPECT_HEARD(0, "full");
  EXPECT_HEARD(1, "");
  EXPECT_EQ(t_.run([&] { return owner_->client->active_streams(); }), 1u);
}

// Its head waits for the server's SETTINGS, and nothing of it for windows.
TEST_F(H2ReentryTest, AnUpgradeThatIsHeldBackIsNotOverdue) {
  options_.stream_flush_timeout_ms = 50;
  Peer peer = open_raw();
  t_.run([&] {
    start_upgrade_here().stream->send_body("early", true);
    const std::string body(100'000, 'x');
    exchange(start_here("PUT", "/stuck", false)).stream->send_body(body, true);
    t_.loop().flush();  // while the body is there
  });
  EXPECT_HEARD(1, "reset http2.flush_timeout");
  EXPECT_HEARD(0, "");
  peer.send(settings(setting(8, 1)) + window_update(0, 1'000));
  const auto upgrade = [](const Frame& at) { return at.get(":protocol") == "websocket"; };
  const Frame head = peer.wait_for(upgrade);
  EXPECT_EQ(head.type, kHeaders);
  EXPECT_EQ(peer.body(head.stream), "early");
}

}  // namespace
}  // namespace weir::http
