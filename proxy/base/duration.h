#pragma once

#include <algorithm>
#include <cstdint>

namespace weir {

// google.protobuf.Duration (any type with seconds() and nanos()) in whole milliseconds. A positive
// one is at least 1, so that a short timeout does not turn into none.
template <class Duration>
int64_t to_ms(const Duration& duration) {
  const int64_t nanos = duration.nanos();
  const int64_t ms = duration.seconds() * 1000 + nanos / 1'000'000;
  return duration.seconds() == 0 && nanos > 0 ? std::max<int64_t>(ms, 1) : ms;
}

}  // namespace weir
