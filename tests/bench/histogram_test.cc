#include "tests/bench/histogram.h"

#include <gtest/gtest.h>

namespace weir::bench {
namespace {

TEST(Histogram, FindsQuantilesWithinTwoPercent) {
  Histogram histogram;
  for (int64_t us = 1; us <= 10'000; ++us) histogram.add(us * 1000);
  EXPECT_NEAR(histogram.quantile_us(0.5), 5000, 100);
  EXPECT_NEAR(histogram.quantile_us(0.99), 9900, 200);
  EXPECT_NEAR(histogram.quantile_us(0.999), 9990, 200);
  EXPECT_EQ(histogram.max_us(), 10'000);
  EXPECT_EQ(histogram.total(), 10'000u);
}

TEST(Histogram, KeepsSmallAndHugeValues) {
  Histogram histogram;
  histogram.add(0);
  histogram.add(3);
  histogram.add(int64_t{1} << 45);
  EXPECT_LE(histogram.quantile_us(0.1), 0.001);
  EXPECT_DOUBLE_EQ(histogram.quantile_us(0.4), 0.003);
  EXPECT_GT(histogram.quantile_us(0.99), 1e9);
}

TEST(Histogram, IsEmptyAtFirst) {
  const Histogram histogram;
  EXPECT_EQ(histogram.quantile_us(0.5), 0);
  EXPECT_EQ(histogram.total(), 0u);
}

}  // namespace
}  // namespace weir::bench
