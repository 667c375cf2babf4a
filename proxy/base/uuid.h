#pragma once

#include <cstddef>
#include <cstdint>

namespace weir {

inline constexpr size_t kUuidBytes = 36;

// kUuidBytes characters of a version 4 UUID (RFC 9562 5.4) from 128 random bits.
void write_uuid4(uint64_t high, uint64_t low, char* out);

}  // namespace weir
