// How many frames of each kind a peer may send, counted without a connection.
#include "proxy/http/h2_limits.h"

#include <gtest/gtest.h>

#include <string>

#include "proxy/http/testing/h2_frames.h"

namespace weir::http::h2 {
namespace {

using namespace testing;

Flood flood_of(FrameCounter& counter, std::string_view bytes, int64_t now_ms) {
  return counter.count(bytes, now_ms, false).flood;
}

class FrameCounterTest : public ::testing::Test {
 protected:
  // How many times `bytes` pass before the flood; `most` if none comes.
  int passes(FrameCounter& counter, const std::string& bytes, Flood wanted, int most = 100'000) {
    for (int i = 0; i < most; ++i) {
      const Flood flood = flood_of(counter, bytes, now_ms_);
      if (flood == Flood::kNone) continue;
      EXPECT_EQ(flood, wanted);
      return i;
    }
    return most;
  }

  H2Options options_;
  int64_t now_ms_ = 1'000'000;
};

TEST_F(FrameCounterTest, ControlFramesAreABucket) {
  FrameCounter counter(options_, 0);
  EXPECT_EQ(passes(counter, ping(), Flood::kControl), 1'000);
  now_ms_ += 100;
  EXPECT_EQ(passes(counter, settings(), Flood::kControl), 10);
  now_ms_ += 3'600'000;
  EXPECT_EQ(passes(counter, rst(1, 8), Flood::kControl), 1'000);
}

TEST_F(FrameCounterTest, WorkAllowsMoreControlFrames) {
  FrameCounter counter(options_, 0);
  passes(counter, ping(), Flood::kControl);
  counter.note_data_sent();
  EXPECT_EQ(flood_of(counter, ping(), now_ms_), Flood::kNone);
  EXPECT_EQ(flood_of(counter, ping(), now_ms_), Flood::kControl);
  // A PING for each DATA frame, as who estimates bandwidth sends them.
  for (int i = 0; i < 10'000; ++i)
    ASSERT_EQ(flood_of(counter, data(1, "x", false) + ping(), now_ms_), Flood::kNone);
}

TEST_F(FrameCounterTest, PriorityByStreams) {
  FrameCounter counter(options_, 0);
  const std::string one = frame(kPriority, 0, 3, std::string(5, '\0'));
  EXPECT_EQ(passes(counter, one, Flood::kPriority), 100);
  FrameCounter more(options_, 0);
  more.note_stream_opened();
  EXPECT_EQ(passes(more, one, Flood::kPriority), 200);
}

TEST_F(FrameCounterTest, WindowUpdatesByStreamsAndData) {
  FrameCounter counter(options_, 0);
  EXPECT_EQ(passes(counter, window_update(0, 1), Flood::kWindowUpdate), 5);
  FrameCounter more(options_, 0);
  more.note_stream_opened();
  more.note_data_sent();
  EXPECT_EQ(passes(more, window_update(0, 1), Flood::kWindowUpdate), 5 + 2 * (1 + 10));
}

TEST_F(FrameCounterTest, EmptyFramesInARow) {
  options_.max_consecutive_inbound_frames_with_empty_payload = 3;
  FrameCounter counter(options_, 0);
  const std::string empty = data(1, "", false);
  EXPECT_EQ(passes(counter, empty, Flood::kEmptyFrames), 3);
  FrameCounter other(options_, 0);
  EXPECT_EQ(passes(other, empty + data(1, "x", false), Flood::kEmptyFrames, 1'000), 1'000);
  EXPECT_EQ(passes(other, data(1, "", true), Flood::kEmptyFrames, 1'000), 1'000);
}

TEST_F(FrameCounterTest, PaddingIsNoPayload) {
  options_.max_consecutive_inbound_frames_with_empty_payload = 0;
  FrameCounter counter(options_, 0);
  const std::string two(2, '\0');
  EXPECT_EQ(flood_of(counter, frame(kData, kPadded, 1, "\2a" + two), 1), Flood::kNone);
  EXPECT_EQ(flood_of(counter, frame(kData, kPadded, 1, "\2" + two), 1), Flood::kEmptyFrames);
  EXPECT_EQ(flood_of(counter, frame(kHeaders, kPadded | kEndHeaders, 1, "\2" + two), 1),
            Flood::kEmptyFrames);
}

TEST_F(FrameCounterTest, ContinuationsOfOneSection) {
  FrameCounter counter(options_, 0);
  const std::string more = frame(kContinuation, 0, 1, "x");
  EXPECT_EQ(passes(counter, more, Flood::kContinuation), 100);
  FrameCounter other(options_, 0);
  EXPECT_EQ(passes(other, frame(kHeaders, 0, 1, "x") + more, Flood::kContinuation, 1'000), 1'000);
}

TEST_F(FrameCounterTest, BytesInPieces) {
  FrameCounter counter(options_, kPreface.size());
  std::string bytes = kPreface;
  for (int i = 0; i < 1'000; ++i)
    bytes += i % 2 == 0 ? ping() : frame(0x99, 0, 0, std::string(static_cast<size_t>(i), 'x'));
  for (const char& c : bytes) ASSERT_EQ(flood_of(counter, {&c, 1}, now_ms_), Flood::kNone);
  EXPECT_EQ(flood_of(counter, ping(), now_ms_), Flood::kControl);
}

TEST_F(FrameCounterTest, StopsWhereDataBegins) {
  FrameCounter counter(options_, 0);
  const std::string before = ping();
  const std::string bytes =
      before + data(5, "xyz", false) + frame(kData, kPadded, 7, "\1a!") + ping();
  auto part = counter.count(bytes, 1, true);
  EXPECT_EQ(part.data_stream, 5u);
  EXPECT_EQ(part.bytes, before.size() + 9);
  size_t at = part.bytes;
  part = counter.count(bytes.substr(at), 1, true);
  EXPECT_EQ(part.data_stream, 7u);
  EXPECT_EQ(part.bytes, 3u + 9 + 1) << "behind the pad length";
  at += part.bytes;
  part = counter.count(bytes.substr(at), 1, true);
  EXPECT_EQ(part.data_stream, 0u);
  EXPECT_EQ(at + part.bytes, bytes.size());
}

TEST_F(FrameCounterTest, PriorityOfNoStream) {
  FrameCounter counter(options_, 0);
  EXPECT_EQ(flood_of(counter, frame(kPriority, 0, 0, std::string(5, '\0')), 1),
            Flood::kWrongPriority);
}

TEST_F(FrameCounterTest, PriorityThatDependsOnItself) {
  const std::string fine =
      frame(kPriority, 0, 7, number(9, 4) + "x") + frame(kPriority, 0, 7, "abc");
  const std::string itself = frame(kPriority, 0, 0x80000007, number(7, 4) + "x");
  FrameCounter whole(options_, 0);
  EXPECT_EQ(flood_of(whole, fine, 1), Flood::kNone);
  EXPECT_EQ(flood_of(whole, itself, 1), Flood::kWrongPriority);
  FrameCounter pieces(options_, 0);
  Flood last = Flood::kNone;
  int refused = 0;
  for (const char& c : fine + itself + ping()) {
    last = flood_of(pieces, {&c, 1}, 1);
    if (last == Flood::kWrongPriority) ++refused;
  }
  EXPECT_EQ(refused, 1);
  EXPECT_EQ(last, Flood::kNone);
}

// ---- resets ----

TEST(ResetCounterTest, MoreThanHalfOfEnough) {
  H2Options options;
  ResetCounter counter(options);
  for (int i = 0; i < 499; ++i) ASSERT_FALSE(counter.note_end(0, true));
  EXPECT_TRUE(counter.note_end(0, true));
}

TEST(ResetCounterTest, HalfIsFine) {
  H2Options options;
  ResetCounter counter(options);
  for (int i = 0; i < 100'000; ++i) ASSERT_FALSE(counter.note_end(0, i % 2 == 1));
}

TEST(ResetCounterTest, OldStreamsMayBeReset) {
  H2Options options;
  ResetCounter counter(options);
  for (int i = 0; i < 10'000; ++i) ASSERT_FALSE(counter.note_end(1'000, true));
}

TEST(ResetCounterTest, MuchGoodDoesNotExcuseMuchBad) {
  H2Options options;
  ResetCounter counter(options);
  for (int i = 0; i < 1'000'000; ++i) ASSERT_FALSE(counter.note_end(5, false));
  int bad = 0;
  while (bad < 5'000 && !counter.note_end(0, true)) ++bad;
  EXPECT_LT(bad, 1'100);
}

// ---- frames that wait ----

TEST(OutboundCounterTest, WhatWasSentWaitsNoMore) {
  OutboundCounter counter;
  for (int i = 0; i < 100; ++i) counter.add(100, i % 2 == 0);
  EXPECT_EQ(counter.frames(), 100u);
  EXPECT_EQ(counter.control_frames(), 50u);
  counter.settle(5'000);
  EXPECT_EQ(counter.frames(), 50u);
  EXPECT_EQ(counter.control_frames(), 25u);
  counter.settle(0);
  EXPECT_EQ(counter.frames(), 0u);
}

}  // namespace
}  // namespace weir::http::h2
