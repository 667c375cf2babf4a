#include "proxy/upstream/check_state.h"

#include <gtest/gtest.h>

namespace weir::upstream {
namespace {

HealthCheckConfig config(uint32_t unhealthy, uint32_t healthy) {
  HealthCheckConfig out;
  out.unhealthy_threshold = unhealthy;
  out.healthy_threshold = healthy;
  out.interval_ms = 10;
  out.unhealthy_interval_ms = 20;
  out.unhealthy_edge_interval_ms = 30;
  out.healthy_edge_interval_ms = 40;
  out.no_traffic_interval_ms = 50;
  out.no_traffic_healthy_interval_ms = 60;
  return out;
}

TEST(CheckState, TheFirstCheckCountsAtOnce) {
  const HealthCheckConfig c = config(3, 3);
  CheckState good;
  EXPECT_TRUE(good.failed());
  EXPECT_FALSE(good.checked());
  EXPECT_EQ(good.note(c, CheckResult::kHealthy, false), HealthChange::kChanged);
  EXPECT_FALSE(good.failed());
  EXPECT_TRUE(good.checked());

  CheckState bad;
  EXPECT_EQ(bad.note(c, CheckResult::kNetwork, false), HealthChange::kNone);
  EXPECT_TRUE(bad.failed());
  // From here on the threshold counts.
  EXPECT_EQ(bad.note(c, CheckResult::kHealthy, false), HealthChange::kPending);
  EXPECT_EQ(bad.note(c, CheckResult::kHealthy, false), HealthChange::kPending);
  EXPECT_EQ(bad.note(c, CheckResult::kHealthy, false), HealthChange::kChanged);
  EXPECT_FALSE(bad.failed());
}

TEST(CheckState, FlappingBelowTheThresholdsChangesNothing) {
  const HealthCheckConfig c = config(2, 2);
  CheckState state;
  state.note(c, CheckResult::kHealthy, false);
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(state.note(c, CheckResult::kNetwork, false), HealthChange::kPending);
    EXPECT_EQ(state.note(c, CheckResult::kHealthy, false), HealthChange::kNone);
    EXPECT_FALSE(state.failed());
  }
  state.note(c, CheckResult::kTimeout, false);
  EXPECT_FALSE(state.timed_out());
  EXPECT_EQ(state.note(c, CheckResult::kTimeout, false), HealthChange::kChanged);
  EXPECT_TRUE(state.failed());
  EXPECT_TRUE(state.timed_out());
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(state.note(c, CheckResult::kHealthy, false), HealthChange::kPending);
    EXPECT_EQ(state.note(c, CheckResult::kNetwork, false), HealthChange::kNone);
    EXPECT_TRUE(state.failed());
    EXPECT_FALSE(state.timed_out());
  }
}

TEST(CheckState, AnAnswerThatItIsNotHealthyNeedsNoThreshold) {
  const HealthCheckConfig c = config(5, 1);
  CheckState state;
  state.note(c, CheckResult::kHealthy, false);
  EXPECT_EQ(state.note(c, CheckResult::kRetriable, false), HealthChange::kPending);
  EXPECT_FALSE(state.failed());
  EXPECT_EQ(state.note(c, CheckResult::kFailed, false), HealthChange::kChanged);
  EXPECT_TRUE(state.failed());
  state.note(c, CheckResult::kHealthy, false);
  EXPECT_EQ(state.note(c, CheckResult::kPassive, true), HealthChange::kChanged);
  EXPECT_TRUE(state.failed());
  EXPECT_TRUE(state.excluded());
  state.note(c, CheckResult::kHealthy, false);
  EXPECT_FALSE(state.excluded());
}

TEST(CheckState, DegradedIsHealthy) {
  const HealthCheckConfig c = config(2, 2);
  CheckState state;
  EXPECT_EQ(state.note(c, CheckResult::kDegraded, false), HealthChange::kChanged);
  EXPECT_FALSE(state.failed());
  EXPECT_TRUE(state.degraded());
  EXPECT_EQ(state.note(c, CheckResult::kDegraded, false), HealthChange::kNone);
  EXPECT_EQ(state.note(c, CheckResult::kHealthy, false), HealthChange::kChanged);
  EXPECT_FALSE(state.degraded());
}

TEST(CheckState, OneThatWaitsCountsAfterItsFirstCheck) {
  const HealthCheckConfig c = config(2, 2);
  CheckState state(true);
  EXPECT_TRUE(state.waiting());
  EXPECT_EQ(state.note(c, CheckResult::kFailed, false), HealthChange::kChanged);
  EXPECT_FALSE(state.waiting());
  EXPECT_TRUE(state.failed());
}

TEST(NextCheck, TheIntervalFollowsTheState) {
  const HealthCheckConfig c = config(2, 2);
  const auto next = [&](bool healthy, HealthChange change, bool traffic = true) {
    return next_check_ms(c, healthy, change, traffic, 12345);
  };
  EXPECT_EQ(next(true, HealthChange::kNone), 10);
  EXPECT_EQ(next(true, HealthChange::kChanged), 10);
  EXPECT_EQ(next(false, HealthChange::kNone), 20);
  EXPECT_EQ(next(false, HealthChange::kPending), 30);
  EXPECT_EQ(next(true, HealthChange::kPending), 40);
  EXPECT_EQ(next(false, HealthChange::kNone, false), 50);
  EXPECT_EQ(next(true, HealthChange::kPending, false), 50);
  EXPECT_EQ(next(true, HealthChange::kNone, false), 60);
}

TEST(NextCheck, JitterIsAdded) {
  HealthCheckConfig c = config(1, 1);
  c.interval_ms = 1000;
  c.interval_jitter_percent = 10;
  c.interval_jitter_ms = 50;
  int64_t least = INT64_MAX;
  int64_t most = 0;
  for (uint64_t i = 0; i < 1000; ++i) {
    const uint64_t random = i * 0x9E3779B97F4A7C15u;
    const int64_t ms = next_check_ms(c, true, HealthChange::kNone, true, random);
    least = std::min(least, ms);
    most = std::max(most, ms);
  }
  EXPECT_GE(least, 1000);
  EXPECT_LE(most, 1148);
  EXPECT_LT(least, 1020);
  EXPECT_GT(most, 1120);
}

TEST(Payloads, AreFoundInOrder) {
  EXPECT_TRUE(payload_found({}, ""));
  EXPECT_TRUE(payload_found({"ab", "c"}, "xabyyc"));
  EXPECT_FALSE(payload_found({"c", "ab"}, "xabyyc"));
  EXPECT_FALSE(payload_found({"ab", "ab"}, "ab"));
}

}  // namespace
}  // namespace weir::upstream
