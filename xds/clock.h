#pragma once

#include <cstdint>

namespace weir::xds {

// Time and chance, as a process has them. Main thread.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual int64_t now_ms() = 0;  // monotonic
  virtual int64_t wall_ms() = 0;
  virtual uint64_t random() = 0;
  // Calls tick() of whoever asks at that time, or a little later; replaces what was asked for
  // before.
  virtual void wake_at(int64_t when_ms) = 0;
};

}  // namespace weir::xds
