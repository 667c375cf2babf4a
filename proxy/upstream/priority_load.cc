#include "proxy/upstream/priority_load.h"

#include <algorithm>
#include <numeric>

namespace weir::upstream {
namespace {

constexpr uint32_t kAll = 100;

// Percent of the whole load that each priority could take.
struct Availability {
  std::vector<uint32_t> healthy;
  std::vector<uint32_t> degraded;
  uint32_t total = 0;  // capped at 100
};

uint32_t percent_available(uint64_t part, uint64_t whole, uint32_t overprovisioning_factor) {
  if (whole == 0) return 0;
  return static_cast<uint32_t>(std::min<uint64_t>(kAll, part * overprovisioning_factor / whole));
}

Availability measure(std::span<const PriorityHosts> priorities, const PriorityPolicy& policy) {
  Availability out;
  uint64_t total = 0;
  for (const PriorityHosts& p : priorities) {
    const bool by_weight = policy.weighted_health;
    const uint64_t whole = by_weight ? p.weight : p.hosts;
    const uint64_t healthy = by_weight ? p.healthy_weight : p.healthy;
    const uint64_t degraded = by_weight ? p.degraded_weight : p.degraded;
    out.healthy.push_back(percent_available(healthy, whole, policy.overprovisioning_factor));
    out.degraded.push_back(percent_available(degraded, whole, policy.overprovisioning_factor));
    total += out.healthy.back() + out.degraded.back();
  }
  out.total = static_cast<uint32_t>(std::min<uint64_t>(kAll, total));
  return out;
}

// Fills `load` in order of priority until `remaining` is used up; returns what is left.
uint32_t fill(std::vector<uint32_t>& load, const std::vector<uint32_t>& available,
              uint32_t remaining, uint32_t total_available) {
  for (size_t i = 0; i < available.size(); ++i) {
    load[i] = std::min(remaining, available[i] * kAll / total_available);
    remaining -= load[i];
  }
  return remaining;
}

// What integer division left over goes to the first priority that has anything to offer.
void add_rounding_rest(PriorityLoads& loads, const Availability& available, uint32_t rest) {
  for (size_t i = 0; i < available.healthy.size() && rest != 0; ++i) {
    if (available.healthy[i] == 0) continue;
    loads.healthy[i] += rest;
    return;
  }
  for (size_t i = 0; i < available.degraded.size() && rest != 0; ++i) {
    if (available.degraded[i] == 0) continue;
    loads.degraded[i] += rest;
    return;
  }
}

bool below_threshold(const PriorityHosts& p, uint32_t threshold_percent) {
  const uint64_t usable = uint64_t{p.healthy} + p.degraded;
  if (p.hosts == 0) return threshold_percent > 0;
  return usable * kAll < uint64_t{threshold_percent} * p.hosts;
}

// Every priority panics: health says nothing any more, so the number of hosts decides.
void share_by_host_count(PriorityLoads& loads, std::span<const PriorityHosts> priorities) {
  const uint64_t hosts =
      std::accumulate(priorities.begin(), priorities.end(), uint64_t{0},
                      [](uint64_t sum, const PriorityHosts& p) { return sum + p.hosts; });
  std::fill(loads.healthy.begin(), loads.healthy.end(), 0);
  std::fill(loads.degraded.begin(), loads.degraded.end(), 0);
  if (hosts == 0) {
    loads.healthy[0] = kAll;
    return;
  }
  uint32_t rest = kAll;
  size_t first = priorities.size();
  for (size_t i = 0; i < priorities.size(); ++i) {
    if (priorities[i].hosts > 0) first = std::min(first, i);
    loads.healthy[i] = static_cast<uint32_t>(uint64_t{kAll} * priorities[i].hosts / hosts);
    rest -= loads.healthy[i];
  }
  loads.healthy[first] += rest;
}

}  // namespace

PriorityLoads distribute_load(std::span<const PriorityHosts> priorities,
                              const PriorityPolicy& policy) {
  const size_t count = priorities.size();
  PriorityLoads loads{std::vector<uint32_t>(count), std::vector<uint32_t>(count),
                      std::vector<bool>(count)};
  if (count == 0) return loads;
  const Availability available = measure(priorities, policy);
  if (available.total > 0) {
    uint32_t rest = fill(loads.healthy, available.healthy, kAll, available.total);
    rest = fill(loads.degraded, available.degraded, rest, available.total);
    add_rounding_rest(loads, available, rest);
  }
  if (available.total == kAll) return loads;
  bool all_panic = true;
  for (size_t i = 0; i < count; ++i) {
    loads.panic[i] = below_threshold(priorities[i], policy.panic_threshold_percent);
    all_panic = all_panic && loads.panic[i];
  }
  if (all_panic)
    share_by_host_count(loads, priorities);
  else if (available.total == 0)
    loads.healthy[0] = kAll;  // nothing is fit, and the threshold forbids panic
  return loads;
}

}  // namespace weir::upstream
