#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include "proxy/base/buffer.h"
#include "proxy/net/loop.h"

namespace weir::net {

// A queue of bytes for somebody who seldom has any: a pointer, with one of the loop's buffers
// behind it only while something is in it. One loop.
class LazyBuffer {
 public:
  bool empty() const { return buffer_ == nullptr; }
  size_t size() const { return buffer_ == nullptr ? 0 : buffer_->size(); }

  void append(Loop& loop, std::string_view bytes) {
    if (bytes.empty()) return;
    if (buffer_ == nullptr) buffer_ = loop.take_buffer();
    buffer_->append(bytes);
  }
  void consume(Loop& loop, size_t bytes) {
    if (buffer_ == nullptr) return;
    buffer_->consume(bytes);
    if (buffer_->empty()) clear(loop);
  }
  void clear(Loop& loop) {
    if (buffer_ != nullptr) loop.give_buffer(std::move(buffer_));
  }

  // As Buffer's.
  int iovecs(struct iovec* out, int max) const {
    return buffer_ == nullptr ? 0 : buffer_->iovecs(out, max);
  }
  template <class Visit>
  void for_each(Visit visit) const {
    if (buffer_ != nullptr) buffer_->for_each(visit);
  }

 private:
  std::unique_ptr<Buffer> buffer_;
};

}  // namespace weir::net
