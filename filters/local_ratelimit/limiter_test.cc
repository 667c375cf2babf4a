#include "filters/local_ratelimit/limiter.h"

#include <gtest/gtest.h>

namespace weir::local_ratelimit {
namespace {

using Entries = std::vector<std::pair<std::string, std::string>>;

constexpr int64_t kSecondNs = 1'000'000'000;

// `tokens` at once, and then one each `seconds`.
BucketRate bucket(uint64_t tokens, int64_t seconds = 1000) {
  return BucketRate::make(tokens, 1, seconds * kSecondNs).take();
}

// A limiter with requests that are told by their descriptors alone, all at one moment.
struct Limited {
  explicit Limited(Limiter::Options options) : limiter(std::move(options)) {}

  Decision ask(const std::vector<Entries>& descriptors, uint64_t connection = 1) {
    Arena arena;
    std::vector<std::vector<http::DescriptorEntry>> entries;
    for (const Entries& descriptor : descriptors) {
      entries.emplace_back();
      for (const auto& [key, value] : descriptor) entries.back().push_back({key, value});
    }
    const std::vector<http::Descriptor> all(entries.begin(), entries.end());
    return limiter.decide(all, connection, 5 * kSecondNs, arena);
  }
  int allowed(const std::vector<Entries>& descriptors, uint64_t connection = 1) {
    int count = 0;
    while (count < 1000 && ask(descriptors, connection).allowed) ++count;
    return count;
  }

  Limiter limiter;
};

TEST(Limiter, WithoutBucketsLimitsNothing) {
  Limited limited({});
  EXPECT_TRUE(limited.ask({{{"a", "b"}}}).allowed);
  EXPECT_FALSE(limited.ask({}).limited);
}

TEST(Limiter, FallsBackWhenNoRuleMatches) {
  Limited limited({.fallback = bucket(3)});
  EXPECT_EQ(limited.ask({}).max_tokens, 3u);
  EXPECT_EQ(limited.allowed({{{"a", "b"}}}), 2);
}

TEST(Limiter, MatchesDescriptorsVerbatim) {
  Limited limited({.rules = {{.entries = {{"user", "ann"}, {"path", "/"}}, .rate = bucket(2)}}});
  EXPECT_FALSE(limited.ask({{{"user", "ann"}}}).limited);
  EXPECT_FALSE(limited.ask({{{"path", "/"}, {"user", "ann"}}}).limited);
  EXPECT_FALSE(limited.ask({{{"user", "ann"}, {"path", "/"}, {"x", "y"}}}).limited);
  EXPECT_FALSE(limited.ask({{{"user", "an"}, {"npath", "/"}}}).limited);
  EXPECT_EQ(limited.allowed({{{"user", "ann"}, {"path", "/"}}}), 2);
}

TEST(Limiter, GivesEachValueOfAWildcardItsOwnBucket) {
  Limited limited({.rules = {{.entries = {{"ip", ""}}, .rate = bucket(2)},
                             {.entries = {{"ip", "10.0.0.9"}}, .rate = bucket(5)}}});
  EXPECT_EQ(limited.allowed({{{"ip", "10.0.0.1"}}}), 2);
  EXPECT_EQ(limited.allowed({{{"ip", "10.0.0.2"}}}), 2);
  EXPECT_EQ(limited.allowed({{{"ip", "10.0.0.9"}}}), 5);
  EXPECT_EQ(limited.allowed({{{"ip", "10.0.0.1"}}}), 0);
}

TEST(Limiter, KeepsFieldsOfAKeyApart) {
  Limited limited({.rules = {{.entries = {{"a", ""}, {"b", ""}}, .rate = bucket(1)}}});
  EXPECT_EQ(limited.allowed({{{"a", "xy"}, {"b", "z"}}}), 1);
  EXPECT_EQ(limited.allowed({{{"a", "x"}, {"b", "yz"}}}), 1);
}

TEST(Limiter, AsksTheFallbackTooUnlessToldNotTo) {
  const std::vector<LimitRule> rules = {{.entries = {{"k", "v"}}, .rate = bucket(5)}};
  Limited both({.fallback = bucket(3), .rules = rules});
  EXPECT_EQ(both.allowed({{{"k", "v"}}}), 3);
  Limited rule_only({.fallback = bucket(3), .rules = rules, .always_ask_fallback = false});
  EXPECT_EQ(rule_only.allowed({{{"k", "v"}}}), 5);
  EXPECT_EQ(rule_only.allowed({}), 3);
}

TEST(Limiter, AsksEveryMatchingRuleTheSlowestFirst) {
  Limited limited({.rules = {{.entries = {{"k", "fast"}}, .rate = bucket(4, 1)},
                             {.entries = {{"k", "slow"}}, .rate = bucket(2, 1000)}}});
  const std::vector<Entries> both = {{{"k", "fast"}}, {{"k", "slow"}}};
  EXPECT_EQ(limited.allowed(both), 2);
  const Decision refused = limited.ask(both);
  EXPECT_FALSE(refused.allowed);
  EXPECT_EQ(refused.max_tokens, 2u);
  // The slow rule refused first, so the fast one has lost no further token.
  EXPECT_EQ(limited.allowed({{{"k", "fast"}}}), 2);
}

TEST(Limiter, TellsTheBucketWithTheFewestTokens) {
  Limited limited(
      {.fallback = bucket(10), .rules = {{.entries = {{"k", "v"}}, .rate = bucket(3)}}});
  const Decision decision = limited.ask({{{"k", "v"}}});
  EXPECT_EQ(decision.max_tokens, 3u);
  EXPECT_EQ(decision.taken.remaining, 2u);
}

TEST(Limiter, GivesEachConnectionItsOwnBuckets) {
  Limited limited({.fallback = bucket(4),
                   .rules = {{.entries = {{"k", "v"}}, .rate = bucket(2)}},
                   .per_connection = true});
  EXPECT_EQ(limited.allowed({{{"k", "v"}}}, 1), 2);
  EXPECT_EQ(limited.allowed({{{"k", "v"}}}, 2), 2);
  EXPECT_EQ(limited.allowed({}, 1), 2);
  EXPECT_EQ(limited.allowed({}, 3), 4);
}

}  // namespace
}  // namespace weir::local_ratelimit
