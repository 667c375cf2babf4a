#include "proxy/upstream/picker_round_robin.h"

#include <utility>

namespace weir::upstream {

RoundRobinPicker::RoundRobinPicker(std::shared_ptr<const BalancerPlan> plan, uint64_t seed)
    : plan_(std::move(plan)), destinations_(*plan_, seed) {
  const bool slow_start = plan_->config().slow_start_window_ms > 0;
  for (const HostGroup& group : plan_->groups()) {
    const uint64_t group_seed = mix_bits(seed ^ turns_.size());
    Turns& turns = turns_.emplace_back();
    if (slow_start || !group.equal_weights)
      turns.weighted = EdfQueue(group.weights, group_seed);
    else
      turns.next = below(group_seed, static_cast<uint32_t>(group.hosts.size()));
  }
}

uint32_t RoundRobinPicker::next_in(const HostGroup& group, Turns& turns, int64_t now_ms) {
  if (turns.weighted.empty()) {
    const uint32_t place = turns.next;
    turns.next = place + 1 == group.hosts.size() ? 0 : place + 1;
    return group.hosts[place];
  }
  const uint32_t place = turns.weighted.top();
  const uint32_t endpoint = group.hosts[place];
  const Endpoint& host = plan_->hosts().endpoints[endpoint];
  turns.weighted.end_turn(group.weights[place] * slow_start_factor(plan_->config(), host, now_ms));
  return endpoint;
}

int RoundRobinPicker::pick(const PickInput& input) {
  const Destination to = destinations_.choose(input.random);
  if (to.group == nullptr) return kNone;
  Turns& turns = turns_[to.group_number];
  return pick_untried(*plan_, to, input, input.random,
                      [&](uint32_t) { return next_in(*to.group, turns, input.now_ms); });
}

}  // namespace weir::upstream
