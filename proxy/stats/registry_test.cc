#include "proxy/stats/registry.h"

#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "proxy/stats/status_classes.h"

namespace weir::stats {
namespace {

TEST(HistogramTest, EveryValueFallsIntoABucketThatHoldsIt) {
  for (uint64_t value :
       {uint64_t{0}, uint64_t{1}, uint64_t{15}, uint64_t{16}, uint64_t{17}, uint64_t{31},
        uint64_t{32}, uint64_t{1000}, uint64_t{123456789}, (uint64_t{1} << 40) - 1}) {
    const int index = Histogram::bucket_of(value);
    EXPECT_LE(Histogram::bucket_lower_bound(index), value);
    EXPECT_GE(Histogram::bucket_upper_bound(index), value);
  }
  EXPECT_EQ(Histogram::bucket_of(UINT64_MAX), Histogram::kBuckets - 1);
}

TEST(HistogramTest, BucketsFollowEachOtherAndAreNarrow) {
  for (int i = 1; i < Histogram::kBuckets; ++i) {
    const uint64_t low = Histogram::bucket_lower_bound(i);
    ASSERT_EQ(low, Histogram::bucket_upper_bound(i - 1) + 1);
    ASSERT_EQ(Histogram::bucket_of(low), i);
    ASSERT_LE(Histogram::bucket_upper_bound(i) - low, low / 16);
  }
}

TEST(RegistryTest, SameNameSameId) {
  Registry registry;
  const CounterId a = registry.counter("cluster.app.upstream_rq_total");
  EXPECT_NE(a.index, 0u);
  EXPECT_EQ(registry.counter("cluster.app.upstream_rq_total").index, a.index);
  EXPECT_NE(registry.counter("cluster.app.upstream_rq_200").index, a.index);
  EXPECT_EQ(registry.gauge("cluster.app.upstream_rq_total").index, 0u);
}

TEST(RegistryTest, SumsOverShardsAndNegativeParts) {
  Registry registry;
  Shard& one = registry.new_shard();
  const CounterId counter = registry.counter("c");
  const GaugeId gauge = registry.gauge("g");
  Shard& two = registry.new_shard();
  one.inc(counter);
  two.inc(counter, 41);
  one.add(gauge, 5);
  two.add(gauge, -3);
  EXPECT_EQ(registry.value("c"), 42u);
  EXPECT_EQ(registry.value("g"), 2u);
  two.add(gauge, -3);
  EXPECT_EQ(static_cast<int64_t>(registry.value("g")), -1);
  EXPECT_EQ(registry.value("none"), 0u);
}

TEST(RegistryTest, SetOverwritesTheMainShardsPart) {
  Registry registry;
  const GaugeId gauge = registry.gauge("server.live");
  registry.set(gauge, 7);
  registry.set(gauge, 1);
  EXPECT_EQ(registry.value("server.live"), 1u);
}

TEST(RegistryTest, UnreadSlotTakesWritesWithoutEffect) {
  Registry registry;
  Shard& shard = registry.new_shard();
  const CounterId counter = registry.counter("c");
  shard.inc(CounterId{});
  shard.add(GaugeId{}, 3);
  shard.record(HistogramId{}, 3);
  EXPECT_EQ(registry.value("c"), 0u);
  shard.inc(counter);
  EXPECT_EQ(registry.value("c"), 1u);
}

TEST(RegistryTest, NamesFromConfigAreMadeSafe) {
  Registry registry;
  registry.counter("cluster.a b\n\"c.x");
  registry.counter("cluster.outbound|80||svc.x");
  std::vector<std::string> names;
  registry.for_each([&](const Sample& sample) { names.emplace_back(sample.name); });
  EXPECT_EQ(names, (std::vector<std::string>{"cluster.a_b__c.x", "cluster.outbound|80||svc.x"}));
}

TEST(RegistryTest, UsedMeansTouchedEvenWhenBackAtZero) {
  Registry registry;
  Shard& shard = registry.new_shard();
  const GaugeId touched = registry.gauge("touched");
  registry.gauge("untouched");
  registry.counter("idle");
  registry.histogram("quiet");
  shard.add(touched, 1);
  shard.add(touched, -1);
  std::vector<std::string> used;
  registry.for_each([&](const Sample& sample) {
    if (sample.used) used.emplace_back(sample.name);
  });
  EXPECT_EQ(used, std::vector<std::string>{"touched"});
}

TEST(RegistryTest, HistogramsAreSummed) {
  Registry registry;
  Shard& one = registry.new_shard();
  Shard& two = registry.new_shard();
  const HistogramId id = registry.histogram("h");
  one.record(id, 10);
  two.record(id, 10);
  two.record(id, 1000);
  registry.for_each([&](const Sample& sample) {
    EXPECT_EQ(sample.kind, Kind::kHistogram);
    EXPECT_EQ(sample.value, 3u);
    EXPECT_EQ(sample.sum, 1020u);
    EXPECT_EQ(sample.buckets[10], 2u);
    EXPECT_EQ(sample.buckets[Histogram::bucket_of(1000)], 1u);
  });
}

TEST(RegistryTest, ManyMetricsSpanChunks) {
  Registry registry;
  Shard& shard = registry.new_shard();
  std::vector<CounterId> ids;
  for (int i = 0; i < 5000; ++i) ids.push_back(registry.counter("c" + std::to_string(i)));
  for (const CounterId id : ids) shard.inc(id, id.index);
  for (int i = 0; i < 5000; i += 617)
    EXPECT_EQ(registry.value("c" + std::to_string(i)), ids[i].index);
}

TEST(RegistryTest, VisitsEachInOrderHoweverManyThereAre) {
  for (const int count : {0, 1, 255, 256, 257, 1000}) {
    Registry registry;
    std::set<std::string> expected;
    for (int i = 0; i < count; ++i) {
      expected.insert("c" + std::to_string(i));
      registry.counter("c" + std::to_string(i));
    }
    std::vector<std::string> seen;
    registry.for_each([&](const Sample& sample) { seen.emplace_back(sample.name); });
    EXPECT_EQ(seen, std::vector<std::string>(expected.begin(), expected.end())) << count;
  }
}

// A worker that needs a name does not wait until a long page of metrics is written.
TEST(RegistryTest, ANameMayBeGivenWhileMetricsAreRead) {
  Registry registry;
  registry.counter("a");
  registry.for_each([&](const Sample&) { registry.main_shard().inc(registry.counter("b")); });
  EXPECT_GE(registry.value("b"), 1u) << "it may be visited itself";
}

TEST(RegistryTest, ACellIsItsCounter) {
  Registry registry;
  Shard& shard = registry.new_shard();
  const CounterId counter = registry.counter("c");
  std::atomic<uint64_t>& cell = shard.cell(counter);
  cell.store(41);
  shard.inc(counter);
  EXPECT_EQ(registry.value("c"), 42u);
  for (int i = 0; i < 5000; ++i) registry.counter("more." + std::to_string(i));
  EXPECT_EQ(&shard.cell(counter), &cell) << "it moved";
}

TEST(StatusClassesTest, TheFirstDigitDecides) {
  Registry registry;
  Shard& shard = registry.new_shard();
  const StatusClasses classes(registry, "rq_");
  for (const uint16_t status : {100, 101, 199, 200, 204, 301, 404, 404, 503, 599}) {
    shard.inc(classes.of(status));
  }
  EXPECT_EQ(registry.value("rq_1xx"), 3u);
  EXPECT_EQ(registry.value("rq_2xx"), 2u);
  EXPECT_EQ(registry.value("rq_3xx"), 1u);
  EXPECT_EQ(registry.value("rq_4xx"), 2u);
  EXPECT_EQ(registry.value("rq_5xx"), 2u);
  for (const uint16_t status : {0, 42, 600, 999}) shard.inc(classes.of(status));
  EXPECT_EQ(registry.value("rq_5xx"), 6u);
}

// Meant for the thread sanitizer: writers, a reader, and new names at the same time.
TEST(RegistryTest, WritersAndReadersMayRunTogether) {
  Registry registry;
  const CounterId counter = registry.counter("c");
  const HistogramId histogram = registry.histogram("h");
  constexpr int kWriters = 3;
  constexpr uint64_t kRounds = 20'000;
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int i = 0; i < kWriters; ++i) {
    threads.emplace_back([&, shard = &registry.new_shard()] {
      for (uint64_t n = 0; n < kRounds; ++n) {
        shard->inc(counter);
        shard->record(histogram, n);
      }
    });
  }
  std::thread reader([&] {
    uint64_t last = 0;
    while (!stop) {
      const uint64_t now = registry.value("c");
      EXPECT_GE(now, last);
      last = now;
      registry.for_each([](const Sample&) {});
    }
  });
  for (int i = 0; i < 3000; ++i) registry.counter("late." + std::to_string(i));
  for (std::thread& thread : threads) thread.join();
  stop = true;
  reader.join();
  EXPECT_EQ(registry.value("c"), kWriters * kRounds);
  EXPECT_EQ(registry.value("h"), kWriters * kRounds);
}

}  // namespace
}  // namespace weir::stats
