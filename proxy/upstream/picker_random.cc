#include "proxy/upstream/picker_random.h"

#include <utility>

namespace weir::upstream {
namespace {

uint32_t random_host(const HostGroup& group, uint64_t random) {
  const auto* weighted = std::get_if<AliasTable>(&group.table);
  if (weighted != nullptr) return group.hosts[weighted->pick(random)];
  return group.hosts[below(random, static_cast<uint32_t>(group.hosts.size()))];
}

}  // namespace

RandomPicker::RandomPicker(std::shared_ptr<const BalancerPlan> plan, uint64_t seed)
    : plan_(std::move(plan)), destinations_(*plan_, seed) {}

int RandomPicker::pick(const PickInput& input) {
  const Destination to = destinations_.choose(input.random);
  if (to.group == nullptr) return kNone;
  return pick_untried(*plan_, to, input, input.random, [&](uint32_t attempt) {
    return random_host(*to.group, mix_bits(input.random + attempt));
  });
}

}  // namespace weir::upstream
