#pragma once

#include <cstdint>

namespace weir::upstream {

// One step of SplitMix64: turns a counter or a poor hash into well spread bits. Not for secrets.
inline uint64_t mix_bits(uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

// A number below `bound` out of 64 random bits, without division; the bias is below bound / 2^32.
inline uint32_t below(uint64_t random, uint32_t bound) {
  return static_cast<uint32_t>(((random >> 32) * bound) >> 32);
}

// A number in [0, 1) out of 64 random bits.
inline double unit(uint64_t random) {
  return static_cast<double>(random >> 11) * 0x1p-53;
}

}  // namespace weir::upstream
