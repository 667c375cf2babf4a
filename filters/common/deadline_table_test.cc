#include "filters/common/deadline_table.h"

#include <gtest/gtest.h>

#include <random>
#include <thread>
#include <vector>

namespace weir::filters {
namespace {

// Asks for `deadline` unless the key's present one is after `now`; says what it saw.
struct Asked {
  bool room;
  int64_t seen;
};
Asked ask(DeadlineTable& table, uint64_t key, int64_t now, int64_t deadline) {
  Asked asked{};
  asked.room = table.update(key, now, [&](int64_t current) {
    asked.seen = current;
    return current > now ? current : deadline;
  });
  return asked;
}

uint64_t spread(uint64_t i) {
  return std::mt19937_64(i)();
}

TEST(DeadlineTable, RemembersUntilTheDeadline) {
  DeadlineTable table(100);
  EXPECT_EQ(ask(table, 42, 10, 20).seen, 0);
  EXPECT_EQ(ask(table, 42, 11, 30).seen, 20);
  EXPECT_EQ(ask(table, 42, 19, 30).seen, 20);
  EXPECT_EQ(ask(table, 42, 20, 30).seen, 20);  // passed: moves on
  EXPECT_EQ(ask(table, 42, 21, 40).seen, 30);
}

TEST(DeadlineTable, KnowsTheKeysThatLookLikeEmptySlots) {
  DeadlineTable table(100);
  EXPECT_EQ(ask(table, 0, 10, 20).seen, 0);
  EXPECT_EQ(ask(table, 0, 11, 30).seen, 20);
}

TEST(DeadlineTable, TakesNoRoomForADeadlineThatHasPassed) {
  DeadlineTable table(1);
  for (uint64_t key = 1; key < 100; ++key) EXPECT_TRUE(ask(table, key, 10, 10).room);
  EXPECT_EQ(ask(table, 5, 10, 20).seen, 0);
}

TEST(DeadlineTable, HoldsAsManyKeysAsAsked) {
  constexpr size_t kKeys = 20'000;
  DeadlineTable table(kKeys);
  size_t refused = 0;
  for (uint64_t i = 0; i < kKeys; ++i) refused += ask(table, spread(i), 10, 20).room ? 0 : 1;
  EXPECT_LE(refused, kKeys / 1000);
}

TEST(DeadlineTable, NeverForgetsAKeyThatIsDueLater) {
  DeadlineTable table(1'000);
  std::vector<uint64_t> kept;
  for (uint64_t i = 0; i < 50'000; ++i)
    if (ask(table, spread(i), 10, 1'000).room) kept.push_back(spread(i));
  ASSERT_GE(kept.size(), 1'000u);
  ASSERT_LT(kept.size(), 5'000u);
  for (const uint64_t key : kept) EXPECT_EQ(ask(table, key, 999, 2'000).seen, 1'000);
}

TEST(DeadlineTable, GivesPassedSlotsToNewKeys) {
  DeadlineTable table(1'000);
  for (uint64_t i = 0; i < 50'000; ++i) ask(table, spread(i), 10, 1'000);
  size_t room = 0;
  for (uint64_t i = 100'000; i < 101'000; ++i) room += ask(table, spread(i), 1'000, 2'000).room;
  EXPECT_EQ(room, 1'000u);
}

TEST(DeadlineTable, DisplacesTheOldestWhenToldTo) {
  DeadlineTable table(8, DeadlineTable::WhenFull::kDisplaceOldest);
  for (uint64_t i = 0; i < 1'000; ++i)
    EXPECT_TRUE(ask(table, spread(i), 10, 1'000 + static_cast<int64_t>(i)).room);
  EXPECT_EQ(ask(table, spread(999), 11, 5'000).seen, 1'999);
  EXPECT_EQ(ask(table, spread(0), 11, 5'000).seen, 0);
}

TEST(DeadlineTable, ForgetsWhatItIsTold) {
  DeadlineTable table(100);
  ask(table, 42, 10, 20);
  ask(table, 43, 10, 20);
  table.forget(42);
  EXPECT_LE(ask(table, 42, 11, 30).seen, 11);
  EXPECT_EQ(ask(table, 42, 12, 40).seen, 30);
  EXPECT_EQ(ask(table, 43, 12, 40).seen, 20);
  table.forget(7);
  EXPECT_EQ(ask(table, 7, 12, 20).seen, 0);
}

// Several threads bring the same keys at once: each key is new to exactly one of them.
TEST(DeadlineTable, AddsAKeyOnceWhoeverComesFirst) {
  constexpr uint64_t kKeys = 30'000;
  constexpr int kThreads = 4;
  DeadlineTable table(kKeys * 2);
  std::vector<std::atomic<int>> firsts(kKeys);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (uint64_t i = 0; i < kKeys; ++i) {
        bool first = false;
        const bool room = table.update(spread(i), 10, [&](int64_t current) {
          first = current <= 10;
          return first ? 20 : current;
        });
        firsts[i] += room && first ? 1 : 0;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (uint64_t i = 0; i < kKeys; ++i) EXPECT_LE(firsts[i].load(), 1) << i;
  size_t added = 0;
  for (const auto& first : firsts) added += static_cast<size_t>(first.load());
  EXPECT_GE(added, kKeys - kKeys / 1000);
}

// A thread keeps moving its own key's deadline while others fill the table: what it finds is what
// it left, unless the time had come.
void keep_own_key(DeadlineTable& table, std::atomic<int64_t>& clock, uint64_t key, int& lost) {
  int64_t left = 0;
  for (int i = 0; i < 50'000; ++i) {
    const int64_t now = clock.fetch_add(1);
    int64_t found = 0;
    int64_t wanted = 0;
    const bool room = table.update(key, now, [&](int64_t current) {
      found = current;
      wanted = std::max(current, now) + 1 + i % 40;
      return wanted;
    });
    if (found != left && left > clock.load()) ++lost;
    left = room ? wanted : 0;
  }
}

TEST(DeadlineTable, LosesNoMoveWhileOthersEvict) {
  DeadlineTable table(4);
  std::atomic<int64_t> clock{100};
  std::vector<int> lost(4);
  std::vector<std::thread> threads;
  for (size_t t = 0; t < lost.size(); ++t)
    threads.emplace_back([&, t] { keep_own_key(table, clock, spread(t), lost[t]); });
  threads.emplace_back([&] {
    for (uint64_t i = 0; i < 100'000; ++i)
      ask(table, spread(100 + i % 64), clock.load(), clock.load() + 3);
  });
  for (std::thread& thread : threads) thread.join();
  for (const int count : lost) EXPECT_EQ(count, 0);
}

}  // namespace
}  // namespace weir::filters
