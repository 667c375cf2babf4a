#include "proxy/upstream/load_balancer.h"

#include <utility>

#include "proxy/upstream/picker_hash.h"
#include "proxy/upstream/picker_least_request.h"
#include "proxy/upstream/picker_random.h"
#include "proxy/upstream/picker_round_robin.h"

namespace weir::upstream {

std::unique_ptr<Picker> make_picker(std::shared_ptr<const BalancerPlan> plan, uint64_t seed) {
  switch (plan->config().kind) {
    case LoadBalancing::Kind::kLeastRequest:
      return std::make_unique<LeastRequestPicker>(std::move(plan), seed);
    case LoadBalancing::Kind::kRandom:
      return std::make_unique<RandomPicker>(std::move(plan), seed);
    case LoadBalancing::Kind::kRingHash:
    case LoadBalancing::Kind::kMaglev:
      return std::make_unique<HashPicker>(std::move(plan), seed);
    case LoadBalancing::Kind::kRoundRobin:
    case LoadBalancing::Kind::kClusterProvided:
      break;
  }
  return std::make_unique<RoundRobinPicker>(std::move(plan), seed);
}

}  // namespace weir::upstream
