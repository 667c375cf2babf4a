// Plain and quoted scalars. One that lies on one line without escapes is a view of the text.
#include <algorithm>
#include <array>
#include <string>

#include "config/yaml/yaml_parser.h"

namespace weir::config {
namespace {

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r';
}

bool is_flow_indicator(char c) {
  return c == ',' || c == '[' || c == ']' || c == '{' || c == '}';
}

// The characters at which a plain scalar may end.
constexpr std::array<bool, 256> stops(std::string_view characters) {
  std::array<bool, 256> table{};
  for (const char c : characters) table[static_cast<unsigned char>(c)] = true;
  return table;
}

constexpr std::array<bool, 256> kBlockStops = stops("\n:#");
constexpr std::array<bool, 256> kFlowStops = stops("\n:#,[]{}");

void append_utf8(std::uint32_t code, std::string& out) {
  const auto byte = [&out](std::uint32_t value) { out += static_cast<char>(value); };
  if (code < 0x80) return byte(code);
  if (code < 0x800) {
    byte(0xc0 | (code >> 6));
  } else if (code < 0x10000) {
    byte(0xe0 | (code >> 12));
    byte(0x80 | ((code >> 6) & 0x3f));
  } else {
    byte(0xf0 | (code >> 18));
    byte(0x80 | ((code >> 12) & 0x3f));
    byte(0x80 | ((code >> 6) & 0x3f));
  }
  byte(0x80 | (code & 0x3f));
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// What `\c` stands for, for the escapes of YAML 1.2 section 5.7 that are a single character.
std::string_view simple_escape(char c) {
  switch (c) {
    case '0':
      return std::string_view("\0", 1);
    case 'a':
      return "\a";
    case 'b':
      return "\b";
    case 't':
    case '\t':
      return "\t";
    case 'n':
      return "\n";
    case 'v':
      return "\v";
    case 'f':
      return "\f";
    case 'r':
      return "\r";
    case 'e':
      return "\x1b";
    case ' ':
      return " ";
    case '"':
      return "\"";
    case '/':
      return "/";
    case '\\':
      return "\\";
    case 'N':
      return "\xc2\x85";
    case '_':
      return "\xc2\xa0";
    case 'L':
      return "\xe2\x80\xa8";
    case 'P':
      return "\xe2\x80\xa9";
    default:
      return {};
  }
}

}  // namespace

// Whether a plain scalar may begin at the cursor (YAML 1.2 section 7.3.3).
bool YamlParser::plain_starts(bool in_flow) const {
  constexpr std::string_view kIndicators = ",[]{}#&*!|>'\"%@`";
  const char c = peek();
  if (c == '-' || c == '?' || c == ':') {
    return !blank_follows(1) && !(in_flow && is_flow_indicator(p_[1]));
  }
  return kIndicators.find(c) == std::string_view::npos;
}

bool YamlParser::fail_to_start() {
  return fail(p_, std::string("a value cannot begin with '") + *p_ + "'",
              "quote the value if the character is part of it");
}

// The rest of a plain scalar on this line; leaves the cursor behind it.
std::string_view YamlParser::plain_line(bool in_flow) {
  const std::array<bool, 256>& stop = in_flow ? kFlowStops : kBlockStops;
  const char* const begin = p_;
  for (; p_ != end_; ++p_) {
    if (!stop[static_cast<unsigned char>(*p_)]) continue;
    if (*p_ == ':') {
      if (blank_follows(1) || (in_flow && is_flow_indicator(p_[1]))) break;
    } else if (*p_ == '#') {
      if (p_ != begin && is_blank(p_[-1])) break;
    } else {
      break;
    }
  }
  while (p_ != begin && is_blank(p_[-1])) --p_;
  return {begin, static_cast<std::size_t>(p_ - begin)};
}

YamlNode YamlParser::plain_node(const char* begin, std::string_view text, bool is_text) const {
  const bool is_null =
      text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL";
  if (is_null && !is_text) return YamlNode::null(offset(begin));
  return YamlNode::scalar(offset(begin), text, true);
}

// A plain scalar whose first line is `first`: lines that are indented more than the enclosing
// collection continue it.
bool YamlParser::plain_block(BlockContext context, const char* begin, std::string_view first,
                             YamlNode& out) {
  std::string joined;
  std::string_view text = first;
  while (const std::size_t breaks = next_plain_line(context.indent)) {
    if (joined.empty()) joined = first;
    joined.append(breaks == 1 ? 1 : breaks - 1, breaks == 1 ? ' ' : '\n');
    const char* const line = p_;
    joined += plain_line(false);
    const char* const behind = p_;
    skip_blanks();
    if (peek() == ':' && blank_follows(1)) {
      return fail(line, "a key cannot stand here: its line continues the value above it",
                  "check the indentation of this line and of the one above");
    }
    p_ = behind;
  }
  if (!joined.empty()) text = copy(joined);
  out = plain_node(begin, text, context.is_text);
  return true;
}

// Goes to the next line if it continues a plain scalar; returns the number of line breaks crossed,
// or 0 without moving.
std::size_t YamlParser::next_plain_line(int indent) {
  const char* const p = p_;
  const char* const line = line_;
  const std::size_t breaks = skip_line_breaks();
  const std::string_view before(line_, offset(p_) - offset(line_));
  const std::size_t spaces = std::min(before.find_first_not_of(' '), before.size());
  const bool continues = breaks > 0 && !at_end() && !at_comment() && !at_document_mark() &&
                         static_cast<int>(spaces) > indent;
  if (continues) return breaks;
  p_ = p;
  line_ = line;
  return 0;
}

bool YamlParser::plain_flow(const Properties& properties, YamlNode& out) {
  if (!plain_starts(true)) return fail_to_start();
  const char* const begin = p_;
  std::string_view text = plain_line(true);
  std::string joined;
  while (const std::size_t breaks = next_plain_line_in_flow()) {
    if (joined.empty()) joined = text;
    joined.append(breaks == 1 ? 1 : breaks - 1, breaks == 1 ? ' ' : '\n');
    joined += plain_line(true);
  }
  if (!joined.empty()) text = copy(joined);
  out = plain_node(begin, text, is_text_tag(properties));
  return true;
}

std::size_t YamlParser::next_plain_line_in_flow() {
  const char* const p = p_;
  const char* const line = line_;
  const std::size_t breaks = skip_line_breaks();
  const bool is_value_mark = peek() == ':' && (blank_follows(1) || is_flow_indicator(p_[1]));
  const bool continues = breaks > 0 && !at_end() && !at_comment() && !at_document_mark() &&
                         !is_flow_indicator(*p_) && !is_value_mark;
  if (continues) return breaks;
  p_ = p;
  line_ = line;
  return 0;
}

// Skips blanks and line breaks; returns the number of the latter.
std::size_t YamlParser::skip_line_breaks() {
  std::size_t breaks = 0;
  skip_blanks();
  while (peek() == '\n') {
    skip_newline();
    ++breaks;
    skip_blanks();
  }
  return breaks;
}

bool YamlParser::quoted(YamlNode& out) {
  const char* const open = p_;
  const char quote = *p_;
  if (quoted_on_one_line(quote, out)) return true;
  ++p_;
  std::string text;
  std::size_t keep = 0;  // what folding must not trim
  while (!at_end()) {
    const char c = *p_;
    if (c == quote && !(quote == '\'' && peek(1) == quote)) {
      ++p_;
      out = YamlNode::scalar(offset(open), copy(text), false);
      return true;
    }
    if (c == '\n') {
      if (!quoted_fold(text, keep, 0)) return false;
      keep = text.size();
    } else if (c == '\\' && quote == '"') {
      if (!quoted_escape(text)) return false;
      keep = text.size();
    } else {
      text += c;
      p_ += c == quote ? 2 : 1;
    }
  }
  return fail(open, "this quote is never closed");
}

// The common case: no escape and no line break. Does not move unless it succeeds.
bool YamlParser::quoted_on_one_line(char quote, YamlNode& out) {
  const char* at = p_ + 1;
  while (at != end_ && *at != quote && *at != '\n' && (*at != '\\' || quote == '\'')) ++at;
  if (at == end_ || *at != quote) return false;
  if (quote == '\'' && end_ - at > 1 && at[1] == quote) return false;
  const std::string_view text(p_ + 1, static_cast<std::size_t>(at - p_ - 1));
  out = YamlNode::scalar(offset(p_), text, false);
  p_ = at + 1;
  return true;
}

// A line break within quotes is a space, and n of them are n-1 line feeds, with the blanks around
// them trimmed. `newlines_to_drop` is 1 behind a backslash, which joins two lines.
bool YamlParser::quoted_fold(std::string& out, std::size_t keep, std::size_t newlines_to_drop) {
  while (newlines_to_drop == 0 && out.size() > keep && is_blank(out.back())) out.pop_back();
  std::size_t breaks = 0;
  while (peek() == '\n') {
    skip_newline();
    ++breaks;
    if (at_document_mark()) return fail(p_, "a quoted value reaches the end of the document");
    skip_blanks();
  }
  if (newlines_to_drop == 0 && breaks == 1) {
    out += ' ';
  } else {
    out.append(breaks - 1, '\n');
  }
  return true;
}

bool YamlParser::quoted_escape(std::string& out) {
  const char* const backslash = p_++;
  const char c = peek();
  if (c == '\n' || (c == '\r' && peek(1) == '\n')) {
    if (c == '\r') ++p_;
    return quoted_fold(out, out.size(), 1);
  }
  if (c == 'x' || c == 'u' || c == 'U') {
    ++p_;
    return unicode_escape(c == 'x' ? 2 : c == 'u' ? 4 : 8, out);
  }
  const std::string_view text = simple_escape(c);
  if (text.empty()) {
    return fail(backslash, "unknown escape in a double-quoted value",
                "write a backslash as \\\\, or use single quotes");
  }
  ++p_;
  out += text;
  return true;
}

// `\xNN`, `\uNNNN`, `\UNNNNNNNN`; as JSON has it, two `\u` may be a surrogate pair.
bool YamlParser::unicode_escape(int digits, std::string& out) {
  const char* const begin = p_;
  std::uint32_t code = 0;
  if (!hex_digits(digits, code)) return false;
  if (code >= 0xd800 && code < 0xdc00 && peek() == '\\' && peek(1) == 'u') {
    p_ += 2;
    std::uint32_t low = 0;
    if (!hex_digits(4, low)) return false;
    if (low < 0xdc00 || low > 0xdfff) return fail(begin, "half of a surrogate pair is missing");
    code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
  }
  if ((code >= 0xd800 && code <= 0xdfff) || code > 0x10ffff) {
    return fail(begin, "the escape is no Unicode character");
  }
  append_utf8(code, out);
  return true;
}

bool YamlParser::hex_digits(int digits, std::uint32_t& out) {
  for (int i = 0; i < digits; ++i) {
    const int value = hex_value(peek());
    if (value < 0) {
      return fail(p_, "expected " + std::to_string(digits) + " hexadecimal digits in an escape");
    }
    out = out * 16 + static_cast<std::uint32_t>(value);
    ++p_;
  }
  return true;
}

}  // namespace weir::config
