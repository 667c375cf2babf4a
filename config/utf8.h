#pragma once

#include <cstddef>
#include <string_view>

namespace weir::config {

// Length in bytes of the UTF-8 sequence (RFC 3629) that `text` begins with: 1 to 4, or 0 when it
// begins with none (overlong forms, surrogates and values above U+10FFFF are none).
std::size_t utf8_sequence_length(std::string_view text);

// Offset of the first byte that is not UTF-8, or `text.size()`.
std::size_t utf8_valid_prefix(std::string_view text);

// Number of code points; `text` must be valid.
std::size_t utf8_code_points(std::string_view text);

inline bool utf8_is_continuation(char c) {
  return (static_cast<unsigned char>(c) & 0xc0) == 0x80;
}

}  // namespace weir::config
