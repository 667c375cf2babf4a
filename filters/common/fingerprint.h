#pragma once

#include <cstdint>
#include <string_view>

namespace weir::filters {

// A keyed hash (SipHash-2-4) with a key made at random, so that nobody outside can choose texts
// whose fingerprints collide. Immutable: any thread.
class Fingerprint {
 public:
  Fingerprint();

  uint64_t of(std::string_view text) const;

 private:
  uint64_t key_[2];
};

}  // namespace weir::filters
