#pragma once

#include <cstdint>
#include <string_view>

namespace weir {

// XXH64 of the xxHash specification. What Envoy hashes header values, ring and Maglev keys with, so
// that a key is placed on the same host by both. Not for secrets.
uint64_t xxhash64(std::string_view bytes, uint64_t seed = 0);

// MurmurHash2, 64-bit variant for 64-bit machines ("64A"). The default seed is that of libstdc++'s
// std::hash, which ring hash configurations with MURMUR_HASH_2 imply.
inline constexpr uint64_t kMurmurStdSeed = 0xc70f6907;
uint64_t murmurhash2(std::string_view bytes, uint64_t seed = kMurmurStdSeed);

}  // namespace weir
