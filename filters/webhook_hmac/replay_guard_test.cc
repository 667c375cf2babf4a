#include "filters/webhook_hmac/replay_guard.h"

#include <gtest/gtest.h>

#include <string>

namespace weir::webhook {
namespace {

using Verdict = ReplayGuard::Verdict;
using WhenFull = ReplayGuard::WhenFull;

TEST(ReplayGuard, LetsAnEventThroughOnce) {
  ReplayGuard guard(100, WhenFull::kRefuse);
  ReplayGuard::Entry entry;
  EXPECT_EQ(guard.record("a", 10, 100, entry), Verdict::kNew);
  EXPECT_EQ(guard.record("a", 11, 100, entry), Verdict::kReplayed);
  EXPECT_EQ(guard.record("b", 11, 100, entry), Verdict::kNew);
  EXPECT_EQ(guard.record("a", 99, 100, entry), Verdict::kReplayed);
  EXPECT_EQ(guard.record("a", 100, 200, entry), Verdict::kNew);
}

// A second copy with a later timestamp stays acceptable for longer, so it must be known for longer.
TEST(ReplayGuard, RemembersAReplayedEventForItsLatestTimestamp) {
  ReplayGuard guard(100, WhenFull::kRefuse);
  ReplayGuard::Entry entry;
  EXPECT_EQ(guard.record("a", 10, 100, entry), Verdict::kNew);
  EXPECT_EQ(guard.record("a", 50, 150, entry), Verdict::kReplayed);
  EXPECT_EQ(guard.record("a", 120, 150, entry), Verdict::kReplayed);
}

TEST(ReplayGuard, LetsAFailedEventComeAgain) {
  ReplayGuard guard(100, WhenFull::kRefuse);
  ReplayGuard::Entry first;
  ReplayGuard::Entry other;
  EXPECT_EQ(guard.record("a", 10, 100, first), Verdict::kNew);
  EXPECT_EQ(guard.record("a", 11, 120, other), Verdict::kReplayed);
  guard.forget(first, 12);
  EXPECT_EQ(guard.record("a", 13, 130, other), Verdict::kNew);
  EXPECT_EQ(guard.record("a", 14, 130, other), Verdict::kReplayed);
}

TEST(ReplayGuard, DoesNotForgetWhatALaterAttemptRecorded) {
  ReplayGuard guard(100, WhenFull::kRefuse);
  ReplayGuard::Entry slow;
  ReplayGuard::Entry later;
  EXPECT_EQ(guard.record("a", 10, 100, slow), Verdict::kNew);
  EXPECT_EQ(guard.record("a", 101, 200, later), Verdict::kNew);
  guard.forget(slow, 102);
  EXPECT_EQ(guard.record("a", 103, 200, later), Verdict::kReplayed);
}

TEST(ReplayGuard, RefusesNewEventsRatherThanForgetting) {
  ReplayGuard guard(50, WhenFull::kRefuse);
  ReplayGuard::Entry entry;
  std::string last_new;
  int refused = 0;
  for (int i = 0; i < 10'000; ++i) {
    const std::string event = "event-" + std::to_string(i);
    if (guard.record(event, 10, 100, entry) == Verdict::kNew)
      last_new = event;
    else
      ++refused;
  }
  EXPECT_GT(refused, 9'000);
  EXPECT_EQ(guard.record("event-0", 99, 100, entry), Verdict::kReplayed);
  EXPECT_EQ(guard.record(last_new, 99, 100, entry), Verdict::kReplayed);
}

TEST(ReplayGuard, ForgetsTheOldestWhenToldTo) {
  ReplayGuard guard(50, WhenFull::kDisplaceOldest);
  ReplayGuard::Entry entry;
  for (int i = 0; i < 10'000; ++i)
    EXPECT_EQ(guard.record("event-" + std::to_string(i), 10, 100 + i, entry), Verdict::kNew);
  EXPECT_EQ(guard.record("event-9999", 11, 20'000, entry), Verdict::kReplayed);
  EXPECT_EQ(guard.record("event-0", 11, 20'000, entry), Verdict::kNew);
}

}  // namespace
}  // namespace weir::webhook
