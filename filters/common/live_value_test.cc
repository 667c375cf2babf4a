#include "filters/common/live_value.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

namespace weir::filters {
namespace {

TEST(LiveValue, IsWhatWasSetLast) {
  LiveValue<std::string> value(2);
  EXPECT_EQ(value.get(0), nullptr);
  value.set("one");
  value.set("two");
  ASSERT_NE(value.get(0), nullptr);
  EXPECT_EQ(*value.get(0), "two");
  const auto held = value.get(0);
  value.set("three");
  EXPECT_EQ(*value.get(0), "three");
  EXPECT_EQ(*held, "two");
  EXPECT_EQ(*value.get(1), "three");
}

TEST(LiveValue, ReachesWorkersThatRead) {
  constexpr uint32_t kWorkers = 3;
  constexpr int kLast = 2000;
  LiveValue<std::vector<int>> value(kWorkers);
  std::atomic<bool> ordered = true;
  std::vector<std::thread> workers;
  for (uint32_t worker = 0; worker < kWorkers; ++worker)
    workers.emplace_back([&, worker] {
      for (int seen = 0; seen < kLast;) {
        const auto now = value.get(worker);
        if (now == nullptr) continue;
        if (now->size() != 16 || now->front() < seen || now->back() != now->front())
          ordered = false;
        seen = now->front();
      }
    });
  for (int i = 1; i <= kLast; ++i) value.set(std::vector<int>(16, i));
  for (std::thread& worker : workers) worker.join();
  EXPECT_TRUE(ordered);
}

}  // namespace
}  // namespace weir::filters
