#include "proxy/upstream/breaker.h"

#include <algorithm>

namespace weir::upstream {
namespace {

constexpr uint32_t kKeptFraction = 16;  // all workers together keep at most 1/16 of the limit
constexpr uint32_t kMostKept = 1024;    // per worker; more would save nothing

}  // namespace

uint32_t SharedLimit::take(uint32_t wanted, uint32_t most) {
  uint32_t held = held_.load(std::memory_order_relaxed);
  uint32_t got = 0;
  do {
    if (held >= most) return 0;
    got = std::min(wanted, most - held);
  } while (!held_.compare_exchange_weak(held, held + got, std::memory_order_acq_rel,
                                        std::memory_order_relaxed));
  return got;
}

void Lease::adapt(uint32_t max) {
  limit_.give_back(held_ - in_use_);
  held_ = in_use_;
  const bool draining = limit_.held() > max;
  adapted_to_ = draining ? kUnsettled : max;
  if (draining || limit_.exact_) {
    keep_ = 0;
    return;
  }
  const uint64_t share = max == 0 ? 0 : (max - 1) / (uint64_t{kKeptFraction} * limit_.workers_);
  keep_ = static_cast<uint32_t>(std::min<uint64_t>(share, kMostKept));
}

bool Lease::refill() {
  // Half of what may be kept leaves room for releases that give nothing back.
  const uint32_t got = limit_.take(1 + keep_ / 2, limit_.max());
  held_ += got;
  return got > 0;
}

bool Lease::try_acquire_below(uint32_t max) {
  const uint32_t got = limit_.take(1, max);
  held_ += got;
  in_use_ += got;
  return got > 0;
}

// Nothing is kept until what is beyond the limit has drained.
void Lease::acquire_beyond() {
  limit_.held_.fetch_add(1, std::memory_order_acq_rel);
  ++held_;
  ++in_use_;
  keep_ = 0;
  adapted_to_ = kUnsettled;
}

void Lease::give_back_surplus() {
  const uint32_t surplus = held_ - in_use_ - keep_ / 2;
  held_ -= surplus;
  limit_.give_back(surplus);
}

}  // namespace weir::upstream
