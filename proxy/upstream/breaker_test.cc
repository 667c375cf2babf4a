#include "proxy/upstream/breaker.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <thread>
#include <vector>

namespace weir::upstream {
namespace {

uint32_t fill(Lease& lease) {
  uint32_t count = 0;
  while (lease.try_acquire()) ++count;
  return count;
}

TEST(Breaker, SmallLimitsAreExact) {
  for (const uint32_t max : {0u, 1u, 3u, 31u, 32u}) {
    SharedLimit limit(max, 2);
    Lease one(limit);
    Lease other(limit);
    uint32_t granted = 0;
    for (uint32_t i = 0; i < 50; ++i) granted += (i % 2 == 0 ? one : other).try_acquire();
    EXPECT_EQ(granted, max);
    EXPECT_EQ(one.in_use() + other.in_use(), max);
    EXPECT_EQ(limit.held(), max);
    if (max == 0) continue;
    one.release();
    EXPECT_EQ(limit.held(), max - 1);
    EXPECT_TRUE(other.try_acquire());  // a freed unit is everybody's at once
    EXPECT_FALSE(one.try_acquire());
  }
}

TEST(Breaker, AnExactLimitCountsWhatIsInUse) {
  SharedLimit limit(100'000, 2, /*exact=*/true);
  Lease one(limit);
  Lease other(limit);
  for (uint32_t i = 0; i < 50; ++i) ASSERT_TRUE(one.try_acquire());
  EXPECT_EQ(limit.held(), 50u);
  for (uint32_t i = 0; i < 49; ++i) one.release();
  EXPECT_EQ(limit.held(), 1u);
  // A limit of the moment: what others hold counts, and what was granted before stays.
  EXPECT_TRUE(other.try_acquire_below(2));
  EXPECT_FALSE(one.try_acquire_below(2));
  EXPECT_FALSE(one.try_acquire_below(0));
  EXPECT_EQ(limit.held(), 2u);
  other.release();
  EXPECT_TRUE(one.try_acquire_below(2));
}

TEST(Breaker, OneWorkerGetsAllOfALargeLimit) {
  SharedLimit limit(1024, 1);
  Lease lease(limit);
  EXPECT_EQ(fill(lease), 1024u);
}

TEST(Breaker, WhatOthersKeepIsBounded) {
  constexpr uint32_t kWorkers = 8;
  for (const uint32_t max : {129u, 1024u, 100'000u}) {
    SharedLimit limit(max, kWorkers);
    std::vector<std::unique_ptr<Lease>> leases;
    for (uint32_t i = 0; i < kWorkers; ++i) leases.push_back(std::make_unique<Lease>(limit));
    // All but the first had traffic, and keep as much as they ever will.
    for (uint32_t i = 1; i < kWorkers; ++i) {
      const uint32_t had = std::min(max / kWorkers, 5000u);
      for (uint32_t n = 0; n < had; ++n) ASSERT_TRUE(leases[i]->try_acquire());
      for (uint32_t n = 0; n < had; ++n) leases[i]->release();
    }
    const uint32_t granted = fill(*leases[0]);
    EXPECT_LE(granted, max);
    EXPECT_GE(granted, max - max / 16) << max;
  }
}

TEST(Breaker, LargeLimitsSeldomTouchSharedMemory) {
  SharedLimit limit(10'000, 4);
  Lease lease(limit);
  ASSERT_TRUE(lease.try_acquire());
  const uint32_t held = limit.held();
  uint32_t changes = 0;
  for (int i = 0; i < 10'000; ++i) {
    ASSERT_TRUE(lease.try_acquire());
    changes += limit.held() != held;
    lease.release();
    changes += limit.held() != held;
  }
  EXPECT_EQ(changes, 0u);
}

TEST(Breaker, WhatIsBeyondTheLimitDrainsFirst) {
  for (const uint32_t max : {0u, 2u, 1000u}) {
    SharedLimit limit(max, 1);
    Lease lease(limit);
    ASSERT_EQ(fill(lease), max);
    lease.acquire_beyond();
    EXPECT_EQ(limit.held(), max + 1);
    lease.release();
    EXPECT_FALSE(lease.try_acquire()) << "as much as the limit allows is still in use";
    if (max == 0) continue;
    lease.release();
    EXPECT_TRUE(lease.try_acquire());
    EXPECT_FALSE(lease.try_acquire());
  }
}

TEST(Breaker, ALowerLimitHoldsAtOnceAndDrains) {
  SharedLimit limit(1000, 1);
  Lease lease(limit);
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(lease.try_acquire());
  limit.set_max(50);
  EXPECT_FALSE(lease.try_acquire());
  while (lease.in_use() > 49) lease.release();
  EXPECT_TRUE(lease.try_acquire());
  EXPECT_FALSE(lease.try_acquire());
  limit.set_max(60);
  EXPECT_EQ(fill(lease), 10u);
}

TEST(Breaker, ALimitWithoutBoundNeverRefuses) {
  SharedLimit limit(UINT32_MAX, 2);
  Lease one(limit);
  Lease other(limit);
  for (int i = 0; i < 100'000; ++i) ASSERT_TRUE(one.try_acquire() && other.try_acquire());
}

TEST(Breaker, AnEndedLeaseGivesEverythingBack) {
  SharedLimit limit(1000, 2);
  {
    Lease lease(limit);
    ASSERT_TRUE(lease.try_acquire());
  }
  EXPECT_EQ(limit.held(), 0u);
}

// Threads acquire and release at random; an independent counter proves the limit.
void hammer(SharedLimit& limit, std::atomic<uint32_t>& in_use, std::atomic<uint32_t>& peak,
            uint64_t random) {
  Lease lease(limit);
  for (int i = 0; i < 20'000; ++i) {
    random = random * 6364136223846793005u + 1442695040888963407u;
    const bool wants_more = (random >> 60) < 9;
    if (wants_more && lease.try_acquire()) {
      const uint32_t now = in_use.fetch_add(1) + 1;
      uint32_t seen = peak.load();
      while (now > seen && !peak.compare_exchange_weak(seen, now)) {
      }
    } else if (lease.in_use() > 0) {
      in_use.fetch_sub(1);
      lease.release();
    }
  }
  in_use.fetch_sub(lease.in_use());
}

TEST(Breaker, ThreadsNeverExceedTheLimit) {
  for (const uint32_t max : {1u, 40u, 500u}) {
    SharedLimit limit(max, 4);
    std::atomic<uint32_t> in_use{0};
    std::atomic<uint32_t> peak{0};
    std::vector<std::thread> threads;
    for (uint64_t t = 0; t < 4; ++t)
      threads.emplace_back([&, t] { hammer(limit, in_use, peak, t); });
    for (std::thread& thread : threads) thread.join();
    EXPECT_LE(peak.load(), max);
    EXPECT_GE(peak.load(), max / 2);
    EXPECT_EQ(limit.held(), 0u);
  }
}

}  // namespace
}  // namespace weir::upstream
