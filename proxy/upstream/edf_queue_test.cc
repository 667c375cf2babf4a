#include "proxy/upstream/edf_queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "proxy/upstream/alias_table.h"
#include "proxy/upstream/random.h"

namespace weir::upstream {
namespace {

std::vector<int> count_turns(const std::vector<double>& weights, int turns, uint64_t seed) {
  EdfQueue queue(weights, seed);
  std::vector<int> counts(weights.size());
  for (int i = 0; i < turns; ++i) {
    const uint32_t entry = queue.top();
    ++counts[entry];
    queue.end_turn(weights[entry]);
  }
  return counts;
}

TEST(EdfQueue, SharesAreExact) {
  const std::vector<double> weights{1, 2, 3, 4};
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const std::vector<int> counts = count_turns(weights, 1000, seed);
    for (size_t i = 0; i < weights.size(); ++i)
      EXPECT_LE(std::abs(counts[i] - 100 * weights[i]), 1) << "entry " << i << " seed " << seed;
  }
}

TEST(EdfQueue, SpreadsTurnsInsteadOfBunchingThem) {
  const std::vector<double> weights{1, 4};
  EdfQueue queue(weights, 7);
  int run = 0;
  for (int i = 0; i < 100; ++i) {
    const uint32_t entry = queue.top();
    run = entry == 1 ? run + 1 : 0;
    EXPECT_LE(run, 5);
    queue.end_turn(weights[entry]);
  }
}

TEST(EdfQueue, AChangedWeightCountsFromTheNextTurn) {
  EdfQueue queue(std::vector<double>{1, 1}, 3);
  std::vector<int> counts(2);
  for (int i = 0; i < 1000; ++i) {
    const uint32_t entry = queue.top();
    ++counts[entry];
    queue.end_turn(entry == 0 ? 3 : 1);
  }
  EXPECT_NEAR(counts[0], 750, 2);
}

TEST(EdfQueue, SeedsBeginWithDifferentEntries) {
  const std::vector<double> weights(8, 1.0);
  std::vector<bool> began(8);
  for (uint64_t seed = 0; seed < 200; ++seed) began[EdfQueue(weights, seed).top()] = true;
  EXPECT_EQ(std::count(began.begin(), began.end(), true), 8);
}

TEST(EdfQueue, ManyEntriesKeepTheirOrder) {
  std::vector<double> weights;
  for (int i = 0; i < 1000; ++i) weights.push_back(1 + i % 7);
  const std::vector<int> counts = count_turns(weights, 3997 * 10, 1);
  for (size_t i = 0; i < weights.size(); ++i) EXPECT_NEAR(counts[i], 10 * weights[i], 1.01) << i;
}

TEST(AliasTable, PicksInProportion) {
  const std::vector<double> weights{1, 10, 0.5, 100, 7};
  const AliasTable table(weights);
  std::vector<double> counts(weights.size());
  constexpr int kPicks = 400'000;
  for (uint64_t i = 0; i < kPicks; ++i) ++counts[table.pick(mix_bits(i))];
  for (size_t i = 0; i < weights.size(); ++i) {
    const double expected = kPicks * weights[i] / 118.5;
    EXPECT_NEAR(counts[i], expected, 5 * std::sqrt(expected)) << i;
  }
}

TEST(AliasTable, OneEntry) {
  const AliasTable table(std::vector<double>{3});
  for (uint64_t i = 0; i < 100; ++i) EXPECT_EQ(table.pick(mix_bits(i)), 0u);
}

}  // namespace
}  // namespace weir::upstream
