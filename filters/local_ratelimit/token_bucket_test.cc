#include "filters/local_ratelimit/token_bucket.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace weir::local_ratelimit {
namespace {

constexpr int64_t kSecondNs = 1'000'000'000;

BucketRate rate(uint64_t max_tokens, uint64_t per_second) {
  return BucketRate::make(max_tokens, per_second, kSecondNs).take();
}

TEST(TokenBucket, GivesEachTokenToOneOfSeveralThreads) {
  constexpr int kThreads = 4;
  TokenBucket bucket(rate(1'000, 1));
  std::atomic<int> allowed{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 2'000; ++i) allowed += bucket.take(5 * kSecondNs).allowed ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(allowed.load(), 1'000);
}

TEST(KeyedBuckets, KeepsClientsApart) {
  KeyedBuckets buckets(rate(2, 1), 100);
  EXPECT_TRUE(buckets.take("a", kSecondNs).allowed);
  EXPECT_TRUE(buckets.take("a", kSecondNs).allowed);
  EXPECT_FALSE(buckets.take("a", kSecondNs).allowed);
  EXPECT_TRUE(buckets.take("b", kSecondNs).allowed);
  EXPECT_EQ(buckets.take("b", kSecondNs).remaining, 0u);
  EXPECT_TRUE(buckets.take("a", 2 * kSecondNs).allowed);
}

// A client that used up its bucket must not get a full one by bringing so many other keys that its
// own is pushed out.
TEST(KeyedBuckets, EvictionNeverRefillsABucket) {
  KeyedBuckets buckets(rate(5, 1), 64);
  const int64_t now = 100 * kSecondNs;
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(buckets.take("greedy", now).allowed);
  for (int i = 0; i < 100'000; ++i) buckets.take("other-" + std::to_string(i), now + i);
  EXPECT_FALSE(buckets.take("greedy", now + 200'000).allowed);
}

// With the table full, new keys share buckets: all of them together get no more than those hold.
TEST(KeyedBuckets, NewKeysAreNotFreshWhenThereIsNoRoom) {
  KeyedBuckets buckets(rate(1, 1), 64);
  const int64_t now = 100 * kSecondNs;
  int allowed = 0;
  for (int i = 0; i < 100'000; ++i)
    allowed += buckets.take("key-" + std::to_string(i), now).allowed ? 1 : 0;
  EXPECT_LE(allowed, 64 * 2 + 256);
}

TEST(KeyedBuckets, MakesRoomAsBucketsFillUpAgain) {
  KeyedBuckets buckets(rate(1, 1), 64);
  int64_t now = 100 * kSecondNs;
  for (int i = 0; i < 10'000; ++i) buckets.take("key-" + std::to_string(i), now);
  now += kSecondNs;
  int allowed = 0;
  for (int i = 0; i < 64; ++i)
    allowed += buckets.take("fresh-" + std::to_string(i), now).allowed ? 1 : 0;
  EXPECT_EQ(allowed, 64);
}

TEST(KeyedBuckets, CountsOneClientOnSeveralThreadsExactly) {
  constexpr int kThreads = 4;
  KeyedBuckets buckets(rate(100, 1), 1'000);
  std::vector<std::atomic<int>> allowed(50);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 10'000; ++i) {
        const size_t client = static_cast<size_t>(i) % allowed.size();
        allowed[client] += buckets.take(std::to_string(client), kSecondNs).allowed ? 1 : 0;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& count : allowed) EXPECT_EQ(count.load(), 100);
}

}  // namespace
}  // namespace weir::local_ratelimit
