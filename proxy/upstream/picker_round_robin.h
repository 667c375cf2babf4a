#pragma once

#include "proxy/upstream/picker_common.h"

namespace weir::upstream {

// Takes turns. Hosts of equal weight in the order of the configuration; otherwise, and with slow
// start, by earliest deadline first.
class RoundRobinPicker : public Picker {
 public:
  RoundRobinPicker(std::shared_ptr<const BalancerPlan> plan, uint64_t seed);
  int pick(const PickInput& input) override;

 private:
  struct Turns {
    uint32_t next = 0;  // place in HostGroup::hosts
    EdfQueue weighted;  // empty when all hosts have equal turns
  };

  uint32_t next_in(const HostGroup& group, Turns& turns, int64_t now_ms);

  std::shared_ptr<const BalancerPlan> plan_;
  DestinationChooser destinations_;
  std::vector<Turns> turns_;  // per group
};

}  // namespace weir::upstream
