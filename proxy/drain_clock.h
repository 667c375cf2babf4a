#pragma once

#include <algorithm>
#include <cstdint>

namespace weir {

enum class DrainStrategy : uint8_t { kGradual, kImmediate };

// How far the draining of a listener is. Gradual: the share of connections that are asked to end
// rises with the time, so that their clients do not all come again at once. A value; one loop.
class DrainClock {
 public:
  // A second start changes nothing, unless it hurries.
  void start(int64_t now_ms, int64_t time_ms, DrainStrategy strategy) {
    if (started_ && strategy == DrainStrategy::kGradual) return;
    started_ = true;
    began_ms_ = now_ms;
    time_ms_ = strategy == DrainStrategy::kImmediate ? 0 : time_ms;
  }
  bool started() const { return started_; }

  // 0 before it starts, 1 when all are asked to end.
  double progress(int64_t now_ms) const {
    if (!started_) return 0;
    if (now_ms - began_ms_ >= time_ms_) return 1;
    return static_cast<double>(now_ms - began_ms_) / static_cast<double>(time_ms_);
  }
  // Whether a response that begins now is its connection's last. `random`: 64 random bits.
  bool ends_connection(int64_t now_ms, uint64_t random) const {
    return started_ && unit(random) < progress(now_ms);
  }
  // Of the connections that have not been asked to end yet, the share whose turn has come since the
  // last call.
  double take_share(int64_t now_ms) {
    const double before = told_;
    told_ = std::max(told_, progress(now_ms));
    return before >= 1 ? 0 : (told_ - before) / (1 - before);
  }

  // Evenly in [0, 1).
  static double unit(uint64_t random) { return static_cast<double>(random >> 11) * 0x1p-53; }

 private:
  bool started_ = false;
  int64_t began_ms_ = 0;
  int64_t time_ms_ = 0;
  double told_ = 0;
};

}  // namespace weir
