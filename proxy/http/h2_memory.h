#pragma once

#include <nghttp2/nghttp2.h>

#include <cstddef>

namespace weir::http::h2 {

// The memory of one session of nghttp2's. Two thirds of what an idle one holds are the buffer in
// which it writes frames, 16 KiB that mean nothing between two writes: here they have pages of
// their own, which can be given back. One thread; outlives its session.
class SessionMemory {
 public:
  SessionMemory() = default;
  SessionMemory(const SessionMemory&) = delete;
  SessionMemory& operator=(const SessionMemory&) = delete;

  // What nghttp2 is to call; refers to this object.
  nghttp2_mem hooks();
  // While no frame is being written. The pages come back, empty, when they are written to.
  void release();
  // What release() gives back at most.
  size_t releasable_bytes() const { return bytes_; }

 private:
  static void* allocate(size_t bytes, void* self);
  static void give_back(void* block, void* self);
  static void* allocate_zeros(size_t count, size_t bytes, void* self);
  static void* resize(void* block, size_t bytes, void* self);
  void forget(const void* block);

  void* buffer_ = nullptr;  // the first one so large: the one that stays
  size_t bytes_ = 0;
};

}  // namespace weir::http::h2
