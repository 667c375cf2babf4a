#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace weir::config {

// JSON writes a character beyond U+FFFF as two escapes, a surrogate pair (RFC 8259 section 7),
// which YAML does not have. If the text is JSON and has such pairs, returns it with YAML's escape
// in their place, otherwise nothing. Every string keeps its place: it is filled up with spaces
// behind its closing quote.
std::optional<std::string> join_json_surrogates(std::string_view text);

}  // namespace weir::config
