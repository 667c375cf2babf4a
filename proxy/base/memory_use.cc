#include "proxy/base/memory_use.h"

#include <malloc.h>
#include <unistd.h>

#include <fstream>

namespace weir {

MemoryUse memory_use() {
  const struct mallinfo2 info = mallinfo2();
  return {info.uordblks + info.hblkhd, info.arena + info.hblkhd, info.fordblks};
}

std::optional<uint64_t> resident_bytes() {
  // The second number, in pages.
  uint64_t all_pages = 0;
  uint64_t resident_pages = 0;
  if (!(std::ifstream("/proc/self/statm") >> all_pages >> resident_pages)) return std::nullopt;
  return resident_pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace weir
