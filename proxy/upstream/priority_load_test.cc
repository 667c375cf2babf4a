#include "proxy/upstream/priority_load.h"

#include <gtest/gtest.h>

#include <numeric>

namespace weir::upstream {
namespace {

PriorityHosts hosts(uint32_t all, uint32_t healthy, uint32_t degraded = 0) {
  return {all, healthy, degraded, all, healthy, degraded};
}

using Loads = std::vector<uint32_t>;
using Panic = std::vector<bool>;

TEST(DistributeLoad, AllGoesToAHealthyFirstPriority) {
  const PriorityLoads loads = distribute_load(std::vector{hosts(10, 10), hosts(5, 5)}, {});
  EXPECT_EQ(loads.healthy, (Loads{100, 0}));
  EXPECT_EQ(loads.panic, (Panic{false, false}));
}

TEST(DistributeLoad, OverprovisioningHidesAFewSickHosts) {
  // 72% * 1.4 = 100%: the first priority still takes all.
  EXPECT_EQ(distribute_load(std::vector{hosts(100, 72), hosts(10, 10)}, {}).healthy,
            (Loads{100, 0}));
  EXPECT_EQ(distribute_load(std::vector{hosts(100, 50), hosts(10, 10)}, {}).healthy,
            (Loads{70, 30}));
  EXPECT_EQ(
      distribute_load(std::vector{hosts(100, 50), hosts(10, 10)}, {.overprovisioning_factor = 100})
          .healthy,
      (Loads{50, 50}));
}

TEST(DistributeLoad, FailsOverWhenAPriorityIsDown) {
  const PriorityLoads loads =
      distribute_load(std::vector{hosts(4, 0), hosts(4, 0), hosts(2, 2)}, {});
  EXPECT_EQ(loads.healthy, (Loads{0, 0, 100}));
  // Another priority takes everything, so nobody panics.
  EXPECT_EQ(loads.panic, (Panic{false, false, false}));
}

TEST(DistributeLoad, AvailabilityBelowAHundredIsScaledUp) {
  // 14% and 28% available: a third and two thirds; the rounding rest goes to the first.
  const PriorityLoads loads =
      distribute_load(std::vector{hosts(10, 1), hosts(10, 2)}, {.panic_threshold_percent = 0});
  EXPECT_EQ(loads.healthy, (Loads{34, 66}));
  EXPECT_EQ(loads.panic, (Panic{false, false}));
}

TEST(DistributeLoad, DegradedHostsComeAfterAllHealthyOnes) {
  const PriorityLoads loads = distribute_load(std::vector{hosts(10, 5, 5), hosts(10, 1, 0)}, {});
  EXPECT_EQ(loads.healthy, (Loads{70, 14}));
  EXPECT_EQ(loads.degraded, (Loads{16, 0}));
}

TEST(DistributeLoad, OnlyDegraded) {
  const PriorityLoads loads = distribute_load(std::vector{hosts(2, 0, 2)}, {});
  EXPECT_EQ(loads.healthy, (Loads{0}));
  EXPECT_EQ(loads.degraded, (Loads{100}));
  EXPECT_EQ(loads.panic, (Panic{false}));
}

TEST(DistributeLoad, TotalPanicSharesByNumberOfHosts) {
  const PriorityLoads loads = distribute_load(std::vector{hosts(20, 1), hosts(10, 0)}, {});
  EXPECT_EQ(loads.panic, (Panic{true, true}));
  EXPECT_EQ(loads.healthy, (Loads{67, 33}));
  EXPECT_EQ(loads.degraded, (Loads{0, 0}));
}

TEST(DistributeLoad, OnePriorityMayPanicAlone) {
  const PriorityLoads loads = distribute_load(std::vector{hosts(10, 1), hosts(10, 5)}, {});
  EXPECT_EQ(loads.panic, (Panic{true, false}));
  EXPECT_EQ(std::accumulate(loads.healthy.begin(), loads.healthy.end(), 0u), 100u);
}

TEST(DistributeLoad, WithoutPanicNothingFitStillSumsUp) {
  const PriorityLoads loads =
      distribute_load(std::vector{hosts(3, 0), hosts(3, 0)}, {.panic_threshold_percent = 0});
  EXPECT_EQ(loads.healthy, (Loads{100, 0}));
  EXPECT_EQ(loads.panic, (Panic{false, false}));
}

TEST(DistributeLoad, EmptyCluster) {
  EXPECT_EQ(distribute_load(std::vector{hosts(0, 0)}, {}).healthy, (Loads{100}));
  EXPECT_TRUE(distribute_load({}, {}).healthy.empty());
}

TEST(DistributeLoad, EmptyFirstPriorityIsSkipped) {
  EXPECT_EQ(distribute_load(std::vector{hosts(0, 0), hosts(2, 2)}, {}).healthy, (Loads{0, 100}));
  // In panic too.
  EXPECT_EQ(distribute_load(std::vector{hosts(0, 0), hosts(2, 0)}, {}).healthy, (Loads{0, 100}));
}

TEST(DistributeLoad, WeightedHealthLooksAtWeights) {
  // One of two hosts is healthy, but it has nine tenths of the weight.
  const std::vector priorities{PriorityHosts{2, 1, 0, 10, 9, 0}, hosts(1, 1)};
  EXPECT_EQ(distribute_load(priorities, {}).healthy, (Loads{70, 30}));
  EXPECT_EQ(distribute_load(priorities, {.weighted_health = true}).healthy, (Loads{100, 0}));
}

// Whatever the health, every pick has somewhere to go and no percentage is given out twice.
TEST(DistributeLoad, AlwaysSumsUpToAHundred) {
  uint32_t checked = 0;
  for (uint32_t a = 0; a <= 7; ++a) {
    for (uint32_t b = 0; a + b <= 7; ++b) {
      for (uint32_t c = 0; c <= 3; ++c) {
        for (uint32_t d = 0; c + d <= 3; ++d) {
          const PriorityLoads loads = distribute_load(
              std::vector{hosts(7, a, b), hosts(3, c, d)},
              {.overprovisioning_factor = 100 + a * 13, .panic_threshold_percent = d * 30});
          uint32_t sum = std::accumulate(loads.healthy.begin(), loads.healthy.end(), 0u);
          sum = std::accumulate(loads.degraded.begin(), loads.degraded.end(), sum);
          EXPECT_EQ(sum, 100u) << a << ' ' << b << ' ' << c << ' ' << d;
          ++checked;
        }
      }
    }
  }
  EXPECT_EQ(checked, 360u);
}

}  // namespace
}  // namespace weir::upstream
