#pragma once

#include "proxy/upstream/picker_common.h"

namespace weir::upstream {

// Prefers hosts with fewer requests under way. Of equal weights: the best of a few random hosts, or
// of all with full_scan. Of different weights, and with slow start: takes turns by weights that
// shrink with the number of active requests.
class LeastRequestPicker : public Picker {
 public:
  LeastRequestPicker(std::shared_ptr<const BalancerPlan> plan, uint64_t seed);
  int pick(const PickInput& input) override;

 private:
  uint32_t best_of_few(const HostGroup& group, const PickInput& input, uint64_t random) const;
  uint32_t best_of_all(const HostGroup& group, const PickInput& input, uint64_t random) const;
  uint32_t next_turn(const HostGroup& group, EdfQueue& turns, const PickInput& input) const;

  std::shared_ptr<const BalancerPlan> plan_;
  DestinationChooser destinations_;
  std::vector<EdfQueue> turns_;  // per group; empty when all hosts have equal weights
};

}  // namespace weir::upstream
