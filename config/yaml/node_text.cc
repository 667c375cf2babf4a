#include "config/yaml/node_text.h"

#include <algorithm>

namespace weir::config {
namespace {

// Behind the anchor or tag at `offset`.
std::size_t end_of_property(std::string_view text, std::size_t offset) {
  const bool is_verbatim = text.substr(offset).starts_with("!<");
  const std::size_t end =
      is_verbatim ? text.find('>', offset) : text.find_first_of(" \t\r\n,[]{}", offset);
  if (end == std::string_view::npos) return text.size();
  return is_verbatim ? end + 1 : end;
}

// Behind blanks, line breaks and comments.
std::size_t skip_space(std::string_view text, std::size_t offset) {
  while (true) {
    offset = std::min(text.find_first_not_of(" \t\r\n", offset), text.size());
    if (offset == text.size() || text[offset] != '#') return offset;
    offset = std::min(text.find('\n', offset), text.size());
  }
}

}  // namespace

NodeProperties read_properties(std::string_view text, std::size_t offset) {
  NodeProperties properties;
  while (offset < text.size() && (text[offset] == '&' || text[offset] == '!')) {
    const std::size_t end = end_of_property(text, offset);
    if (text[offset] == '!') {
      properties.tag = text.substr(offset, end - offset);
      properties.tag_offset = offset;
    }
    offset = skip_space(text, end);
  }
  properties.end = offset;
  return properties;
}

std::size_t end_of_quoted(std::string_view text, std::size_t open) {
  const char quote = text[open];
  for (std::size_t i = open + 1; i < text.size(); ++i) {
    const bool is_escape = quote == '"' && text[i] == '\\';
    const bool is_doubled = quote == '\'' && text.substr(i).starts_with("''");
    if (is_escape || is_doubled) {
      ++i;
    } else if (text[i] == quote) {
      return i + 1;
    }
  }
  return std::string_view::npos;
}

std::string_view core_tag(std::string_view tag) {
  constexpr std::string_view kPrefix = "tag:yaml.org,2002:";
  return tag.starts_with(kPrefix) ? tag.substr(kPrefix.size()) : std::string_view();
}

bool is_text_tag(std::string_view tag) {
  return tag == "!" || core_tag(tag) == "str";
}

bool is_known_tag(std::string_view tag, std::string_view written) {
  if (tag == "!") return written == "!";
  const std::string_view core = core_tag(tag);
  for (const std::string_view known : {"str", "int", "float", "bool", "null", "map", "seq"}) {
    if (core == known) return written.ends_with(known) || written.starts_with("!<");
  }
  return false;
}

}  // namespace weir::config
