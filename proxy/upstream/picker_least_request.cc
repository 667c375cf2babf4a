#include "proxy/upstream/picker_least_request.h"

#include <utility>

namespace weir::upstream {

LeastRequestPicker::LeastRequestPicker(std::shared_ptr<const BalancerPlan> plan, uint64_t seed)
    : plan_(std::move(plan)), destinations_(*plan_, seed) {
  const bool slow_start = plan_->config().slow_start_window_ms > 0;
  for (const HostGroup& group : plan_->groups()) {
    const uint64_t group_seed = mix_bits(seed ^ turns_.size());
    const bool weighted = slow_start || !group.equal_weights;
    turns_.push_back(weighted ? EdfQueue(group.weights, group_seed) : EdfQueue());
  }
}

uint32_t LeastRequestPicker::best_of_few(const HostGroup& group, const PickInput& input,
                                         uint64_t random) const {
  const auto size = static_cast<uint32_t>(group.hosts.size());
  uint32_t best = group.hosts[below(random = mix_bits(random), size)];
  for (uint32_t i = 1; i < plan_->config().choice_count; ++i) {
    const uint32_t other = group.hosts[below(random = mix_bits(random), size)];
    if (active_on(input, other) < active_on(input, best)) best = other;
  }
  return best;
}

uint32_t LeastRequestPicker::best_of_all(const HostGroup& group, const PickInput& input,
                                         uint64_t random) const {
  uint32_t best = group.hosts[0];
  uint32_t equals = 0;  // hosts seen with as few requests as `best`: each is kept with equal chance
  for (const uint32_t other : group.hosts) {
    const uint32_t active = active_on(input, other);
    const uint32_t least = active_on(input, best);
    if (active > least) continue;
    if (active < least) equals = 0;
    ++equals;
    if (equals == 1 || below(random = mix_bits(random), equals) == 0) best = other;
  }
  return best;
}

uint32_t LeastRequestPicker::next_turn(const HostGroup& group, EdfQueue& turns,
                                       const PickInput& input) const {
  const LoadBalancing& config = plan_->config();
  const uint32_t place = turns.top();
  const uint32_t endpoint = group.hosts[place];
  const double busy = active_on(input, endpoint) + 1.0;
  const double bias = config.active_request_bias;
  const double shrunk = bias == 1 ? busy : std::pow(busy, bias);
  const Endpoint& host = plan_->hosts().endpoints[endpoint];
  turns.end_turn(group.weights[place] / shrunk * slow_start_factor(config, host, input.now_ms));
  return endpoint;
}

int LeastRequestPicker::pick(const PickInput& input) {
  const Destination to = destinations_.choose(input.random);
  if (to.group == nullptr) return kNone;
  EdfQueue& turns = turns_[to.group_number];
  return pick_untried(*plan_, to, input, input.random, [&](uint32_t attempt) {
    if (!turns.empty()) return next_turn(*to.group, turns, input);
    if (plan_->config().full_scan) return best_of_all(*to.group, input, input.random + attempt);
    return best_of_few(*to.group, input, input.random + attempt);
  });
}

}  // namespace weir::upstream
