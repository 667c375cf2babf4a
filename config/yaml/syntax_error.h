#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "config/yaml/parse_yaml.h"

namespace weir::config {

// Where yaml-cpp gave up. Offsets are in bytes from the beginning of the text.
struct SyntaxPlace {
  std::string_view text;
  std::size_t offset = 0;                   // what yaml-cpp points at
  std::size_t last_value = 0;               // the value that it read last
  std::optional<std::size_t> open_bracket;  // the innermost one, if one is open
};

// What is wrong, in words, and what to do about it, for the message of a YAML::Exception.
// Internal to parse_yaml.
YamlError explain_syntax_error(std::string_view cause, const SyntaxPlace& place);

}  // namespace weir::config
