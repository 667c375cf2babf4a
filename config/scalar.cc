#include "config/scalar.h"

#include <array>
#include <charconv>
#include <cmath>
#include <limits>

namespace weir::config {
namespace {

constexpr std::int64_t kMaxDurationSeconds = 315'576'000'000;  // google.protobuf.Duration

// `word` in lower case, with a capital, or in capitals: the three spellings that YAML 1.1 has.
bool is_spelling_of(std::string_view text, std::string_view word) {
  if (text.size() != word.size()) return false;
  const auto is_upper = [](char c) { return c >= 'A' && c <= 'Z'; };
  const bool capital = is_upper(text[0]);
  const bool shouted = capital && is_upper(text.back());
  for (std::size_t i = 0; i < word.size(); ++i) {
    const bool expect_upper = i == 0 ? capital : shouted;
    const char expected = expect_upper ? static_cast<char>(word[i] - 'a' + 'A') : word[i];
    if (text[i] != expected) return false;
  }
  return true;
}

std::optional<std::uint64_t> parse_digits(std::string_view digits, int base) {
  std::uint64_t value = 0;
  const char* const end = digits.data() + digits.size();
  const auto [at, error] = std::from_chars(digits.data(), end, value, base);
  if (error != std::errc() || at != end) return std::nullopt;
  return value;
}

// "1e3" and "2.0" are integers in JSON; only those that a double holds exactly.
std::optional<std::uint64_t> parse_integral_fraction(std::string_view digits) {
  if (digits.find_first_of(".eE") == std::string_view::npos) return std::nullopt;
  const std::optional<double> value = parse_double(digits);
  constexpr double kExact = 9007199254740992.0;  // 2^53
  if (!value || *value < 0 || *value > kExact || std::floor(*value) != *value) return std::nullopt;
  return static_cast<std::uint64_t>(*value);
}

template <class Parse>
std::optional<Integer> parse_signed(std::string_view text, Parse parse) {
  Integer out;
  if (text.starts_with('-') || text.starts_with('+')) {
    out.is_negative = text[0] == '-';
    text.remove_prefix(1);
  }
  if (text.empty() || text[0] < '0' || text[0] > '9') return std::nullopt;
  std::optional<std::uint64_t> magnitude = parse(text);
  if (!magnitude) magnitude = parse_integral_fraction(text);
  if (!magnitude) return std::nullopt;
  out.magnitude = *magnitude;
  return out;
}

int base64_value(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+' || c == '-') return 62;
  if (c == '/' || c == '_') return 63;
  return -1;
}

// Nanoseconds of up to nine digits of fraction.
std::optional<std::int32_t> parse_nanos(std::string_view fraction) {
  if (fraction.empty() || fraction.size() > 9) return std::nullopt;
  const std::optional<std::uint64_t> digits = parse_digits(fraction, 10);
  if (!digits) return std::nullopt;
  std::uint64_t nanos = *digits;
  for (std::size_t i = fraction.size(); i < 9; ++i) nanos *= 10;
  return static_cast<std::int32_t>(nanos);
}

}  // namespace

PlainType plain_type(std::string_view text) {
  if (text.empty()) return PlainType::kText;
  const char c = text[0];
  const bool may_be_number = (c >= '0' && c <= '9') || c == '-' || c == '+';
  if (!may_be_number) return parse_bool(text) ? PlainType::kBool : PlainType::kText;
  if (text.find_first_of(".eE") != std::string_view::npos && !text.starts_with("0x")) {
    return PlainType::kText;
  }
  const std::optional<Integer> integer = parse_integer(text);
  if (!integer) return PlainType::kText;
  const std::uint64_t limit =
      std::uint64_t{std::numeric_limits<std::int32_t>::max()} + (integer->is_negative ? 1 : 0);
  return integer->magnitude <= limit ? PlainType::kInteger : PlainType::kText;
}

std::optional<bool> parse_bool(std::string_view text) {
  if (text.empty() || text.size() > 5) return std::nullopt;
  for (const std::string_view word : {"true", "yes", "on", "y"}) {
    if (is_spelling_of(text, word)) return true;
  }
  for (const std::string_view word : {"false", "no", "off", "n"}) {
    if (is_spelling_of(text, word)) return false;
  }
  return std::nullopt;
}

std::optional<Integer> parse_integer(std::string_view text) {
  return parse_signed(text, [](std::string_view digits) {
    if (digits.starts_with("0x") || digits.starts_with("0X"))
      return parse_digits(digits.substr(2), 16);
    return parse_digits(digits, digits.size() > 1 && digits[0] == '0' ? 8 : 10);
  });
}

std::optional<Integer> parse_quoted_integer(std::string_view text) {
  return parse_signed(text, [](std::string_view digits) { return parse_digits(digits, 10); });
}

std::optional<std::int64_t> to_int64(Integer integer) {
  constexpr std::uint64_t kMax = std::numeric_limits<std::int64_t>::max();
  if (integer.magnitude > kMax + (integer.is_negative ? 1 : 0)) return std::nullopt;
  if (!integer.is_negative) return static_cast<std::int64_t>(integer.magnitude);
  return static_cast<std::int64_t>(0 - integer.magnitude);
}

std::optional<double> parse_double(std::string_view text) {
  if (text == "NaN") return std::numeric_limits<double>::quiet_NaN();
  if (text == "Infinity") return std::numeric_limits<double>::infinity();
  if (text == "-Infinity") return -std::numeric_limits<double>::infinity();
  const bool is_signed = text.starts_with('-') || text.starts_with('+');
  const std::size_t digit = is_signed ? 1 : 0;
  const bool is_number =
      text.size() > digit && ((text[digit] >= '0' && text[digit] <= '9') || text[digit] == '.');
  if (!is_number) return std::nullopt;  // from_chars also takes "inf" and "nan"
  if (text.starts_with('+')) text.remove_prefix(1);
  double value = 0;
  const char* const end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || at != end) return std::nullopt;
  return value;
}

std::optional<std::string> parse_base64(std::string_view text) {
  std::size_t padding = 0;
  while (padding < 2 && text.ends_with('=')) {
    text.remove_suffix(1);
    ++padding;
  }
  if (text.size() % 4 == 1 || (padding > 0 && (text.size() + padding) % 4 != 0)) {
    return std::nullopt;
  }
  std::string out;
  std::uint32_t bits = 0;
  int bit_count = 0;
  for (const char c : text) {
    const int value = base64_value(c);
    if (value < 0) return std::nullopt;
    bits = (bits << 6) | static_cast<std::uint32_t>(value);
    bit_count += 6;
    if (bit_count < 8) continue;
    bit_count -= 8;
    out += static_cast<char>((bits >> bit_count) & 0xff);
  }
  return out;
}

std::optional<ParsedDuration> parse_duration(std::string_view text) {
  if (!text.ends_with('s')) return std::nullopt;
  text.remove_suffix(1);
  const bool is_negative = text.starts_with('-');
  if (is_negative) text.remove_prefix(1);
  const std::size_t point = text.find('.');
  const std::optional<std::uint64_t> seconds = parse_digits(text.substr(0, point), 10);
  if (!seconds || *seconds > std::uint64_t{kMaxDurationSeconds}) return std::nullopt;
  ParsedDuration out;
  out.seconds = static_cast<std::int64_t>(*seconds);
  if (point != std::string_view::npos) {
    const std::optional<std::int32_t> nanos = parse_nanos(text.substr(point + 1));
    if (!nanos) return std::nullopt;
    out.nanos = *nanos;
  }
  if (is_negative) {
    out.seconds = -out.seconds;
    out.nanos = -out.nanos;
  }
  return out;
}

std::string duration_remedy(std::string_view text) {
  struct Unit {
    std::string_view name;
    double seconds;
  };
  constexpr std::array<Unit, 6> kUnits = {Unit{"ms", 1e-3}, {"us", 1e-6}, {"ns", 1e-9},
                                          {"m", 60},        {"h", 3600},  {"", 1}};
  for (const Unit& unit : kUnits) {
    if (!text.ends_with(unit.name)) continue;
    const std::optional<double> value =
        parse_double(text.substr(0, text.size() - unit.name.size()));
    if (!value || !std::isfinite(*value * unit.seconds)) continue;
    std::array<char, 64> digits;
    const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(),
                                            *value * unit.seconds, std::chars_format::fixed, 9);
    if (error != std::errc()) return {};
    std::string out(digits.data(), end);
    out.erase(out.find_last_not_of('0') + 1);
    if (out.ends_with('.')) out.pop_back();
    return out + 's';
  }
  return {};
}

}  // namespace weir::config
