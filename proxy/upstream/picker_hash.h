#pragma once

#include "proxy/upstream/picker_common.h"

namespace weir::upstream {

// Consistent hashing by ring or Maglev table: equal hashes go to the same host for as long as it is
// there. A pick without a hash is random. With hash_balance_factor no host gets more than that
// percentage of the average load (Mirrokni et al., "Consistent Hashing with Bounded Loads").
class HashPicker : public Picker {
 public:
  HashPicker(std::shared_ptr<const BalancerPlan> plan, uint64_t seed);
  int pick(const PickInput& input) override;

 private:
  uint32_t find_room(const HostGroup& group, uint32_t owner, uint64_t hash,
                     const PickInput& input) const;

  std::shared_ptr<const BalancerPlan> plan_;
  DestinationChooser destinations_;
};

}  // namespace weir::upstream
