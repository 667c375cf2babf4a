#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <string_view>
#include <utility>

namespace weir {

// Fixed-size blocks that a worker recycles. One thread; outlives every Buffer made of it.
class BlockPool {
 public:
  static constexpr size_t kBlockBytes = 16 * 1024;

  struct Block {
    Block* next;
    size_t begin;  // first unread byte
    size_t end;    // first free byte
    char bytes[kBlockBytes - 3 * sizeof(size_t)];
  };

  explicit BlockPool(size_t keep_blocks = 256) : keep_(keep_blocks) {}
  ~BlockPool();
  BlockPool(const BlockPool&) = delete;
  BlockPool& operator=(const BlockPool&) = delete;

  Block* take();
  void give(Block* block);
  size_t blocks_in_use() const { return in_use_; }

 private:
  Block* free_ = nullptr;
  size_t kept_ = 0;
  size_t keep_;
  size_t in_use_ = 0;
};

// A queue of bytes that had to wait: a socket that is full, a body that a filter holds. Empty, it
// owns no block. One thread.
class Buffer {
 public:
  explicit Buffer(BlockPool& pool) : pool_(&pool) {}
  ~Buffer() { clear(); }
  Buffer(Buffer&& other) noexcept
      : pool_(other.pool_),
        first_(std::exchange(other.first_, nullptr)),
        last_(std::exchange(other.last_, nullptr)),
        size_(std::exchange(other.size_, 0)) {}
  Buffer& operator=(Buffer&&) = delete;

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  void append(std::string_view bytes);
  void append(Buffer&& other);
  void consume(size_t bytes);
  void clear() { consume(size_); }

  // Copies up to `bytes` from the front to `to` and consumes them; says how many.
  size_t take(char* to, size_t bytes);

  // The contiguous front; empty only when the buffer is.
  std::string_view front() const;

  // Fills at most `max` entries with the bytes from the front on; says how many it filled.
  int iovecs(struct iovec* out, int max) const;

  // Calls `visit(std::string_view)` for each contiguous run, front to back.
  template <class Visit>
  void for_each(Visit visit) const {
    for (const BlockPool::Block* b = first_; b != nullptr; b = b->next)
      visit(std::string_view(b->bytes + b->begin, b->end - b->begin));
  }

 private:
  BlockPool* pool_;
  BlockPool::Block* first_ = nullptr;
  BlockPool::Block* last_ = nullptr;
  size_t size_ = 0;
};

}  // namespace weir
