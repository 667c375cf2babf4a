#include "proxy/upstream/drop_policy.h"

#include <gtest/gtest.h>

namespace weir::upstream {
namespace {

constexpr uint64_t kAll = DropPolicy::kAll;

// A random number that stands at that share of all.
uint64_t at(double share) {
  return static_cast<uint64_t>(share * static_cast<double>(kAll)) << 32;
}

DropPolicy policy_of(const std::vector<std::pair<std::string, double>>& categories) {
  DropPolicy out;
  for (const auto& [name, share] : categories) out.add(name, share);
  return out;
}

TEST(DropPolicy, EachCategoryTakesItsShareOfWhatIsLeft) {
  // As the proto has it: 60%, then half of the remaining 40%.
  const DropPolicy policy = policy_of({{"throttle", 0.6}, {"lb", 0.5}});
  EXPECT_NEAR(static_cast<double>(policy.share(kAll)), 0.8 * kAll, 2);
  EXPECT_EQ(policy.choose(at(0), kAll), 0u);
  EXPECT_EQ(policy.choose(at(0.599), kAll), 0u);
  EXPECT_EQ(policy.choose(at(0.601), kAll), 1u);
  EXPECT_EQ(policy.choose(at(0.799), kAll), 1u);
  EXPECT_EQ(policy.choose(at(0.801), kAll), std::nullopt);
}

TEST(DropPolicy, AllIsAllAndLessIsNot) {
  const DropPolicy all = policy_of({{"a", 0.1}, {"b", 1}, {"c", 0.5}});
  EXPECT_EQ(all.share(kAll), kAll);
  EXPECT_EQ(all.choose(UINT64_MAX, kAll), 1u) << "nothing is left for the third";
  const DropPolicy most = policy_of({{"a", 0.999999}, {"b", 0.999999}});
  EXPECT_EQ(most.share(kAll), kAll - 1);
  EXPECT_EQ(most.choose(UINT64_MAX, kAll), std::nullopt);
}

TEST(DropPolicy, OneOfAMillion) {
  const DropPolicy policy = policy_of({{"a", 1e-6}});
  EXPECT_EQ(policy.share(kAll), 4295u);
  EXPECT_EQ(policy.choose(at(0.9e-6), kAll), 0u);
  EXPECT_EQ(policy.choose(at(1.1e-6), kAll), std::nullopt);
}

TEST(DropPolicy, NothingIsDroppedWithoutACategory) {
  EXPECT_EQ(DropPolicy().share(kAll), 0u);
  EXPECT_EQ(DropPolicy().choose(0, kAll), std::nullopt);
}

TEST(DropLimit, TheLesserCounts) {
  const DropPolicy policy = policy_of({{"a", 0.6}, {"b", 1}});
  DropLimit limit;
  EXPECT_EQ(policy.share(limit.most()), kAll);
  limit.set_percent(75);
  EXPECT_EQ(policy.share(limit.most()), kAll * 3 / 4);
  EXPECT_EQ(policy.choose(at(0.59), limit.most()), 0u);
  EXPECT_EQ(policy.choose(at(0.74), limit.most()), 1u);
  EXPECT_EQ(policy.choose(at(0.76), limit.most()), std::nullopt);
  limit.set_percent(0);
  EXPECT_EQ(policy.choose(0, limit.most()), std::nullopt);
  limit.set_percent(1000);
  EXPECT_EQ(policy.share(limit.most()), kAll);
}

std::string text(const DropCounts& counts) {
  std::string out;
  for (const DropCounts::Count& one : counts.counts())
    out += (out.empty() ? "" : " ") + one.category + ":" + std::to_string(one.requests);
  return out;
}

TEST(DropCounts, GoesOnCountingWhenACategoryComesBack) {
  const DropPolicy first = policy_of({{"a", 0.1}, {"b", 0.1}});
  const DropPolicy second = policy_of({{"b", 0.1}, {"c", 0.1}});
  DropCounts counts;
  counts.follow(&first);
  counts.add(0);
  counts.add(1);
  counts.follow(&second);
  counts.add(0);
  counts.add(1);
  EXPECT_EQ(text(counts), "a:1 b:2 c:1");
  counts.follow(nullptr);
  counts.follow(&first);
  counts.add(0);
  EXPECT_EQ(text(counts), "a:2 b:2 c:1");
}

TEST(DropCounts, NamesOfControlPlanesDoNotPileUp) {
  DropCounts counts;
  DropPolicy policy;
  for (int i = 0; i < 1000; ++i) {
    policy = policy_of({{"always", 0.1}, {std::to_string(i), 0.1}});
    counts.follow(&policy);
    counts.add(0);
    counts.add(1);
  }
  EXPECT_LE(counts.counts().size(), 70u);
  EXPECT_EQ(counts.counts().front().category, "always");
  EXPECT_EQ(counts.counts().front().requests, 1000u);
  EXPECT_EQ(counts.counts().back().category, "999");
  EXPECT_EQ(counts.counts().back().requests, 1u);
}

}  // namespace
}  // namespace weir::upstream
