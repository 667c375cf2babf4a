#pragma once

// How a Format looks inside: for the files formatter*.cc and json_format.cc alone.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "proxy/http/formatter.h"
#include "proxy/http/headers.h"
#include "proxy/http/time_format.h"

namespace weir::http {

// What a command yields. The text lives in the message, the StreamInfo, the Part or the scratch.
struct FormatValue {
  enum class Kind : uint8_t { kMissing, kText, kNumber };
  Kind kind = Kind::kMissing;
  std::string_view text;  // of a number: its decimal digits

  static FormatValue missing() { return {}; }
  static FormatValue of(std::string_view text) { return {Kind::kText, text}; }
  // A text of which "" means that there is none.
  static FormatValue of_nonempty(std::string_view text) {
    return text.empty() ? missing() : of(text);
  }
};

// Room for one command's value where the value is not a view of something that lives longer.
struct FormatScratch {
  static constexpr size_t kBytes = TimeFormat::kMaxTextBytes;
  char bytes[kBytes];
  std::string long_text;  // for what may be longer

  bool holds(std::string_view text) const {
    const bool in_bytes = text.data() >= bytes && text.data() < bytes + kBytes;
    return in_bytes || (!long_text.empty() && text.data() == long_text.data());
  }
  FormatValue number(int64_t value);
  FormatValue number(uint64_t value);
  // Of texts that are short, or cut to kBytes.
  FormatValue copy(std::string_view text);
  // With '_' for each space; missing where there is no text.
  FormatValue without_spaces(std::string_view text);
};

using ReadValue = FormatValue (*)(const Format::Part&, const FormatInput&, FormatScratch&);
using ParseParameter = Result<void> (*)(std::string_view parameter, Format::Part& part);

enum class CommandSyntax : uint8_t { kPlain, kParameter, kOptionalParameter };

// One substitution command: how it is written and where its value comes from.
struct CommandSpec {
  std::string_view name;
  ReadValue read;
  CommandSyntax syntax = CommandSyntax::kPlain;
  bool length_allowed = false;     // %NAME(...):10%
  ParseParameter parse = nullptr;  // called with "" when an optional parameter is not there
};

std::span<const CommandSpec> header_commands();      // formatter_headers.cc
std::span<const CommandSpec> time_commands();        // formatter_times.cc
std::span<const CommandSpec> connection_commands();  // formatter_connection.cc
std::span<const CommandSpec> stream_commands();      // formatter_stream.cc
std::span<const CommandSpec> tls_commands();         // formatter_tls.cc

// A header by name, looked up without comparing text where the name is a known one.
struct HeaderChoice {
  std::string name;
  Known known = Known::kNone;
};

struct Format::Part {
  static constexpr uint32_t kNoLimit = UINT32_MAX;

  ReadValue read = nullptr;  // null: a literal
  bool quoted = false;       // stands between quotation marks
  uint32_t max_length = kNoLimit;
  std::string text;  // the literal, or the parameter where a command keeps it
  HeaderChoice header;
  HeaderChoice alternative;
  uint8_t options[3] = {};  // a command's own, from its parameter
  std::optional<TimeFormat> time;

  FormatValue value(const FormatInput& input, FormatScratch& scratch) const;
};

// Splits a text into literals and commands: formatter_parse.cc.
Result<std::vector<Format::Part>> parse_format(std::string_view text);

// A parameter that says how a time in UTC is written: formatter_times.cc.
Result<void> parse_utc_time(std::string_view parameter, Format::Part& part);

// "X" of "X?Y" into part.header and "Y" into part.alternative.
Result<void> parse_header_choice(std::string_view parameter, Format::Part& part);

}  // namespace weir::http
