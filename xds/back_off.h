#pragma once

#include <algorithm>
#include <cstdint>

namespace weir::xds {

// How long to wait before the next attempt: at random between 0 and a bound that doubles with each
// attempt, so that proxies that lost the same control plane do not come back together.
class BackOff {
 public:
  BackOff(int64_t base_ms, int64_t max_ms)
      : base_ms_(std::max<int64_t>(base_ms, 1)),
        max_ms_(std::max(max_ms, base_ms_)),
        bound_ms_(base_ms_) {}

  int64_t next_ms(uint64_t random) {
    const int64_t bound_ms = bound_ms_;
    bound_ms_ = bound_ms > max_ms_ / 2 ? max_ms_ : bound_ms * 2;
    return static_cast<int64_t>(random % static_cast<uint64_t>(bound_ms));
  }
  void reset() { bound_ms_ = base_ms_; }

 private:
  int64_t base_ms_;
  int64_t max_ms_;
  int64_t bound_ms_;
};

}  // namespace weir::xds
