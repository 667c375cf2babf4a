#include "config/position.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

#include "config/utf8.h"

namespace weir::config {
namespace {

// JSON may be one line of megabytes: an excerpt of a longer line is cut to about this many bytes.
constexpr std::size_t kMaxExcerpt = 160;

struct Excerpt {
  std::string text;
  std::size_t caret = 0;
  std::size_t begin = 0;  // of what is shown of the line
  std::size_t end = 0;
};

Excerpt excerpt_of(std::string_view line, std::size_t caret) {
  caret = std::min(caret, line.size());  // the end of a line with a carriage return is behind it
  if (line.size() <= kMaxExcerpt) return {std::string(line), caret, 0, line.size()};
  std::size_t begin = caret > kMaxExcerpt / 2 ? caret - kMaxExcerpt / 2 : 0;
  while (begin > 0 && utf8_is_continuation(line[begin])) --begin;
  std::size_t end = std::min(line.size(), begin + kMaxExcerpt);
  while (end < line.size() && utf8_is_continuation(line[end])) ++end;
  const std::string_view left = begin > 0 ? "..." : "";
  const std::string_view right = end < line.size() ? "..." : "";
  std::string text = std::string(left) + std::string(line.substr(begin, end - begin));
  return {text + std::string(right), caret - begin + left.size(), begin, end};
}

// Fields whose values are nobody's to see, as files spell them (proto3 JSON allows both).
constexpr std::string_view kSecretFields[] = {
    "private_key", "privateKey", "pkcs12", "password", "session_ticket_keys", "sessionTicketKeys",
};

bool names_secret(std::string_view text) {
  return std::any_of(
      std::begin(kSecretFields), std::end(kSecretFields),
      [&](std::string_view name) { return text.find(name) != std::string_view::npos; });
}

// Whether [begin, end) has bytes of a private key in PEM form.
bool within_private_key(std::string_view text, std::size_t begin, std::size_t end) {
  constexpr std::string_view kBegin = "-----BEGIN";
  constexpr std::string_view kEnd = "-----END";
  for (std::size_t at = text.find(kBegin); at < end; at = text.find(kBegin, at + 1)) {
    const std::size_t close = std::min(text.find(kEnd, at), text.size());
    const std::size_t label_end = std::min(text.find("-----", at + kBegin.size()), text.size());
    const std::string_view label = text.substr(at, label_end - at);
    if (close > begin && label.find("PRIVATE KEY") != std::string_view::npos) return true;
  }
  return false;
}

}  // namespace

SourcePosition position_at(std::string_view text, std::size_t offset) {
  offset = std::min(offset, text.size());
  const std::string_view before = text.substr(0, offset);
  const std::size_t newline = before.rfind('\n');
  std::size_t begin = newline == std::string_view::npos ? 0 : newline + 1;
  // The mark of a UTF-8 file is no part of its first line.
  if (begin == 0 && text.starts_with("\xef\xbb\xbf")) begin = 3;
  offset = std::max(offset, begin);
  std::size_t end = std::min(text.find('\n', offset), text.size());
  if (end > begin && text[end - 1] == '\r') --end;
  SourcePosition position;
  position.line = 1 + static_cast<int>(std::count(before.begin(), before.end(), '\n'));
  position.column = 1 + static_cast<int>(offset - begin);
  position.line_text = text.substr(begin, end - begin);
  return position;
}

void place(Diagnostic& diagnostic, const Source& source, std::size_t offset) {
  const SourcePosition position = position_at(source.text, offset);
  diagnostic.file = source.file;
  diagnostic.line = position.line;
  diagnostic.column = position.column;
  Excerpt excerpt = excerpt_of(position.line_text, static_cast<std::size_t>(position.column - 1));
  const auto line = static_cast<std::size_t>(position.line_text.data() - source.text.data());
  // What is printed ends in logs and tickets.
  const bool secret = names_secret(diagnostic.field_path) || names_secret(excerpt.text) ||
                      within_private_key(source.text, line + excerpt.begin, line + excerpt.end);
  if (secret) excerpt = {};
  diagnostic.source_line = std::move(excerpt.text);
  diagnostic.caret = excerpt.caret;
}

}  // namespace weir::config
