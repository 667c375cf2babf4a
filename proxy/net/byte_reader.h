#pragma once

#include <cstdint>
#include <string_view>

namespace weir::net {

// Takes big-endian numbers and byte strings from the front of a text. Taking more than there is
// yields zeros or nothing and is remembered by ok(). A view: the bytes outlive it.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : left_(bytes) {}

  bool ok() const { return ok_; }
  bool empty() const { return left_.empty(); }
  size_t size() const { return left_.size(); }

  uint32_t number(size_t bytes) {
    uint32_t out = 0;
    for (const char c : take(bytes)) out = out << 8 | static_cast<uint8_t>(c);
    return out;
  }
  uint8_t u8() { return static_cast<uint8_t>(number(1)); }
  uint16_t u16() { return static_cast<uint16_t>(number(2)); }

  std::string_view take(size_t bytes) {
    if (bytes > left_.size()) {
      ok_ = false;
      left_ = {};
      return {};
    }
    const std::string_view out = left_.substr(0, bytes);
    left_.remove_prefix(bytes);
    return out;
  }
  // A byte string after its length, which takes `length_bytes`.
  std::string_view vector(size_t length_bytes) { return take(number(length_bytes)); }

 private:
  std::string_view left_;
  bool ok_ = true;
};

}  // namespace weir::net
