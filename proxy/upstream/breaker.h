#pragma once

#include <atomic>
#include <cstdint>

namespace weir::upstream {

class Lease;

// One circuit-breaker limit of a cluster, shared by all workers; each worker acquires through a
// Lease of its own. Exceeded by acquire_beyond() only. A limit of at most 16 per worker is exact.
// Of a larger one each worker keeps a few unused units, so that most acquisitions touch no shared
// memory: then a worker may be refused when no less than 15/16 of the limit are in use. One that is
// made `exact` is exact whatever its size: then held() is what is in use.
//
// Any thread. Outlives its leases.
class SharedLimit {
 public:
  SharedLimit(uint32_t max, uint32_t workers, bool exact = false)
      : workers_(workers == 0 ? 1 : workers), exact_(exact), max_(max) {}
  SharedLimit(const SharedLimit&) = delete;
  SharedLimit& operator=(const SharedLimit&) = delete;

  uint32_t max() const { return max_.load(std::memory_order_relaxed); }
  // A smaller limit takes nothing back: what is above it drains.
  void set_max(uint32_t max) { max_.store(max, std::memory_order_relaxed); }

  // Units that leases hold: those in use, and of a large limit some that are kept.
  uint32_t held() const { return held_.load(std::memory_order_relaxed); }

 private:
  friend class Lease;

  // Up to `wanted` units, as long as no more than `most` are held; 0 when none is left.
  uint32_t take(uint32_t wanted, uint32_t most);
  void give_back(uint32_t units) { held_.fetch_sub(units, std::memory_order_acq_rel); }

  const uint32_t workers_;
  const bool exact_;
  std::atomic<uint32_t> max_;
  // A cache line on each side, so that who reads a limit does not wait for those who acquire.
  [[maybe_unused]] char before_[64];
  std::atomic<uint32_t> held_{0};
  [[maybe_unused]] char after_[64];
};

// A worker's share in a SharedLimit. One thread; gives everything back when it ends.
class Lease {
 public:
  explicit Lease(SharedLimit& limit) : limit_(limit) { adapt(limit.max()); }
  ~Lease() { limit_.give_back(held_); }
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;

  // Takes one unit; false when the limit is reached.
  bool try_acquire() {
    const uint32_t max = limit_.max();
    if (max != adapted_to_) adapt(max);
    if (in_use_ == held_ && !refill()) return false;
    ++in_use_;
    return true;
  }

  // Takes one unit though the limit is reached, for who must not be refused.
  void acquire_beyond();

  // The same under a limit that holds for this time; of an exact limit only.
  bool try_acquire_below(uint32_t max);

  // Gives back a unit that was granted.
  void release() {
    --in_use_;
    if (held_ - in_use_ > keep_) give_back_surplus();
  }

  uint32_t in_use() const { return in_use_; }  // through this lease
  uint32_t max() const { return limit_.max(); }

 private:
  static constexpr uint64_t kUnsettled = UINT64_MAX;

  // Keeps nothing of the old limit, and nothing at all while more is held than the new one allows.
  void adapt(uint32_t max);
  bool refill();
  void give_back_surplus();

  SharedLimit& limit_;
  uint32_t in_use_ = 0;
  uint32_t held_ = 0;  // >= in_use_
  uint32_t keep_ = 0;  // unused units to keep at most; 0: exact
  uint64_t adapted_to_ = kUnsettled;
};

}  // namespace weir::upstream
