#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace weir::upstream {

// Weighted random choice in constant time (Walker and Vose's alias method). Immutable.
class AliasTable {
 public:
  // Each weight is > 0.
  explicit AliasTable(std::span<const double> weights);

  // The number of an entry, out of 64 random bits.
  uint32_t pick(uint64_t random) const;

 private:
  struct Slot {
    double keep;  // below this the slot's own entry is meant, else its alias
    uint32_t alias;
  };
  std::vector<Slot> slots_;
};

}  // namespace weir::upstream
