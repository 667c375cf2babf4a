#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "xds/back_off.h"
#include "xds/deadlines.h"
#include "xds/token_bucket.h"

namespace weir::xds {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(BackOff, DoublesUpToItsMost) {
  BackOff highest(500, 30'000);
  // The greatest wait of each attempt is one below its bound.
  for (const int64_t bound_ms : {500, 1000, 2000, 4000, 8000, 16000, 30000, 30000}) {
    EXPECT_EQ(highest.next_ms(static_cast<uint64_t>(bound_ms) - 1), bound_ms - 1);
  }
}

TEST(BackOff, IsFullJitter) {
  BackOff back_off(500, 30'000);
  EXPECT_EQ(back_off.next_ms(0), 0);
  EXPECT_EQ(back_off.next_ms(999), 999);
  EXPECT_EQ(back_off.next_ms(2001), 1);
}

TEST(BackOff, ResetBeginsAgain) {
  BackOff back_off(500, 30'000);
  back_off.next_ms(0);
  back_off.next_ms(0);
  back_off.reset();
  EXPECT_EQ(back_off.next_ms(500), 0);
}

TEST(BackOff, TakesOddBounds) {
  BackOff none(0, 0);
  EXPECT_EQ(none.next_ms(12345), 0);
  BackOff low(500, 100);
  low.next_ms(0);
  EXPECT_EQ(low.next_ms(499), 499);
}

TEST(TokenBucket, LetsABurstThroughAndThenTheRate) {
  TokenBucket bucket(3, 10);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(bucket.take(1000));
  EXPECT_FALSE(bucket.take(1000));
  EXPECT_EQ(bucket.ready_ms(1000), 1100);
  EXPECT_FALSE(bucket.take(1099));
  EXPECT_TRUE(bucket.take(1100));
  EXPECT_EQ(bucket.ready_ms(1150), 1200);
  EXPECT_FALSE(bucket.take(1199));
}

TEST(TokenBucket, HoldsNoMoreThanItsMost) {
  TokenBucket bucket(2, 10);
  EXPECT_TRUE(bucket.take(0));
  EXPECT_EQ(bucket.ready_ms(3'600'000), 3'600'000);
  EXPECT_TRUE(bucket.take(3'600'000));
  EXPECT_TRUE(bucket.take(3'600'000));
  EXPECT_FALSE(bucket.take(3'600'000));
}

TEST(TokenBucket, OddRates) {
  TokenBucket slow(1, 0.5);
  EXPECT_TRUE(slow.take(0));
  EXPECT_EQ(slow.ready_ms(0), 2000);
  EXPECT_TRUE(slow.take(2000));
  TokenBucket none(0, 0);
  EXPECT_TRUE(none.take(0));
  EXPECT_GT(none.ready_ms(0), 0);
}

TEST(Deadlines, OneForEachName) {
  Deadlines deadlines;
  EXPECT_FALSE(deadlines.next());
  deadlines.arm("a", 30);
  deadlines.arm("b", 20);
  deadlines.arm("a", 10);
  EXPECT_EQ(deadlines.next(), 10);
  EXPECT_EQ(deadlines.of("a"), 10);
  EXPECT_THAT(deadlines.take_due(9), IsEmpty());
  EXPECT_THAT(deadlines.take_due(20), ElementsAre("a", "b"));
  EXPECT_FALSE(deadlines.next());
  EXPECT_FALSE(deadlines.of("a"));
}

TEST(Deadlines, DisarmedOnesDoNotCome) {
  Deadlines deadlines;
  deadlines.arm("a", 10);
  deadlines.disarm("a");
  deadlines.disarm("never");
  EXPECT_THAT(deadlines.take_due(100), IsEmpty());
}

}  // namespace
}  // namespace weir::xds
