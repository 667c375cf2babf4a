#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir::config {

// What an unquoted scalar is to Envoy, which decides without looking at the field: a bool (also
// yes, no, on, off, y, n), an integer of 32 bits (also 0x1f and octal 017), or else text. Text
// becomes a fraction or a larger integer where a field of such a type takes it.
enum class PlainType { kBool, kInteger, kText };
PlainType plain_type(std::string_view text);

std::optional<bool> parse_bool(std::string_view text);

// An integer with its sign apart, so that all of int64 and uint64 fit.
struct Integer {
  bool is_negative = false;
  std::uint64_t magnitude = 0;
};

// Decimal, 0x hexadecimal, octal with a leading 0, or a number without a fraction such as 1e3
// (proto3 JSON mapping). No value for what is no integer or exceeds 64 bits.
std::optional<Integer> parse_integer(std::string_view text);

// The same between quotes, where a leading 0 and 0x mean nothing: decimal, or a number without a
// fraction.
std::optional<Integer> parse_quoted_integer(std::string_view text);

std::optional<std::int64_t> to_int64(Integer integer);

// A decimal number, NaN, Infinity or -Infinity.
std::optional<double> parse_double(std::string_view text);

// Base64 with the standard or the URL-safe alphabet, with or without padding (RFC 4648).
std::optional<std::string> parse_base64(std::string_view text);

// A span of time in the proto3 JSON form: "1.5s", at most nine digits of fraction, at most 10,000
// years.
struct ParsedDuration {
  std::int64_t seconds = 0;
  std::int32_t nanos = 0;
};
std::optional<ParsedDuration> parse_duration(std::string_view text);

// For a text like "250ms" or "5m" the form that a duration field takes, e.g. "0.25s"; else empty.
std::string duration_remedy(std::string_view text);

}  // namespace weir::config
