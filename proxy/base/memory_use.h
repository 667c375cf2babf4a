#pragma once

#include <cstdint>
#include <optional>

namespace weir {

// Bytes of the process. Any thread.
struct MemoryUse {
  uint64_t allocated = 0;  // in use by the program
  uint64_t heap = 0;       // what the allocator has of the system for that
  uint64_t free = 0;       // of the heap
};
MemoryUse memory_use();

// What the process occupies of the machine's memory; nothing when that cannot be read.
std::optional<uint64_t> resident_bytes();

}  // namespace weir
