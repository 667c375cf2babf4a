#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "proxy/upstream/balancer_plan.h"
#include "proxy/upstream/edf_queue.h"
#include "proxy/upstream/load_balancer.h"
#include "proxy/upstream/random.h"

namespace weir::upstream {

// Where a pick goes: the tier of its priority, then a locality of it. Null `group`: nowhere.
struct Destination {
  const Tier* tier = nullptr;
  const HostGroup* group = nullptr;
  uint32_t group_number = 0;
};

// Chooses priority and locality; what every picker begins with. Holds a worker's turns of the
// weighted localities. One thread.
class DestinationChooser {
 public:
  DestinationChooser(const BalancerPlan& plan, uint64_t seed);
  Destination choose(uint64_t hash);

 private:
  const BalancerPlan* plan_;
  std::vector<EdfQueue> localities_;  // per tier; empty where there is no choice
};

inline bool was_tried(std::span<const uint32_t> avoid, uint32_t endpoint) {
  return std::find(avoid.begin(), avoid.end(), endpoint) != avoid.end();
}

// An endpoint of the destination that was not tried yet, looked for from a place that `hash`
// decides, first in the group and then in the whole tier; kNone when all were tried.
int first_untried(const BalancerPlan& plan, const Destination& to, std::span<const uint32_t> avoid,
                  uint64_t hash);

// Calls `next(attempt)` until it gives an endpoint that was not tried yet. When it keeps giving
// tried ones, takes any other; when there is none, one that was tried.
template <class Next>
int pick_untried(const BalancerPlan& plan, const Destination& to, const PickInput& input,
                 uint64_t hash, Next next) {
  const uint32_t first = next(uint32_t{0});
  if (input.avoid.empty() || !was_tried(input.avoid, first)) return static_cast<int>(first);
  const int other = first_untried(plan, to, input.avoid, hash);
  if (other == Picker::kNone) return static_cast<int>(first);
  constexpr uint32_t kAttempts = 8;
  for (uint32_t attempt = 1; attempt < kAttempts; ++attempt) {
    const uint32_t choice = next(attempt);
    if (!was_tried(input.avoid, choice)) return static_cast<int>(choice);
  }
  return other;
}

inline uint32_t active_on(const PickInput& input, uint32_t endpoint) {
  return endpoint < input.active.size() ? input.active[endpoint] : 0;
}

// Part of its weight that an endpoint has while it is new: (age / window)^(1 / aggression), at
// least the configured minimum; afterwards 1. A window of 0 is no slow start.
double slow_start_factor(const LoadBalancing& config, const Endpoint& endpoint, int64_t now_ms);

}  // namespace weir::upstream
