#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "proxy/upstream/endpoint.h"

namespace weir::upstream {

struct LoadBalancing;

// What a choice may depend on besides the hosts.
struct PickInput {
  uint64_t random = 0;               // fresh for each pick
  std::optional<uint64_t> hash;      // of the route's hash policies
  std::span<const uint32_t> active;  // requests under way per endpoint, of this worker
  std::span<const uint32_t> avoid;   // endpoints already tried for this request
  int64_t now_ms = 0;                // monotonic
};

// One worker's way of choosing among one HostSet. Implementations: round robin, least request,
// random, ring hash, Maglev, each within the priority and locality that are chosen first. One
// thread. Tables that do not change (ring, Maglev) are shared between workers.
class Picker {
 public:
  static constexpr int kNone = -1;
  virtual ~Picker() = default;

  // An index into HostSet::endpoints, or kNone when nothing is fit to be chosen. No heap use.
  virtual int pick(const PickInput& input) = 0;
};

// Everything of a HostSet that all workers share for balancing: priority loads, locality weights,
// rings. Built on the main thread. Immutable. `before` is the plan that the new one takes the place
// of: a worker that has it moves its hosts by what is found out here, once for all workers.
// `zones`: for routing by zones; null: nothing is known of them.
class BalancerPlan;
struct ZoneView;
std::shared_ptr<const BalancerPlan> plan_balancing(
    const LoadBalancing& config, std::shared_ptr<const HostSet> hosts,
    const std::shared_ptr<const BalancerPlan>& before = nullptr, const ZoneView* zones = nullptr);
// A worker's picker over a plan.
std::unique_ptr<Picker> make_picker(std::shared_ptr<const BalancerPlan> plan, uint64_t seed);

}  // namespace weir::upstream
