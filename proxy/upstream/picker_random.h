#pragma once

#include "proxy/upstream/picker_common.h"

namespace weir::upstream {

// Any host, by chance, in proportion to its weight.
class RandomPicker : public Picker {
 public:
  RandomPicker(std::shared_ptr<const BalancerPlan> plan, uint64_t seed);
  int pick(const PickInput& input) override;

 private:
  std::shared_ptr<const BalancerPlan> plan_;
  DestinationChooser destinations_;
};

}  // namespace weir::upstream
