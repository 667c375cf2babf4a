#include "proxy/http/h2_closed_streams.h"

#include <gtest/gtest.h>

namespace weir::http::h2 {
namespace {

using Verdict = ClosedStreams::Verdict;

TEST(ClosedStreams, WhatEndedWellIsOver) {
  ClosedStreams streams;
  EXPECT_TRUE(streams.note_begun(1));
  EXPECT_TRUE(streams.note_begun(3));
  EXPECT_FALSE(streams.note_begun(1));
  EXPECT_EQ(streams.judge(1), Verdict::kClosed);
}

TEST(ClosedStreams, WhatWasPassedOverNeverBegins) {
  ClosedStreams streams;
  streams.note_begun(5);
  streams.note_begun(9);
  for (const uint32_t id : {1u, 3u, 7u}) EXPECT_EQ(streams.judge(id), Verdict::kNeverBegun) << id;
  for (const uint32_t id : {5u, 9u}) EXPECT_EQ(streams.judge(id), Verdict::kClosed) << id;
}

TEST(ClosedStreams, WhatHasNotBegunIsIdle) {
  ClosedStreams streams;
  EXPECT_TRUE(streams.idle(1));
  streams.note_begun(5);
  EXPECT_FALSE(streams.idle(3));
  EXPECT_FALSE(streams.idle(5));
  EXPECT_TRUE(streams.idle(7));
}

TEST(ClosedStreams, AfterAResetOfOursMoreMayCome) {
  ClosedStreams streams;
  streams.note_begun(1);
  streams.note_begun(3);
  streams.note_reset(1);
  EXPECT_EQ(streams.judge(1), Verdict::kFine);
  EXPECT_EQ(streams.judge(3), Verdict::kClosed);
}

TEST(ClosedStreams, WhatIsForgottenIsForgiven) {
  ClosedStreams streams;
  for (uint32_t id = 1; id < 2'000; id += 2) {
    streams.note_begun(id);
    if (id % 4 == 1) streams.note_reset(id);
  }
  EXPECT_EQ(streams.judge(3), Verdict::kFine) << "older than the oldest reset that is known";
  EXPECT_EQ(streams.judge(1'999), Verdict::kClosed);
  EXPECT_EQ(streams.judge(1'997), Verdict::kFine);
}

}  // namespace
}  // namespace weir::http::h2
