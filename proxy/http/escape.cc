#include "proxy/http/escape.h"

#include <cstddef>
#include <cstdint>

#include "config/utf8.h"

namespace weir::http {
namespace {

constexpr char kHex[] = "0123456789abcdef";

bool is_plain(unsigned char c) {
  return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

// Length of the run of plain ASCII at the front: what is copied as it is.
size_t plain_run(std::string_view text) {
  size_t n = 0;
  while (n < text.size() && is_plain(static_cast<unsigned char>(text[n]))) ++n;
  return n;
}

// The letter of a two-character escape that C and JSON share, or 0.
char short_escape(unsigned char c) {
  switch (c) {
    case '\n':
      return 'n';
    case '\r':
      return 'r';
    case '\t':
      return 't';
    case '\\':
      return '\\';
    case '"':
      return '"';
    default:
      return 0;
  }
}

// C1 controls (U+0080..U+009F) drive terminals, U+2028 and U+2029 break lines in some viewers.
bool is_unsafe_sequence(std::string_view sequence) {
  if (sequence.size() == 2)
    return sequence[0] == '\xc2' && static_cast<unsigned char>(sequence[1]) < 0xa0;
  return sequence == "\xe2\x80\xa8" || sequence == "\xe2\x80\xa9";
}

void append_hex_escape(unsigned char c, std::string& out) {
  out += "\\x";
  out += kHex[c >> 4];
  out += kHex[c & 15];
}

void append_unicode_escape(uint32_t code_point, std::string& out) {
  out += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) out += kHex[(code_point >> shift) & 15];
}

void append_ascii_as_text(unsigned char c, bool quoted, std::string& out) {
  if (c == '"' && !quoted) {
    out += '"';
  } else if (const char letter = short_escape(c)) {
    out += '\\';
    out += letter;
  } else {
    append_hex_escape(c, out);
  }
}

// Appends the first character, which is not plain; says how many bytes it was.
size_t append_one_as_text(std::string_view text, bool quoted, std::string& out) {
  const auto first = static_cast<unsigned char>(text[0]);
  if (first < 0x80) {
    append_ascii_as_text(first, quoted, out);
    return 1;
  }
  const size_t length = config::utf8_sequence_length(text);
  if (length == 0) {
    append_hex_escape(first, out);
    return 1;
  }
  const std::string_view sequence = text.substr(0, length);
  if (!is_unsafe_sequence(sequence)) {
    out += sequence;
  } else {
    for (const char c : sequence) append_hex_escape(static_cast<unsigned char>(c), out);
  }
  return length;
}

// As above, for JSON.
size_t append_one_as_json(std::string_view text, std::string& out) {
  const auto first = static_cast<unsigned char>(text[0]);
  if (first < 0x80) {
    if (const char letter = short_escape(first)) {
      out += '\\';
      out += letter;
    } else {
      append_unicode_escape(first, out);
    }
    return 1;
  }
  const size_t length = config::utf8_sequence_length(text);
  if (length == 0) {
    out += "\xef\xbf\xbd";
    return 1;
  }
  const std::string_view sequence = text.substr(0, length);
  if (!is_unsafe_sequence(sequence)) {
    out += sequence;
  } else if (length == 2) {
    append_unicode_escape(static_cast<unsigned char>(sequence[1]), out);
  } else {
    append_unicode_escape(sequence[2] == '\xa8' ? 0x2028 : 0x2029, out);
  }
  return length;
}

}  // namespace

void append_text_escaped(std::string_view text, bool quoted, std::string& out) {
  while (!text.empty()) {
    const size_t run = plain_run(text);
    out += text.substr(0, run);
    text.remove_prefix(run);
    if (!text.empty()) text.remove_prefix(append_one_as_text(text, quoted, out));
  }
}

void append_json_escaped(std::string_view text, std::string& out) {
  while (!text.empty()) {
    const size_t run = plain_run(text);
    out += text.substr(0, run);
    text.remove_prefix(run);
    if (!text.empty()) text.remove_prefix(append_one_as_json(text, out));
  }
}

void append_json_string(std::string_view text, std::string& out) {
  out += '"';
  append_json_escaped(text, out);
  out += '"';
}

}  // namespace weir::http
