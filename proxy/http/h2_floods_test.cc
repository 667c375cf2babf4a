// What is cheap for a client and would be dear for the proxy: every kind ends in GOAWAY, soon, and
// within bounded memory.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <string>

#include "proxy/http/testing/h2_server_fixture.h"

namespace weir::http::h2::testing {
namespace {

constexpr uint32_t kCalm = NGHTTP2_ENHANCE_YOUR_CALM;

class H2FloodsTest : public H2ServerFixture {
 protected:
  // Sends `piece(i)` again and again until the server says GOAWAY; how many it took.
  template <class Piece>
  int pieces_until_goaway(Peer& peer, Piece piece, int most) {
    const auto begin = std::chrono::steady_clock::now();
    int sent = 0;
    Frame last;
    last.type = 0xff;
    while (sent < most && last.type != kGoaway) {
      std::string batch;
      for (int i = 0; i < 100; ++i) batch += piece(sent++);
      peer.send(batch);
      last = peer.wait_for(kGoaway, std::chrono::milliseconds(sent < most ? 1 : 2'000));
    }
    EXPECT_EQ(last.type, kGoaway);
    EXPECT_EQ(last.error_code(), kCalm);
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(3));
    EXPECT_TRUE(peer.closes());
    return sent;
  }
  static uint32_t stream_of(int i) { return static_cast<uint32_t>(2 * i + 1); }
};

// ---- resets ----

TEST_F(H2FloodsTest, RapidReset) {
  std::atomic<size_t> most = 0;
  Peer peer = open([&](HeardRequest&) {
    size_t now = 0;
    for (const auto& heard : owner_->requests) now += heard->gone ? 0 : 1;
    most = std::max(most.load(), now);
  });
  pieces_until_goaway(
      peer, [](int i) { return request(stream_of(i), true) + rst(stream_of(i), 8); }, 100'000);
  EXPECT_LE(most.load(), options_.max_concurrent_streams);
  EXPECT_LE(request_count(), 2'000u);
  EXPECT_EQ(counter("premature_resets_flood"), 1u);
}

// In one write and one turn, what was given up counts as long as it may hold something.
TEST_F(H2FloodsTest, ATurnBeginsNoMoreRequestsThanMayBeOpen) {
  options_.max_concurrent_streams = 10;
  Peer peer = open();
  std::string all;
  for (int i = 0; i < 200; ++i) all += request(stream_of(i), true) + rst(stream_of(i), 8);
  peer.send(all);
  EXPECT_TRUE(peer.sync());
  EXPECT_LE(request_count(), 30u);
}

// What a client makes us reset (CVE-2025-8671), in each way there is.
TEST_F(H2FloodsTest, ResetsThatAreProvoked) {
  const auto post = [](uint32_t stream) { return request(stream, false, {}, "POST"); };
  const std::vector<std::pair<std::string, std::function<std::string(uint32_t)>>> ways = {
      {"a window beyond its bound",
       [&](uint32_t id) { return post(id) + window_update(id, 0x7fffffff); }},
      {"a malformed head",
       [](uint32_t id) {
         return request(id, true, {{"connection", "x"}});
       }},
      {"a body longer than promised",
       [](uint32_t id) {
         return request(id, false, {{"content-length", "1"}}, "POST") + data(id, "xy", false);
       }},
      {"a body shorter than promised",
       [](uint32_t id) {
         return request(id, false, {{"content-length", "3"}}, "POST") + data(id, "xy", true);
       }},
      {"trailers that do not end",
       [&](uint32_t id) { return post(id) + request(id, false, {}, "POST"); }},
      {"trailers with a pseudo header", [&](uint32_t id) { return post(id) + request(id, true); }},
  };
  for (const auto& [what, make] : ways) {
    SCOPED_TRACE(what);
    const uint64_t before = counter("premature_resets_flood");
    const uint64_t windows = counter("inbound_window_update_frames_flood");
    std::atomic<size_t> most = 0;
    Peer peer = open([&](HeardRequest&) {
      size_t now = 0;
      for (const auto& heard : owner_->requests) now += heard->gone ? 0 : 1;
      most = std::max(most.load(), now);
    });
    pieces_until_goaway(
        peer, [&, make = make](int i) { return make(stream_of(i)); }, 20'000);
    EXPECT_LE(most.load(), options_.max_concurrent_streams);
    EXPECT_EQ(counter("premature_resets_flood") - before +
                  counter("inbound_window_update_frames_flood") - windows,
              1u);
  }
}

TEST_F(H2FloodsTest, StreamsBeyondTheLimitCountAsWell) {
  options_.max_concurrent_streams = 1;
  Peer peer = open();
  pieces_until_goaway(
      peer, [](int i) { return request(stream_of(i), false, {}, "POST"); }, 20'000);
  EXPECT_EQ(request_count(), 1u);
}

TEST_F(H2FloodsTest, AThirdOfStreamsGivenUpIsNoFlood) {
  Peer peer = open(echo);
  for (int i = 0; i < 3'000; i += 30) {
    std::string batch;
    for (int k = i; k < i + 20; ++k) batch += request(stream_of(k), true);
    for (int k = i + 20; k < i + 30; ++k)
      batch += request(stream_of(k), false, {}, "POST") + rst(stream_of(k), 8);
    peer.send(batch);
    ASSERT_EQ(peer.body(stream_of(i + 19)), "/");
  }
  EXPECT_TRUE(peer.sync());
}

TEST_F(H2FloodsTest, AFloodAfterMuchGoodTraffic) {
  Peer peer = open(echo);
  int next = 0;
  for (; next < 5'000; next += 50) {
    std::string batch;
    for (int k = next; k < next + 50; ++k) batch += request(stream_of(k), true);
    peer.send(batch);
    ASSERT_EQ(peer.body(stream_of(next + 49)), "/");
  }
  t_.run([&] { owner_->prepare = {}; });
  const int took = pieces_until_goaway(
      peer, [&](int i) { return request(stream_of(next + i), true) + rst(stream_of(next + i), 8); },
      20'000);
  EXPECT_LE(took, 10'000);
}

// ---- frames ----

TEST_F(H2FloodsTest, Ping) {
  Peer peer = open();
  const int took = pieces_until_goaway(
      peer, [](int) { return ping(); }, 20'000);
  EXPECT_LE(took, 10'000);
  EXPECT_EQ(counter("inbound_control_frames_flood"), 1u);
}

TEST_F(H2FloodsTest, Settings) {
  Peer peer = open();
  pieces_until_goaway(
      peer, [](int) { return settings(setting(4, 100)); }, 20'000);
}

TEST_F(H2FloodsTest, LongSettings) {
  Peer peer = open();
  std::string entries;
  for (int i = 0; i < 2'000; ++i) entries += setting(4, 100);
  peer.send(settings(entries));
  EXPECT_EQ(peer.wait_for(kGoaway).error_code(), kCalm);
}

TEST_F(H2FloodsTest, UnknownFrames) {
  Peer peer = open();
  pieces_until_goaway(
      peer, [](int) { return frame(0x42, 0, 0, ""); }, 20'000);
}

TEST_F(H2FloodsTest, ResetsOfAClosedStream) {
  Peer peer = open();
  peer.send(request(1, false, {}, "POST"));
  pieces_until_goaway(
      peer, [](int) { return rst(1, 8); }, 20'000);
}

TEST_F(H2FloodsTest, Priority) {
  Peer peer = open();
  const int took = pieces_until_goaway(
      peer, [](int) { return frame(kPriority, 0, 1, std::string(5, '\0')); }, 20'000);
  EXPECT_LE(took, 10'000);
  EXPECT_EQ(counter("inbound_priority_frames_flood"), 1u);
}

TEST_F(H2FloodsTest, WindowUpdate) {
  Peer peer = open();
  peer.send(request(1, false, {}, "POST"));
  const int took = pieces_until_goaway(
      peer, [](int) { return window_update(1, 1); }, 20'000);
  EXPECT_LE(took, 10'000);
  EXPECT_EQ(counter("inbound_window_update_frames_flood"), 1u);
}

TEST_F(H2FloodsTest, EmptyData) {
  for (const bool padded : {false, true}) {
    Peer peer = open();
    peer.send(request(1, false, {}, "POST"));
    const std::string empty =
        padded ? frame(kData, kPadded, 1, std::string("\3\0\0\0", 4)) : data(1, "", false);
    peer.send(empty);
    EXPECT_TRUE(peer.sync());
    peer.send(empty);
    EXPECT_EQ(peer.wait_for(kGoaway).error_code(), kCalm);
  }
  EXPECT_EQ(counter("inbound_empty_frames_flood"), 2u);
}

TEST_F(H2FloodsTest, EmptyContinuations) {
  Peer peer = open();
  peer.send(frame(kHeaders, kEndStream, 1, section(request_lines())) +
            frame(kContinuation, 0, 1, "") + frame(kContinuation, 0, 1, ""));
  EXPECT_EQ(peer.wait_for(kGoaway).error_code(), kCalm);
}

TEST_F(H2FloodsTest, EndlessContinuations) {
  Peer peer = open();
  peer.send(frame(kHeaders, kEndStream, 1, section(request_lines())));
  const int took = pieces_until_goaway(
      peer, [](int i) { return frame(kContinuation, 0, 1, line("x" + std::to_string(i), "y")); },
      20'000);
  EXPECT_LE(took, 10'000);
  EXPECT_EQ(counter("too_many_header_frames"), 1u);
}

// ---- field sections ----

TEST_F(H2FloodsTest, ManyHeaders) {
  Peer peer = open();
  Lines lines;
  // With four pseudo-headers one too many for the limit of 100.
  for (int i = 0; i < 97; ++i) lines.emplace_back("x" + std::to_string(i), "y");
  peer.send(request(1, true, lines));
  EXPECT_EQ(peer.wait_for(kRstStream).error_code(), kCalm);
  lines.pop_back();
  peer.send(request(3, true, lines));
  EXPECT_TRACE(0, "head GET /; end");
  EXPECT_EQ(counter("header_overflow"), 1u);
}

TEST_F(H2FloodsTest, LongHeaders) {
  Peer peer = open();
  const std::string value(15'000, 'v');
  const auto send = [&](uint32_t stream, int count) {
    peer.send(frame(kHeaders, kEndStream, stream, section(request_lines())));
    for (int i = 0; i < count; ++i)
      peer.send(frame(kContinuation, i + 1 == count ? kEndHeaders : 0, stream, line("x", value)));
  };
  send(1, 5);
  EXPECT_EQ(peer.wait_for(kRstStream).error_code(), kCalm);
  send(3, 4);
  EXPECT_TRACE(0, "head GET /; end");
}

// CVE-2026-47774: small references to large lines, cookies above all.
TEST_F(H2FloodsTest, HpackBombs) {
  Peer peer = open();
  const std::string large(3'500, 'c');
  peer.send(frame(
      kHeaders, kEndHeaders | kEndStream, 1,
      index(2) + index(6) + index(4) + "\x41" + hpack_text("a") + indexed_line("cookie", large)));
  EXPECT_TRACE(0, "head GET /; end");
  const auto send_bomb = [&](uint32_t id, int references) {
    std::string bomb = index(2) + index(6) + index(4);
    for (int i = 0; i < references; ++i) bomb += index(62);
    peer.send(frame(kHeaders, kEndHeaders, id, bomb));
  };
  for (uint32_t id = 3; id < 203; id += 2) send_bomb(id, 900);
  EXPECT_EQ(peer.wait_for(kRstStream, 201u).error_code(), kCalm);
  t_.run([&] {
    EXPECT_EQ(owner_->requests.size(), 1u);
    EXPECT_EQ(owner_->abandoned, 100u);
    EXPECT_LE(owner_->most_arena, 2u * 64 * 1024);
  });
  // One that goes on for the work that it makes ends more than its stream.
  send_bomb(203, 15'000);
  EXPECT_EQ(peer.wait_for(kGoaway).error_code(), kCalm);
}

// ---- what is not read ----

TEST_F(H2FloodsTest, AnswersThatNobodyReads) {
  options_.max_outbound_frames = 500;
  buffer_limit_ = 16 * 1024;
  Peer peer = open([](HeardRequest& heard) {
    heard.when_head = [](HeardRequest& r) {
      ResponseHead head(r.arena);
      head.status = 204;
      head.headers.add("x-long", std::string_view(big()).substr(0, 200));
      r.stream.send_head(head, true);
    };
  });
  for (int i = 0; i < 30'000; ++i) {
    const std::string one = request(stream_of(i), true);
    if (::send(peer.socket().fd(), one.data(), one.size(), MSG_DONTWAIT | MSG_NOSIGNAL) < 0) break;
    if (i % 64 == 0 && t_.run([&] { return owner_->closed; })) break;
  }
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(4);
  while (!t_.run([&] { return owner_->closed; }) && std::chrono::steady_clock::now() < limit)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_TRUE(t_.run([&] { return owner_->closed; }));
  EXPECT_EQ(counter("outbound_flood"), 1u);
}

// ---- frames that cost others their lives (CVE-2026-26311, CVE-2026-27135) ----

TEST_F(H2FloodsTest, HeadersResetAndDataInOneWrite) {
  Peer peer = open([](HeardRequest& heard) {
    heard.when_head = [](HeardRequest& r) {
      r.answer_head(200, false);
      r.stream.send_body("x", false);
    };
  });
  std::string all;
  for (int i = 0; i < 50; ++i)
    all += request(stream_of(i), false, {}, "POST") + rst(stream_of(i), 8) +
           data(stream_of(i), "x", true);
  peer.send(all);
  // The first one is enough: DATA on a stream that its client reset (RFC 9113 5.1).
  EXPECT_EQ(peer.wait_for(kGoaway).error_code(), NGHTTP2_STREAM_CLOSED);
  EXPECT_TRUE(peer.closes());
}

TEST_F(H2FloodsTest, WhatComesAfterGoaway) {
  for (const std::string& after :
       {frame(kPing, 0, 0, "1"), frame(kPriority, 0, 1, "1"), frame(0xc, 0, 0, ""),
        frame(kHeaders, kEndHeaders, 5, "\xff\xff"), std::string(1000, '\xff')}) {
    Peer peer = open();
    peer.send(request(1, false, {}, "POST") + ping("short") + after);
    EXPECT_EQ(peer.wait_for(kGoaway).type, kGoaway);
    peer.send(after);
    EXPECT_TRUE(peer.closes());
  }
}

TEST_F(H2FloodsTest, AClientThatGoesOnAfterGoawayIsCutOff) {
  Peer peer = open();
  peer.send(window_update(0, 0));
  EXPECT_EQ(peer.wait_for(kGoaway).type, kGoaway);
  size_t sent = 0;
  const std::string much(64 * 1024, 'x');
  while (sent < (64u << 20) && !t_.run([&] { return owner_->closed; })) {
    peer.send(much);
    sent += much.size();
  }
  EXPECT_LT(sent, 16u << 20);
}

}  // namespace
}  // namespace weir::http::h2::testing
