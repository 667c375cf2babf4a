#pragma once

#include <string>
#include <string_view>

namespace weir::http {

// Appends `text` so that it is printable on one line of a log: control characters (C0, DEL, C1, the
// Unicode line separators) and bytes that are not UTF-8 become C-style escapes (`\n`, `\x1b`), a
// backslash is doubled, and with `quoted` a quotation mark is escaped too. The original can be
// recovered from the result.
void append_text_escaped(std::string_view text, bool quoted, std::string& out);

// Appends `text` as the inside of a JSON string (RFC 8259 7), always valid UTF-8: what is not UTF-8
// becomes U+FFFD, control characters become escapes.
void append_json_escaped(std::string_view text, std::string& out);

// The same between quotation marks.
void append_json_string(std::string_view text, std::string& out);

}  // namespace weir::http
