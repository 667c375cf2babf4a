#pragma once

#include <cstdint>
#include <string>

#include "proxy/stats/registry.h"

namespace weir::stats {

// Responses by the first digit of their status: the counters `<prefix>1xx` to `<prefix>5xx`.
struct StatusClasses {
  StatusClasses() = default;
  StatusClasses(Registry& registry, const std::string& prefix) {
    for (int i = 0; i < kCount; ++i)
      counters[i] = registry.counter(prefix + static_cast<char>('1' + i) + "xx");
  }

  // What is in none of them is an error of the server's.
  CounterId of(uint16_t status) const {
    const int digit = status / 100;
    return counters[digit >= 1 && digit < kCount ? digit - 1 : kCount - 1];
  }

  static constexpr int kCount = 5;
  CounterId counters[kCount];
};

}  // namespace weir::stats
