#include "proxy/http/h2_memory.h"

#include <sys/mman.h>

#include <cstdlib>

namespace weir::http::h2 {
namespace {

constexpr size_t kPageBytes = 4096;
constexpr size_t kFrameBytes = 16 * 1024;  // a frame's payload (RFC 9113 4.2)

}  // namespace

nghttp2_mem SessionMemory::hooks() {
  return {this, &allocate, &give_back, &allocate_zeros, &resize};
}

void SessionMemory::release() {
  if (buffer_ != nullptr) madvise(buffer_, bytes_, MADV_DONTNEED);
}

void SessionMemory::forget(const void* block) {
  if (block != buffer_ || block == nullptr) return;
  buffer_ = nullptr;
  bytes_ = 0;
}

void* SessionMemory::allocate(size_t bytes, void* self) {
  SessionMemory& memory = *static_cast<SessionMemory*>(self);
  if (bytes < kFrameBytes || memory.buffer_ != nullptr) return std::malloc(bytes);
  const size_t whole_pages = (bytes + kPageBytes - 1) / kPageBytes * kPageBytes;
  memory.buffer_ = std::aligned_alloc(kPageBytes, whole_pages);
  if (memory.buffer_ != nullptr) memory.bytes_ = whole_pages;
  return memory.buffer_;
}

void SessionMemory::give_back(void* block, void* self) {
  static_cast<SessionMemory*>(self)->forget(block);
  std::free(block);
}

void* SessionMemory::allocate_zeros(size_t count, size_t bytes, void* /*self*/) {
  return std::calloc(count, bytes);
}

void* SessionMemory::resize(void* block, size_t bytes, void* self) {
  // So nghttp2 begins its buffers.
  if (block == nullptr) return allocate(bytes, self);
  static_cast<SessionMemory*>(self)->forget(block);
  return std::realloc(block, bytes);
}

}  // namespace weir::http::h2
