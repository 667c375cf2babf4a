// RFC 9113 sections 3 to 7, case by case: what a server does with frames, whole and byte by byte.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "proxy/http/testing/h2_cases.h"
#include "proxy/http/testing/h2_server_fixture.h"

namespace weir::http::h2::testing {
namespace {

class H2FramesTest : public H2ServerFixture {
 protected:
  void check(const Case& one, bool split) {
    SCOPED_TRACE(std::string(one.name) + (split ? ", split" : ""));
    Peer peer = open();
    if (split) {
      peer.send_split(one.bytes);
    } else {
      peer.send(one.bytes);
    }
    Frame first = peer.first_error();
    if (one.resets_before(first)) first = peer.first_error();
    switch (one.outcome) {
      case Outcome::kFine:
        EXPECT_EQ(first.type, 0xff) << "type " << int{first.type} << " code " << first.error_code();
        EXPECT_FALSE(peer.ended);
        break;
      case Outcome::kConnection:
        EXPECT_EQ(first.type, kGoaway);
        EXPECT_EQ(first.error_code(), one.code);
        EXPECT_TRUE(peer.closes());
        break;
      case Outcome::kStream:
        EXPECT_EQ(first.type, kRstStream);
        EXPECT_EQ(first.error_code(), one.code);
        EXPECT_EQ(first.stream, one.stream);
        EXPECT_TRUE(peer.sync());
        break;
    }
  }
};

TEST_F(H2FramesTest, EveryCaseWhole) {
  for (const Case& one : kCases) check(one, false);
}

TEST_F(H2FramesTest, EveryCaseByteByByte) {
  for (const Case& one : kCases)
    if (one.bytes.size() < 2000) check(one, true);
}

// ---- 5.1: streams that ended on both sides ----

TEST_F(H2FramesTest, NothingComesOnAStreamThatEnded) {
  for (const std::string& bytes :
       {get(1), request(1, false), data(1, "x", true), data(1, "", false)}) {
    Peer peer = open(echo);
    peer.send(get(1));
    EXPECT_EQ(peer.body(1), "/");
    peer.send(bytes);
    EXPECT_EQ(peer.wait_for(kGoaway).error_code(), kClosed);
    EXPECT_TRUE(peer.closes());
  }
}

TEST_F(H2FramesTest, LittleThingsMayComeOnAStreamThatEnded) {
  Peer peer = open(echo);
  peer.send(get(1));
  EXPECT_EQ(peer.body(1), "/");
  peer.send(window_update(1, 5) + rst(1, 8) + frame(kPriority, 0, 1, priority(0)) + get(3));
  EXPECT_EQ(peer.body(3), "/");
}

// The end of a request that was answered before closes its stream, and is no frame of a closed one.
TEST_F(H2FramesTest, TheEndMayComeAfterTheAnswer) {
  for (const std::string& end : {data(1, "", true), data(1, "x", true)}) {
    Peer peer = open(
        [](HeardRequest& heard) { heard.when_head = [](HeardRequest& r) { r.answer("early"); }; });
    peer.send(post(1));
    EXPECT_EQ(peer.body(1), "early");
    peer.send(end + get(3));
    EXPECT_EQ(peer.body(3), "early");
    EXPECT_EQ(peer.first_error().type, 0xff);
  }
}

// The client could not know: what it sent before it heard of the reset is forgotten.
TEST_F(H2FramesTest, WhatWasUnderWayWhenWeResetIsIgnored) {
  Peer peer = open();
  peer.send(post(1));
  EXPECT_TRUE(peer.sync());
  with(0, [](HeardRequest& heard) { heard.stream.reset(ResetReason::kLocal); });
  EXPECT_EQ(peer.wait_for(kRstStream).stream, 1u);
  peer.send(data(1, "x", false) + frame(kHeaders, kRequestFlags, 1, line("t", "v")) + get(3));
  EXPECT_EQ(peer.first_error().type, 0xff);
  EXPECT_EQ(request_count(), 2u);
}

TEST_F(H2FramesTest, WhatFollowsOnARefusedStreamIsIgnored) {
  options_.max_concurrent_streams = 1;
  Peer peer = open();
  peer.send(post(1) + post(3) + data(3, "x", false) + data(3, "y", true));
  EXPECT_EQ(peer.wait_for(kRstStream).error_code(), NGHTTP2_REFUSED_STREAM);
  EXPECT_TRUE(peer.sync());
}

// ---- 3: starting ----

TEST_F(H2FramesTest, AWrongPrefaceEndsTheConnection) {
  for (const std::string& wrong : {std::string("PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n"),
                                   std::string("GET / HTTP/1.1\r\n\r\n......")}) {
    Peer peer = open_raw();
    peer.send(wrong + settings());
    EXPECT_EQ(peer.wait_for(kGoaway).error_code(), kProtocol);
    EXPECT_TRUE(peer.closes());
  }
}

TEST_F(H2FramesTest, TheFirstFrameMustBeSettings) {
  Peer peer = open_raw();
  peer.send(kPreface + ping());
  EXPECT_EQ(peer.wait_for(kGoaway).error_code(), kProtocol);
  EXPECT_TRUE(peer.closes());
}

TEST_F(H2FramesTest, TheServerSpeaksFirstAndSaysItsLimits) {
  options_.max_concurrent_streams = 7;
  options_.initial_stream_window_bytes = 70'000;
  options_.hpack_table_size = 1024;
  options_.custom_settings = {{0xf000, 5}};
  Peer peer = open_raw();
  const Frame first = peer.wait_for(kSettings);
  const auto value_of = [&](uint16_t id) -> int64_t {
    for (size_t at = 0; at + 6 <= first.payload.size(); at += 6)
      if (first.payload.substr(at, 2) == number(id, 2)) return first.number_at(at + 2);
    return -1;
  };
  EXPECT_EQ(value_of(1), 1024);
  EXPECT_EQ(value_of(3), 7);
  EXPECT_EQ(value_of(4), 70'000);
  EXPECT_EQ(value_of(6), 60 * 1024);
  EXPECT_EQ(value_of(8), -1);
  EXPECT_EQ(value_of(0xf000), 5);
  const Frame window = peer.wait_for(kWindowUpdate);
  EXPECT_EQ(window.stream, 0u);
  EXPECT_EQ(window.number_at(0), (1u << 20) - 65535);
}

TEST_F(H2FramesTest, BytesThatSomebodyElseReadAreTakenUp) {
  const std::string start = kPreface + settings() + request(1, true, {}, "GET", "/early");
  Peer peer = open_raw(echo, start);
  EXPECT_EQ(peer.body(1), "/early");
}

// ---- 6: what is answered ----

TEST_F(H2FramesTest, SettingsAreAcknowledged) {
  Peer peer = open();
  peer.wait_for([](const Frame& at) { return at.type == kSettings && at.flags == kAck; });
  peer.send(settings(setting(4, 100)));
  const Frame ack =
      peer.wait_for([](const Frame& at) { return at.type == kSettings && at.flags == kAck; });
  EXPECT_TRUE(ack.payload.empty());
}

TEST_F(H2FramesTest, PingsAreAnsweredWithTheirBytes) {
  Peer peer = open();
  peer.send(ping("abcdefgh"));
  const Frame answer = peer.wait_for(kPing);
  EXPECT_EQ(answer.flags, kAck);
  EXPECT_EQ(answer.payload, "abcdefgh");
}

TEST_F(H2FramesTest, MoreStreamsThanAllowedAreRefusedOrEndTheConnection) {
  options_.max_concurrent_streams = 2;
  Peer peer = open();
  peer.send(frame(kSettings, kAck, 0, "") + post(1) + post(3) + post(5));
  const Frame error = peer.first_error();
  EXPECT_TRUE((error.type == kRstStream && error.error_code() == NGHTTP2_REFUSED_STREAM) ||
              (error.type == kGoaway && error.error_code() == kProtocol));
  EXPECT_EQ(request_count(), 2u);
}

TEST_F(H2FramesTest, BeforeItsSettingsAreAcknowledgedStreamsAreRefused) {
  options_.max_concurrent_streams = 2;
  Peer peer = open();
  peer.send(post(1) + post(3) + post(5));
  const Frame error = peer.wait_for(kRstStream);
  EXPECT_EQ(error.stream, 5u);
  EXPECT_EQ(error.error_code(), NGHTTP2_REFUSED_STREAM);
  EXPECT_TRUE(peer.sync());
}

TEST_F(H2FramesTest, AClientsGoawayLetsStreamsEnd) {
  Peer peer = open(echo);
  peer.send(post(1) + goaway(0, kNoError) + data(1, "still here", true));
  EXPECT_EQ(peer.body(1), "still here");
  EXPECT_TRUE(peer.closes());
}

// ---- 6.9: windows ----

TEST_F(H2FramesTest, NothingIsSentBeyondTheStreamsWindow) {
  Peer peer = open(echo, setting(4, 3));
  peer.send(request(1, true, {}, "GET", "/0123456"));
  EXPECT_EQ(peer.wait_for(kData).payload, "/01");
  EXPECT_TRUE(peer.sync());
  peer.send(window_update(1, 2));
  EXPECT_EQ(peer.wait_for(kData).payload, "23");
  peer.send(settings(setting(4, 6)));
  EXPECT_EQ(peer.wait_for(kData).payload, "456");
}

TEST_F(H2FramesTest, AWindowMayBeNegative) {
  Peer peer = open(echo, setting(4, 3));
  peer.send(request(1, true, {}, "GET", "/0123456"));
  EXPECT_EQ(peer.wait_for(kData).payload, "/01");
  peer.send(settings(setting(4, 1)) + window_update(1, 2));
  EXPECT_TRUE(peer.sync());
  for (const Frame& at : peer.seen) EXPECT_FALSE(at.type == kData && at.payload != "/01");
  peer.send(window_update(1, 1));
  EXPECT_EQ(peer.wait_for(kData).payload, "2");
}

TEST_F(H2FramesTest, NothingIsSentBeyondTheConnectionsWindow) {
  Peer peer = open(
      [](HeardRequest& heard) {
        heard.when_end = [](HeardRequest& r) { r.answer(std::string_view(big())); };
      },
      setting(4, 1 << 20));
  peer.send(get(1));
  size_t got = 0;
  while (got < 65535) got += peer.wait_for(kData).payload.size();
  EXPECT_EQ(got, 65535u);
  EXPECT_TRUE(peer.sync());
  peer.send(window_update(0, 1 << 20));
  while (got < big().size()) {
    const Frame more = peer.wait_for(kData);
    ASSERT_EQ(more.type, kData);
    got += more.payload.size();
  }
  EXPECT_EQ(got, big().size());
}

TEST_F(H2FramesTest, WhatArrivesBeyondTheWindowIsAnError) {
  Peer peer = open();
  std::string bytes = post(1);
  for (int i = 0; i < 5; ++i) bytes += data(1, std::string(16384, 'x'), false);
  t_.run([&] { owner_->prepare = [](HeardRequest& heard) { heard.stream.pause_reading(true); }; });
  peer.send(bytes);
  const Frame error = peer.first_error();
  EXPECT_EQ(error.error_code(), kFlow);
}

}  // namespace
}  // namespace weir::http::h2::testing
