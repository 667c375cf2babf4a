#include "config/yaml/json_surrogates.h"

#include <charconv>
#include <cstdint>

namespace weir::config {
namespace {

constexpr std::size_t kEscapeBytes = 6;  // \uXXXX

// The value of the escape `\uXXXX` that the text begins with.
std::optional<std::uint32_t> escape_value(std::string_view text) {
  if (text.size() < kEscapeBytes || !text.starts_with("\\u")) return std::nullopt;
  std::uint32_t value = 0;
  const char* const end = text.data() + kEscapeBytes;
  const auto result = std::from_chars(text.data() + 2, end, value, 16);
  if (result.ec != std::errc() || result.ptr != end) return std::nullopt;
  return value;
}

std::optional<std::uint32_t> pair_value(std::string_view text) {
  const std::optional<std::uint32_t> high = escape_value(text);
  if (!high || *high < 0xd800 || *high > 0xdbff) return std::nullopt;
  const std::optional<std::uint32_t> low = escape_value(text.substr(kEscapeBytes));
  if (!low || *low < 0xdc00 || *low > 0xdfff) return std::nullopt;
  return 0x10000 + ((*high - 0xd800) << 10) + (*low - 0xdc00);
}

void append_escape(std::uint32_t value, std::string& out) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  out += "\\U";
  for (int shift = 28; shift >= 0; shift -= 4) out += kDigits[(value >> shift) & 0xf];
}

bool may_stand_between_strings(char c) {
  constexpr std::string_view kPunctuation = " \t\r\n{}[]:,+-.";
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == 'E' ||
         kPunctuation.find(c) != std::string_view::npos;
}

bool may_stand_before_a_string(char c) {
  return c == '\0' || c == '{' || c == '[' || c == ',' || c == ':';
}

// A string of JSON with its quotes; `text` begins behind the opening one. Removes it from `text`;
// false if it is never closed.
bool move_string(std::string_view& text, std::string& out) {
  std::size_t missing = 0;
  while (!text.empty() && text[0] != '"') {
    if (const std::optional<std::uint32_t> value = pair_value(text)) {
      append_escape(*value, out);
      missing += 2;
      text.remove_prefix(2 * kEscapeBytes);
      continue;
    }
    const std::string_view unit = text.substr(0, text[0] == '\\' ? 2 : 1);
    out += unit;
    text.remove_prefix(unit.size());
  }
  if (text.empty()) return false;
  text.remove_prefix(1);
  out.append(1, '"').append(missing, ' ');
  return true;
}

}  // namespace

std::optional<std::string> join_json_surrogates(std::string_view text) {
  if (text.find("\\ud") == std::string_view::npos && text.find("\\uD") == std::string_view::npos) {
    return std::nullopt;
  }
  std::string out;
  out.reserve(text.size());
  char before = '\0';  // the last character outside of strings that is no space, if any
  while (!text.empty()) {
    const char c = text[0];
    text.remove_prefix(1);
    out += c;
    const bool is_json = c == '"' ? may_stand_before_a_string(before) && move_string(text, out)
                                  : may_stand_between_strings(c);
    if (!is_json) return std::nullopt;
    if (c > ' ') before = c;
  }
  return out;
}

}  // namespace weir::config
