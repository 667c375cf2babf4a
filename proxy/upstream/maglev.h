#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "proxy/upstream/ring.h"

namespace weir::upstream {

// The look-up table of Google's Maglev paper (Eisenbud et al., 2016), with weights: constant-time
// look-up and an almost equal share for each host, for slightly more disruption than a ring when
// hosts change. The table is filled as Envoy fills it. Immutable.
class MaglevTable {
 public:
  // `size` is a prime, and larger than the number of hosts.
  MaglevTable(std::span<const HashedHost> hosts, uint32_t size);

  // The endpoint that owns `hash`; `attempt` > 0 gives other, unrelated entries. Not empty.
  uint32_t look_up(uint64_t hash, uint64_t attempt = 0) const {
    return table_[(hash ^ (0 - attempt)) % table_.size()];
  }
  std::span<const uint32_t> entries() const { return table_; }
  bool empty() const { return table_.empty(); }

 private:
  std::vector<uint32_t> table_;
};

}  // namespace weir::upstream
