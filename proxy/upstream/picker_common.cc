#include "proxy/upstream/picker_common.h"

namespace weir::upstream {

DestinationChooser::DestinationChooser(const BalancerPlan& plan, uint64_t seed) : plan_(&plan) {
  for (const Tier& tier : plan.tiers())
    localities_.emplace_back(tier.locality_weights, mix_bits(seed + localities_.size()));
}

Destination DestinationChooser::choose(uint64_t hash) {
  const uint32_t number = plan_->tier_of(hash);
  const Tier& tier = plan_->tiers()[number];
  if (tier.group_count == 0) return {};
  uint32_t group = tier.first_group;
  if (EdfQueue& turns = localities_[number]; !turns.empty()) {
    const uint32_t locality = turns.top();
    turns.end_turn(tier.locality_weights[locality]);
    group += locality;
  }
  return {&tier, &plan_->groups()[group], group};
}

namespace {

// Endpoints of a group differ from each other, so one more than were tried are enough to look at.
int first_untried_in(const HostGroup& group, std::span<const uint32_t> avoid, uint64_t hash) {
  const size_t size = group.hosts.size();
  const size_t start = below(mix_bits(hash), static_cast<uint32_t>(size));
  for (size_t i = 0; i < std::min(size, avoid.size() + 1); ++i) {
    const uint32_t endpoint = group.hosts[(start + i) % size];
    if (!was_tried(avoid, endpoint)) return static_cast<int>(endpoint);
  }
  return Picker::kNone;
}

}  // namespace

int first_untried(const BalancerPlan& plan, const Destination& to, std::span<const uint32_t> avoid,
                  uint64_t hash) {
  int found = first_untried_in(*to.group, avoid, hash);
  for (const HostGroup& group : plan.groups_of(*to.tier)) {
    if (found != Picker::kNone) break;
    found = first_untried_in(group, avoid, hash);
  }
  return found;
}

double slow_start_factor(const LoadBalancing& config, const Endpoint& endpoint, int64_t now_ms) {
  const int64_t window_ms = config.slow_start_window_ms;
  if (window_ms == 0) return 1;
  const int64_t age_ms = std::max<int64_t>(1, now_ms - endpoint.added_ms);
  if (age_ms >= window_ms || endpoint.health != Health::kHealthy) return 1;
  double factor = static_cast<double>(age_ms) / static_cast<double>(window_ms);
  if (config.slow_start_aggression != 1)
    factor = std::pow(factor, 1 / config.slow_start_aggression);
  return std::max(factor, config.slow_start_min_weight_percent / 100);
}

}  // namespace weir::upstream
