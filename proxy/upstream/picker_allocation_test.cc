// No picker uses the heap while it picks: this test counts what `operator new` is asked for.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "proxy/upstream/balancer_plan.h"
#include "proxy/upstream/load_balancer.h"
#include "proxy/upstream/random.h"

namespace {
std::atomic<uint64_t> allocations{0};
}  // namespace

// Not inlined, or the compiler sees malloc and free where it expects new and delete.
[[gnu::noinline]] void* operator new(size_t bytes) {
  ++allocations;
  void* memory = std::malloc(bytes);
  if (memory == nullptr) std::abort();
  return memory;
}
[[gnu::noinline]] void* operator new(size_t bytes, const std::nothrow_t&) noexcept {
  return operator new(bytes);
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept {
  std::free(memory);
}

namespace weir::upstream {
namespace {

std::shared_ptr<const HostSet> hosts() {
  HostSet set;
  set.localities = {{{"a", "", ""}, 0, 1}, {{"b", "", ""}, 0, 2}};
  for (uint32_t i = 0; i < 20; ++i) {
    Endpoint endpoint;
    endpoint.address_text = "10.0.0.1:" + std::to_string(i);
    endpoint.weight = 1 + i % 3;
    endpoint.locality = i % 2;
    endpoint.health = i % 4 == 0 ? Health::kUnhealthy : Health::kHealthy;
    set.endpoints.push_back(endpoint);
  }
  return std::make_shared<const HostSet>(std::move(set));
}

uint64_t allocations_of(const LoadBalancing& config) {
  const auto picker = make_picker(plan_balancing(config, hosts()), 1);
  const std::vector<uint32_t> active(20, 3);
  const uint32_t tried[] = {1, 2, 3, 5, 6, 7};
  const uint64_t before = allocations;
  for (uint64_t i = 0; i < 1000; ++i) {
    PickInput input;
    input.random = mix_bits(i);
    input.hash = mix_bits(i);
    input.active = active;
    if (i % 2 == 0) input.avoid = tried;
    input.now_ms = static_cast<int64_t>(i);
    if (picker->pick(input) == Picker::kNone) return UINT64_MAX;
  }
  return allocations - before;
}

TEST(PickerAllocation, PickingNeedsNoHeap) {
  using Kind = LoadBalancing::Kind;
  for (const Kind kind :
       {Kind::kRoundRobin, Kind::kLeastRequest, Kind::kRandom, Kind::kRingHash, Kind::kMaglev}) {
    LoadBalancing config;
    config.kind = kind;
    EXPECT_EQ(allocations_of(config), 0u) << static_cast<int>(kind);
    config.locality_weighted = true;
    config.slow_start_window_ms = 500;
    config.hash_balance_factor = 100;
    config.full_scan = true;
    EXPECT_EQ(allocations_of(config), 0u) << static_cast<int>(kind);
  }
}

TEST(PickerAllocation, TheCounterCounts) {
  const uint64_t before = allocations;
  const std::string long_text(1000, 'x');
  EXPECT_GT(allocations, before) << long_text.size();
}

}  // namespace
}  // namespace weir::upstream
