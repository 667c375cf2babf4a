#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace weir::bench {

// Counts durations in buckets of at most 1/64 of their value, from 1 ns to 18 minutes.
class Histogram {
 public:
  void add(int64_t ns) {
    const auto value = static_cast<uint64_t>(ns < 1 ? 1 : ns);
    ++counts_[index_of(value)];
    ++total_;
    if (value > max_) max_ = value;
  }

  // The smallest duration in microseconds that the given share of all does not exceed.
  double quantile_us(double share) const {
    const auto wanted = static_cast<uint64_t>(share * static_cast<double>(total_));
    uint64_t seen = 0;
    for (size_t i = 0; i < counts_.size(); ++i) {
      seen += counts_[i];
      if (seen > wanted) return static_cast<double>(upper_bound_of(i)) / 1000;
    }
    return max_us();
  }
  double max_us() const { return static_cast<double>(max_) / 1000; }
  uint64_t total() const { return total_; }

 private:
  static constexpr unsigned kSteps = 6;  // 2^6 buckets for each power of two

  static size_t index_of(uint64_t value) {
    const unsigned bits = static_cast<unsigned>(std::bit_width(value)) - 1;
    if (bits < kSteps) return static_cast<size_t>(value);
    const uint64_t step = (value >> (bits - kSteps)) - (1u << kSteps);
    const size_t index = (static_cast<size_t>(bits - kSteps + 1) << kSteps) + step;
    return index < kBuckets ? index : kBuckets - 1;
  }
  static uint64_t upper_bound_of(size_t index) {
    if (index < (1u << kSteps)) return index;
    const size_t shift = (index >> kSteps) - 1;
    return (((index & ((1u << kSteps) - 1)) + (1u << kSteps) + 1) << shift) - 1;
  }

  static constexpr size_t kBuckets = 36u << kSteps;
  std::array<uint64_t, kBuckets> counts_{};
  uint64_t total_ = 0;
  uint64_t max_ = 0;
};

}  // namespace weir::bench
