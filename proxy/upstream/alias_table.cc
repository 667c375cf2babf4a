#include "proxy/upstream/alias_table.h"

#include <numeric>

#include "proxy/upstream/random.h"

namespace weir::upstream {

AliasTable::AliasTable(std::span<const double> weights) {
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  std::vector<uint32_t> poor;
  std::vector<uint32_t> rich;
  for (uint32_t i = 0; i < weights.size(); ++i) {
    const double share = weights[i] * static_cast<double>(weights.size()) / sum;
    slots_.push_back({share, i});
    (share < 1 ? poor : rich).push_back(i);
  }
  // Each poor slot is filled up by a rich entry, which may become poor itself.
  while (!poor.empty() && !rich.empty()) {
    const uint32_t low = poor.back();
    const uint32_t high = rich.back();
    poor.pop_back();
    slots_[low].alias = high;
    slots_[high].keep -= 1 - slots_[low].keep;
    if (slots_[high].keep >= 1) continue;
    rich.pop_back();
    poor.push_back(high);
  }
}

uint32_t AliasTable::pick(uint64_t random) const {
  const uint32_t slot = below(random, static_cast<uint32_t>(slots_.size()));
  return unit(mix_bits(random)) < slots_[slot].keep ? slot : slots_[slot].alias;
}

}  // namespace weir::upstream
