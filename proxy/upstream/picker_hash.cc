#include "proxy/upstream/picker_hash.h"

#include <numeric>
#include <utility>

namespace weir::upstream {
namespace {

uint32_t look_up(const HostGroup& group, uint64_t hash, uint32_t attempt) {
  const auto* ring = std::get_if<Ring>(&group.table);
  if (ring != nullptr) return ring->look_up(hash, attempt);
  return std::get<MaglevTable>(group.table).look_up(hash, attempt);
}

// How full a host is: 1 when it has all the requests that its weight grants it.
double fullness(uint32_t active, double weight, uint64_t total_slots) {
  const double slots = std::max(1.0, std::ceil(static_cast<double>(total_slots) * weight));
  return active / slots;
}

double weight_of(const HostGroup& group, uint32_t endpoint) {
  const auto at = std::find(group.hosts.begin(), group.hosts.end(), endpoint);
  return group.weights[static_cast<size_t>(at - group.hosts.begin())];
}

}  // namespace

HashPicker::HashPicker(std::shared_ptr<const BalancerPlan> plan, uint64_t seed)
    : plan_(std::move(plan)), destinations_(*plan_, seed) {}

// The owner of the hash, unless it is full; then the first host with room in an order that the hash
// decides, so that the overflow of one host spreads over all; else the least full.
uint32_t HashPicker::find_room(const HostGroup& group, uint32_t owner, uint64_t hash,
                               const PickInput& input) const {
  const uint64_t active = std::accumulate(input.active.begin(), input.active.end(), uint64_t{0});
  const uint64_t total_slots = ((active + 1) * plan_->config().hash_balance_factor + 99) / 100;
  double least = fullness(active_on(input, owner), weight_of(group, owner), total_slots);
  if (least <= 1) return owner;
  const auto size = static_cast<uint32_t>(group.hosts.size());
  uint64_t random = mix_bits(hash);
  uint32_t step = 1 + below(random, size);
  while (std::gcd(step, size) != 1) ++step;  // so that the walk meets every host
  uint64_t place = below(random = mix_bits(random), size);
  uint32_t best = owner;
  for (uint32_t i = 0; i < size; ++i, place = (place + step) % size) {
    const uint32_t other = group.hosts[place];
    const double full = fullness(active_on(input, other), group.weights[place], total_slots);
    if (full <= 1) return other;
    if (full >= least) continue;
    least = full;
    best = other;
  }
  return best;
}

int HashPicker::pick(const PickInput& input) {
  const uint64_t hash = input.hash.value_or(input.random);
  const Destination to = destinations_.choose(hash);
  if (to.group == nullptr) return kNone;
  const bool bounded = plan_->config().hash_balance_factor != 0;
  return pick_untried(*plan_, to, input, hash, [&](uint32_t attempt) {
    const uint32_t owner = look_up(*to.group, hash, attempt);
    return bounded ? find_room(*to.group, owner, hash + attempt, input) : owner;
  });
}

}  // namespace weir::upstream
