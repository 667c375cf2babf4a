#include "proxy/base/hash.h"

#include <bit>
#include <cstddef>
#include <cstring>

namespace weir {

// Both algorithms are defined on little-endian words.
static_assert(std::endian::native == std::endian::little);

namespace {

constexpr uint64_t kPrime1 = 0x9e3779b185ebca87;
constexpr uint64_t kPrime2 = 0xc2b2ae3d27d4eb4f;
constexpr uint64_t kPrime3 = 0x165667b19e3779f9;
constexpr uint64_t kPrime4 = 0x85ebca77c2b2ae63;
constexpr uint64_t kPrime5 = 0x27d4eb2f165667c5;

template <class Word>
Word load(const char* at) {
  Word word;
  std::memcpy(&word, at, sizeof(word));
  return word;
}

uint64_t xx_round(uint64_t lane, uint64_t input) {
  return std::rotl(lane + input * kPrime2, 31) * kPrime1;
}

uint64_t xx_merge(uint64_t hash, uint64_t lane) {
  return (hash ^ xx_round(0, lane)) * kPrime1 + kPrime4;
}

// The stripes of 32 bytes; moves `at` behind the last one.
uint64_t xx_stripes(const char*& at, const char* end, uint64_t seed) {
  uint64_t a = seed + kPrime1 + kPrime2;
  uint64_t b = seed + kPrime2;
  uint64_t c = seed;
  uint64_t d = seed - kPrime1;
  for (; end - at >= 32; at += 32) {
    a = xx_round(a, load<uint64_t>(at));
    b = xx_round(b, load<uint64_t>(at + 8));
    c = xx_round(c, load<uint64_t>(at + 16));
    d = xx_round(d, load<uint64_t>(at + 24));
  }
  uint64_t hash = std::rotl(a, 1) + std::rotl(b, 7) + std::rotl(c, 12) + std::rotl(d, 18);
  hash = xx_merge(hash, a);
  hash = xx_merge(hash, b);
  hash = xx_merge(hash, c);
  return xx_merge(hash, d);
}

// The last, at most 31, bytes.
uint64_t xx_tail(uint64_t hash, const char* at, const char* end) {
  for (; end - at >= 8; at += 8)
    hash = std::rotl(hash ^ xx_round(0, load<uint64_t>(at)), 27) * kPrime1 + kPrime4;
  if (end - at >= 4) {
    hash = std::rotl(hash ^ (load<uint32_t>(at) * kPrime1), 23) * kPrime2 + kPrime3;
    at += 4;
  }
  for (; at != end; ++at)
    hash = std::rotl(hash ^ (static_cast<uint8_t>(*at) * kPrime5), 11) * kPrime1;
  return hash;
}

}  // namespace

uint64_t xxhash64(std::string_view bytes, uint64_t seed) {
  const char* at = bytes.data();
  const char* end = at + bytes.size();
  uint64_t hash = bytes.size() >= 32 ? xx_stripes(at, end, seed) : seed + kPrime5;
  hash = xx_tail(hash + bytes.size(), at, end);
  hash = (hash ^ (hash >> 33)) * kPrime2;
  hash = (hash ^ (hash >> 29)) * kPrime3;
  return hash ^ (hash >> 32);
}

uint64_t murmurhash2(std::string_view bytes, uint64_t seed) {
  constexpr uint64_t kMultiplier = 0xc6a4a7935bd1e995;
  constexpr int kShift = 47;
  const char* at = bytes.data();
  const char* end = at + bytes.size();
  uint64_t hash = seed ^ (bytes.size() * kMultiplier);
  for (; end - at >= 8; at += 8) {
    uint64_t word = load<uint64_t>(at) * kMultiplier;
    word = (word ^ (word >> kShift)) * kMultiplier;
    hash = (hash ^ word) * kMultiplier;
  }
  if (at != end) {
    uint64_t rest = 0;
    std::memcpy(&rest, at, static_cast<size_t>(end - at));
    hash = (hash ^ rest) * kMultiplier;
  }
  hash = (hash ^ (hash >> kShift)) * kMultiplier;
  return hash ^ (hash >> kShift);
}

}  // namespace weir
