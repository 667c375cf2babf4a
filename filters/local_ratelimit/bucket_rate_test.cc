#include "filters/local_ratelimit/bucket_rate.h"

#include <gtest/gtest.h>

namespace weir::local_ratelimit {
namespace {

constexpr int64_t kSecondNs = 1'000'000'000;

// One bucket and its state, driven by hand.
struct Driven {
  explicit Driven(Result<BucketRate> made) : rate(made.take()) {}
  Taken take(int64_t now_ns) { return rate.take(state, rate.units(now_ns), state); }
  int allowed(int requests, int64_t now_ns) {
    int count = 0;
    for (int i = 0; i < requests; ++i) count += take(now_ns).allowed ? 1 : 0;
    return count;
  }
  BucketRate rate;
  int64_t state = 0;
};

TEST(BucketRate, AllowsABurstThenRefuses) {
  Driven bucket(BucketRate::make(3, 1, kSecondNs));
  const int64_t now = 1000 * kSecondNs;
  EXPECT_EQ(bucket.take(now).remaining, 2u);
  EXPECT_EQ(bucket.take(now).remaining, 1u);
  const Taken last = bucket.take(now);
  EXPECT_TRUE(last.allowed);
  EXPECT_EQ(last.remaining, 0u);
  EXPECT_EQ(last.wait_ns, kSecondNs);
  const Taken refused = bucket.take(now + kSecondNs / 4);
  EXPECT_FALSE(refused.allowed);
  EXPECT_EQ(refused.wait_ns, kSecondNs * 3 / 4);
}

TEST(BucketRate, FillsAtItsRateAndNoFurther) {
  Driven bucket(BucketRate::make(10, 10, kSecondNs));
  int64_t now = 7 * kSecondNs;
  EXPECT_EQ(bucket.allowed(20, now), 10);
  EXPECT_EQ(bucket.allowed(20, now + kSecondNs / 10 - 1), 0);
  EXPECT_EQ(bucket.allowed(20, now + kSecondNs / 10), 1);
  EXPECT_EQ(bucket.allowed(20, now + kSecondNs / 2), 4);
  EXPECT_EQ(bucket.allowed(20, now + 3600 * kSecondNs), 10);
}

TEST(BucketRate, ARefusedRequestCostsNothing) {
  Driven bucket(BucketRate::make(1, 1, kSecondNs));
  EXPECT_TRUE(bucket.take(kSecondNs).allowed);
  const int64_t state = bucket.state;
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(bucket.take(kSecondNs + i).allowed);
  EXPECT_EQ(bucket.state, state);
}

// Over any time t a bucket lets at most max + rate * t through, and, asked often enough, all of it.
TEST(BucketRate, IsExactForRatesThatDivideNothing) {
  for (const uint64_t per_fill : {1u, 3u, 7u, 13u, 100u, 997u}) {
    Driven bucket(BucketRate::make(5, per_fill, kSecondNs));
    const int64_t start = 123 * kSecondNs;
    int64_t allowed = bucket.allowed(10, start);
    for (int step = 1; step <= 20'000; ++step)
      allowed += bucket.allowed(2, start + step * (kSecondNs / 2000));
    const int64_t due = static_cast<int64_t>(5 + 10 * per_fill);
    // The last token is due at the last moment asked; a cost that was rounded up may miss it.
    EXPECT_LE(allowed, due) << per_fill;
    EXPECT_GE(allowed, per_fill == 997 ? due - 1 : due) << per_fill;
  }
}

TEST(BucketRate, IsNeverLaxerThanAskedAtExtremeRates) {
  const uint64_t per_fill = 4'000'000'007;
  Driven bucket(BucketRate::make(1, per_fill, 50'000'000));
  int64_t allowed = 0;
  for (int64_t now = kSecondNs; now < kSecondNs + 1000; ++now) allowed += bucket.allowed(100, now);
  EXPECT_LE(allowed, static_cast<int64_t>(1 + per_fill * 1000 / 50'000'000));
  EXPECT_GT(allowed, 900);
}

TEST(BucketRate, HoldsHugeBuckets) {
  Driven bucket(BucketRate::make(4'294'967'295, 4'294'967'295, 60 * kSecondNs));
  EXPECT_EQ(bucket.take(kSecondNs).remaining, 4'294'967'294u);
  EXPECT_FALSE(BucketRate::make(4'294'967'295, 1, 60 * kSecondNs).ok());
  EXPECT_EQ(BucketRate::make(4'294'967'295, 1, 60 * kSecondNs).error().code, "bucket-too-slow");
}

}  // namespace
}  // namespace weir::local_ratelimit
