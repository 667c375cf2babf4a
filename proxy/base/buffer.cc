#include "proxy/base/buffer.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace weir {

BlockPool::~BlockPool() {
  while (free_ != nullptr) {
    Block* next = free_->next;
    std::free(free_);
    free_ = next;
  }
}

BlockPool::Block* BlockPool::take() {
  ++in_use_;
  Block* block = free_;
  if (block != nullptr) {
    free_ = block->next;
    --kept_;
  } else {
    block = static_cast<Block*>(std::malloc(sizeof(Block)));
    if (block == nullptr) std::abort();
  }
  block->next = nullptr;
  block->begin = block->end = 0;
  return block;
}

void BlockPool::give(Block* block) {
  --in_use_;
  if (kept_ >= keep_) {
    std::free(block);
    return;
  }
  block->next = free_;
  free_ = block;
  ++kept_;
}

void Buffer::append(std::string_view bytes) {
  size_ += bytes.size();
  while (!bytes.empty()) {
    if (last_ == nullptr || last_->end == sizeof(last_->bytes)) {
      BlockPool::Block* block = pool_->take();
      (last_ == nullptr ? first_ : last_->next) = block;
      last_ = block;
    }
    const size_t n = std::min(bytes.size(), sizeof(last_->bytes) - last_->end);
    std::memcpy(last_->bytes + last_->end, bytes.data(), n);
    last_->end += n;
    bytes.remove_prefix(n);
  }
}

void Buffer::append(Buffer&& other) {
  if (other.empty()) return;
  (last_ == nullptr ? first_ : last_->next) = std::exchange(other.first_, nullptr);
  last_ = std::exchange(other.last_, nullptr);
  size_ += std::exchange(other.size_, 0);
}

void Buffer::consume(size_t bytes) {
  size_ -= bytes;
  while (bytes > 0) {
    const size_t n = std::min(bytes, first_->end - first_->begin);
    first_->begin += n;
    bytes -= n;
    if (first_->begin < first_->end) return;
    BlockPool::Block* next = first_->next;
    pool_->give(first_);
    first_ = next;
    if (next == nullptr) last_ = nullptr;
  }
}

size_t Buffer::take(char* to, size_t bytes) {
  size_t done = 0;
  while (done < bytes && !empty()) {
    const std::string_view run = front().substr(0, bytes - done);
    std::memcpy(to + done, run.data(), run.size());
    done += run.size();
    consume(run.size());
  }
  return done;
}

std::string_view Buffer::front() const {
  if (first_ == nullptr) return {};
  return {first_->bytes + first_->begin, first_->end - first_->begin};
}

int Buffer::iovecs(struct iovec* out, int max) const {
  int n = 0;
  for (BlockPool::Block* b = first_; b != nullptr && n < max; b = b->next)
    out[n++] = {b->bytes + b->begin, b->end - b->begin};
  return n;
}

}  // namespace weir
