#pragma once

#include <cstddef>
#include <string_view>

namespace weir::config {

// The anchor and the tag in front of a value, which yaml-cpp counts as part of it. Offsets are in
// bytes from the beginning of the text.
struct NodeProperties {
  std::string_view tag;  // as it is written; empty if there is none
  std::size_t tag_offset = 0;
  std::size_t end = 0;  // where the value itself begins
};

// Reads those at `offset`, at which yaml-cpp has found a value. Internal to parse_yaml.
NodeProperties read_properties(std::string_view text, std::size_t offset);

// Behind the closing quote of the value whose opening quote is at `open`; npos if there is none.
std::size_t end_of_quoted(std::string_view text, std::size_t open);

// The part of a tag of the core schema, as yaml-cpp gives it, behind its prefix, e.g. `str`; empty
// for any other tag.
std::string_view core_tag(std::string_view tag);

// Whether it makes text of what might otherwise be a number.
bool is_text_tag(std::string_view tag);

// Whether it is one that configurations may use. `written` shows whether yaml-cpp has read all of
// the tag: it ends one at the first character that cannot belong to it.
bool is_known_tag(std::string_view tag, std::string_view written);

}  // namespace weir::config
