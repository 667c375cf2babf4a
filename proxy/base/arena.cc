#include "proxy/base/arena.h"

#include <algorithm>
#include <cstdlib>

namespace weir {

Arena::Arena() : next_(first_), end_(first_ + kFirstBlockBytes) {}

Arena::~Arena() {
  reset();
}

void* Arena::allocate_slow(size_t bytes, size_t align) {
  const size_t size = std::max(bytes + align, kFirstBlockBytes * 4);
  auto* block = static_cast<Block*>(std::malloc(sizeof(Block) + size));
  if (block == nullptr) std::abort();
  *block = {overflow_, size};
  overflow_ = block;
  overflow_bytes_ += size;
  next_ = reinterpret_cast<char*>(block + 1);
  end_ = next_ + size;
  return allocate(bytes, align);
}

std::string_view Arena::concat(std::initializer_list<std::string_view> parts) {
  size_t size = 0;
  for (std::string_view part : parts) size += part.size();
  char* to = text(size);
  char* at = to;
  for (std::string_view part : parts) {
    if (part.empty()) continue;
    std::memcpy(at, part.data(), part.size());
    at += part.size();
  }
  return {to, size};
}

void Arena::reset() {
  while (overflow_ != nullptr) {
    Block* next = overflow_->next;
    std::free(overflow_);
    overflow_ = next;
  }
  overflow_bytes_ = 0;
  next_ = first_;
  end_ = first_ + kFirstBlockBytes;
}

}  // namespace weir
