#include "proxy/drain_clock.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

constexpr uint64_t kLow = 0;
constexpr uint64_t kMiddle = uint64_t{1} << 63;
constexpr uint64_t kHigh = UINT64_MAX;

TEST(DrainClock, AsksNobodyBeforeItStarts) {
  DrainClock clock;
  EXPECT_FALSE(clock.ends_connection(1'000'000, kLow));
  EXPECT_EQ(clock.take_share(1'000'000), 0);
}

TEST(DrainClock, AsksMoreAsTimeGoesBy) {
  DrainClock clock;
  clock.start(1000, 100, DrainStrategy::kGradual);
  EXPECT_FALSE(clock.ends_connection(1000, kLow));
  EXPECT_TRUE(clock.ends_connection(1010, kLow));
  EXPECT_FALSE(clock.ends_connection(1049, kMiddle));
  EXPECT_TRUE(clock.ends_connection(1051, kMiddle));
  EXPECT_FALSE(clock.ends_connection(1099, kHigh));
  EXPECT_TRUE(clock.ends_connection(1100, kHigh));
}

TEST(DrainClock, ImmediateAsksAll) {
  DrainClock clock;
  clock.start(1000, 100, DrainStrategy::kImmediate);
  EXPECT_TRUE(clock.ends_connection(1000, kHigh));
  EXPECT_EQ(clock.take_share(1000), 1);
  EXPECT_EQ(clock.take_share(1001), 0) << "each connection is asked once";
}

// Whatever the ticks, after each of them the part that was asked is the part of the time.
TEST(DrainClock, SharesAddUp) {
  DrainClock clock;
  clock.start(0, 1000, DrainStrategy::kGradual);
  double left = 1;
  for (const int64_t now_ms : {100, 130, 500, 500, 999, 1000}) {
    left *= 1 - clock.take_share(now_ms);
    EXPECT_NEAR(left, 1 - static_cast<double>(now_ms) / 1000, 1e-9) << now_ms;
  }
}

TEST(DrainClock, ASecondStartOnlyHurries) {
  DrainClock clock;
  clock.start(0, 1000, DrainStrategy::kGradual);
  clock.start(500, 1000, DrainStrategy::kGradual);
  EXPECT_EQ(clock.progress(1000), 1);
  clock.start(500, 1000, DrainStrategy::kImmediate);
  EXPECT_EQ(clock.progress(500), 1);
}

}  // namespace
}  // namespace weir
