#include "config/yaml/syntax_error.h"

#include <yaml-cpp/exceptions.h>

#include <algorithm>
#include <array>
#include <string>

#include "config/yaml/node_text.h"

namespace weir::config {
namespace {

namespace cause_of = YAML::ErrorMsg;

struct Explanation {
  std::string_view cause;  // what yaml-cpp's message begins with
  std::string_view message;
  std::string_view hint;
};

// Those whose message and place do not depend on the text.
const std::array kExplanations = {
    Explanation{cause_of::END_OF_MAP, "expected 'key: value' here",
                "a key is followed by a colon and a space; check the indentation too"},
    Explanation{cause_of::END_OF_SEQ, "expected a list item, '- value', here",
                "check the indentation of this line and of the one above"},
    Explanation{cause_of::FLOW_END, "this bracket does not close the one that is open",
                "each '[' needs a ']', and each '{' a '}'"},
    Explanation{cause_of::BLOCK_ENTRY, "a list cannot begin here",
                "begin it on the next line, and check the indentation"},
    Explanation{cause_of::MAP_KEY, "a key cannot begin here",
                "quote the value if '?' is part of it"},
    Explanation{cause_of::MAP_VALUE, "a mapping cannot begin here",
                "check the indentation of this line and of the one above, or quote the value if "
                "it contains ': '"},
    Explanation{cause_of::TAB_IN_INDENTATION, "a tab cannot indent a line", "use spaces"},
    Explanation{cause_of::DOC_IN_SCALAR, "a quoted value reaches the end of the document",
                "close the quote"},
    Explanation{cause_of::MULTIPLE_TAGS, "a value has two tags", "remove one of them"},
    Explanation{cause_of::MULTIPLE_ANCHORS, "a value has two anchors", "remove one of them"},
    Explanation{cause_of::ALIAS_NOT_FOUND, "an alias needs the name of an anchor",
                "quote the value if '*' is part of it"},
    Explanation{cause_of::ANCHOR_NOT_FOUND, "an anchor needs a name",
                "quote the value if '&' is part of it"},
    Explanation{cause_of::CHAR_IN_ALIAS, "this cannot be part of an alias",
                "quote the value if '*' is part of it"},
    Explanation{cause_of::CHAR_IN_ANCHOR, "this cannot be part of an anchor",
                "quote the value if '&' is part of it"},
    Explanation{cause_of::ZERO_INDENT_IN_BLOCK, "a block of text cannot be indented by 0", ""},
    Explanation{cause_of::CHAR_IN_BLOCK, "unexpected text behind '|' or '>'",
                "begin the text on the next line, or quote the value"},
};

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

YamlError error_at(std::size_t offset, std::string message, std::string_view hint) {
  return {YamlError::Kind::kSyntax, offset, std::move(message), std::string(hint)};
}

// The tab in front of the line's first character, if there is one: whatever yaml-cpp makes of it,
// that is what to correct.
std::optional<std::size_t> indenting_tab(const SyntaxPlace& place) {
  const std::size_t newline = place.text.substr(0, place.offset).rfind('\n');
  const std::size_t line = newline == std::string_view::npos ? 0 : newline + 1;
  const std::size_t first = place.text.find_first_not_of(" \t", line);
  const std::size_t tab = place.text.substr(0, first).find('\t', line);
  if (tab == std::string_view::npos) return std::nullopt;
  return tab;
}

// The quote that is not closed, to be found behind the value that was read last. yaml-cpp names
// the end of the text only.
std::size_t unclosed_quote(const SyntaxPlace& place) {
  constexpr std::string_view kBeforeAValue = "[{,:-?\n";
  const std::string_view text = place.text;
  char before = '\n';  // the last character that is no space
  std::size_t i = place.last_value;
  while (i < text.size()) {
    const char c = text[i];
    const bool may_begin = kBeforeAValue.find(before) != std::string_view::npos;
    if (c == '#' && (i == 0 || is_blank(text[i - 1]))) {
      i = std::min(text.find('\n', i), text.size());
      continue;
    }
    if ((c == '"' || c == '\'') && may_begin) {
      const std::size_t end = end_of_quoted(text, i);
      if (end == std::string_view::npos) return i;
      i = end - 1;
    }
    if (c == '\n' || !is_blank(c)) before = c;
    ++i;
  }
  return place.offset;
}

YamlError unclosed_bracket(const SyntaxPlace& place, char close) {
  const std::size_t rest = place.text.find_first_not_of(" \t\r\n", place.offset);
  if (rest == std::string_view::npos && place.open_bracket) {
    const std::size_t open = *place.open_bracket;
    return error_at(open, std::string("'") + place.text[open] + "' is never closed", "");
  }
  return error_at(place.offset, std::string("expected ',' or '") + close + "' here",
                  "quote the value above if it contains one of ,:?[]{}");
}

YamlError wrong_escape(const SyntaxPlace& place, std::string message, std::string_view hint) {
  const std::size_t backslash = place.text.substr(0, place.offset).rfind('\\');
  return error_at(backslash == std::string_view::npos ? place.offset : backslash,
                  std::move(message), hint);
}

YamlError unknown_alias(const SyntaxPlace& place) {
  const std::size_t end = place.text.find_first_of(" \t\r\n,[]{}", place.offset);
  const std::string name(place.text.substr(place.offset, end - place.offset));
  return error_at(place.offset, "alias '" + name + "' names no anchor above it",
                  "quote the value if '*' is part of it");
}

// Those that depend on the text.
std::optional<YamlError> explain_by_text(std::string_view cause, const SyntaxPlace& place) {
  if (cause == cause_of::END_OF_SEQ_FLOW) return unclosed_bracket(place, ']');
  if (cause == cause_of::END_OF_MAP_FLOW) return unclosed_bracket(place, '}');
  if (cause == cause_of::UNKNOWN_ANCHOR) return unknown_alias(place);
  if (cause == cause_of::EOF_IN_SCALAR) {
    return error_at(unclosed_quote(place), "this quote is never closed", "");
  }
  if (cause == cause_of::UNKNOWN_TOKEN && place.offset < place.text.size()) {
    return error_at(place.offset,
                    std::string("a value cannot begin with '") + place.text[place.offset] + "'",
                    "quote the value if the character is part of it");
  }
  if (cause.starts_with(cause_of::INVALID_ESCAPE)) {
    return wrong_escape(place, "unknown escape in a double-quoted value",
                        "write a backslash as \\\\, or use single quotes");
  }
  if (cause == cause_of::INVALID_HEX) {
    return wrong_escape(place, "expected more hexadecimal digits in this escape",
                        "write \\xNN, \\uNNNN or \\UNNNNNNNN");
  }
  if (cause.starts_with(cause_of::INVALID_UNICODE)) {
    return wrong_escape(place, "the escape is no Unicode character",
                        "write the character itself, or its number as \\UNNNNNNNN");
  }
  return std::nullopt;
}

}  // namespace

YamlError explain_syntax_error(std::string_view cause, const SyntaxPlace& place) {
  const bool is_block = cause == cause_of::MAP_VALUE || cause == cause_of::BLOCK_ENTRY ||
                        cause == cause_of::END_OF_MAP || cause == cause_of::END_OF_SEQ;
  if (const std::optional<std::size_t> tab = indenting_tab(place); tab && is_block) {
    return error_at(*tab, "a tab cannot indent a line", "use spaces");
  }
  if (std::optional<YamlError> error = explain_by_text(cause, place)) return *std::move(error);
  for (const Explanation& known : kExplanations) {
    if (cause != known.cause) continue;
    return error_at(place.offset, std::string(known.message), known.hint);
  }
  return error_at(place.offset, "this is not valid YAML: " + std::string(cause), "");
}

}  // namespace weir::config
