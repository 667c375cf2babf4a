#include "filters/common/base64.h"

#include <array>
#include <cstdint>

namespace weir::filters::common {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr int8_t kNoDigit = -1;

constexpr std::array<int8_t, 256> kValues = [] {
  std::array<int8_t, 256> values{};
  for (int8_t& value : values) value = kNoDigit;
  for (size_t i = 0; i < kAlphabet.size(); ++i)
    values[static_cast<uint8_t>(kAlphabet[i])] = static_cast<int8_t>(i);
  return values;
}();

}  // namespace

void append_base64(std::string_view bytes, std::string& out) {
  out.reserve(out.size() + (bytes.size() + 2) / 3 * 4);
  while (!bytes.empty()) {
    const size_t taken = bytes.size() < 3 ? bytes.size() : 3;
    uint32_t bits = 0;
    for (size_t i = 0; i < 3; ++i)
      bits = bits << 8 | (i < taken ? static_cast<uint8_t>(bytes[i]) : 0u);
    for (size_t i = 0; i < 4; ++i) out += i <= taken ? kAlphabet[bits >> (18 - 6 * i) & 63] : '=';
    bytes.remove_prefix(taken);
  }
}

bool Base64Decoder::add(char c, std::string& out) {
  const int8_t value = kValues[static_cast<uint8_t>(c)];
  if (c == '=') {
    if (filled_ < 2) return false;
    ++padding_;
  } else if (value == kNoDigit || padding_ > 0) {
    return false;
  }
  bits_ = bits_ << 6 | (c == '=' ? 0u : static_cast<unsigned>(value));
  if (++filled_ < 4) return true;
  for (int i = 0; i < 3 - padding_; ++i) out += static_cast<char>(bits_ >> (16 - 8 * i) & 255);
  bits_ = 0;
  filled_ = padding_ = 0;
  return true;
}

bool Base64Decoder::feed(std::string_view piece, std::string& out) {
  for (const char c : piece)
    if (!add(c, out)) return false;
  return true;
}

}  // namespace weir::filters::common
