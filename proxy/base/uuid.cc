#include "proxy/base/uuid.h"

#include <array>
#include <cstddef>
#include <cstring>

namespace weir {
namespace {

// "000102...ff"
constexpr std::array<char, 512> hex_pairs() {
  std::array<char, 512> pairs{};
  for (size_t i = 0; i < 256; ++i) {
    pairs[2 * i] = "0123456789abcdef"[i / 16];
    pairs[2 * i + 1] = "0123456789abcdef"[i % 16];
  }
  return pairs;
}
constexpr std::array<char, 512> kHexPairs = hex_pairs();

}  // namespace

void write_uuid4(uint64_t high, uint64_t low, char* out) {
  high = (high & ~0xf000ull) | 0x4000ull;                       // version 4
  low = (low & 0x3fffffffffffffffull) | 0x8000000000000000ull;  // variant 10
  // The bytes of `word` from bit `shift` downwards, two characters each.
  const auto put = [&out](uint64_t word, int shift, int bytes) {
    for (int i = 0; i < bytes; ++i, shift -= 8, out += 2)
      std::memcpy(out, kHexPairs.data() + 2 * ((word >> shift) & 0xff), 2);
  };
  put(high, 56, 4);
  *out++ = '-';
  put(high, 24, 2);
  *out++ = '-';
  put(high, 8, 2);
  *out++ = '-';
  put(low, 56, 2);
  *out++ = '-';
  put(low, 40, 6);
}

}  // namespace weir
