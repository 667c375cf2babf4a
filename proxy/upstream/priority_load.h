#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace weir::upstream {

// The hosts of one priority, counted and weighed.
struct PriorityHosts {
  uint32_t hosts = 0;
  uint32_t healthy = 0;
  uint32_t degraded = 0;
  uint64_t weight = 0;
  uint64_t healthy_weight = 0;
  uint64_t degraded_weight = 0;
};

struct PriorityPolicy {
  uint32_t overprovisioning_factor = 140;  // percent
  bool weighted_health = false;            // availability by weight instead of by number of hosts
  uint32_t panic_threshold_percent = 50;   // 0: never panic
};

// Per priority: percent of all picks that go to its healthy and to its degraded hosts, and whether
// its health is so poor that picks there ignore health. The percentages of all priorities sum up to
// 100, also when nothing is fit to be picked.
struct PriorityLoads {
  std::vector<uint32_t> healthy;
  std::vector<uint32_t> degraded;
  std::vector<bool> panic;
};

// Envoy's rules: a priority takes min(100, overprovisioning_factor * healthy share) percent, what
// it leaves goes to the next; degraded hosts come after every healthy one; when the cluster as a
// whole cannot take 100 percent, priorities below the panic threshold use all their hosts.
PriorityLoads distribute_load(std::span<const PriorityHosts> priorities,
                              const PriorityPolicy& policy);

}  // namespace weir::upstream
