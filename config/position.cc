#include "config/position.h"

#include <algorithm>
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
};

Excerpt excerpt_of(std::string_view line, std::size_t caret) {
  caret = std::min(caret, line.size());  // the end of a line with a carriage return is behind it
  if (line.size() <= kMaxExcerpt) return {std::string(line), caret};
  std::size_t begin = caret > kMaxExcerpt / 2 ? caret - kMaxExcerpt / 2 : 0;
  while (begin > 0 && utf8_is_continuation(line[begin])) --begin;
  std::size_t end = std::min(line.size(), begin + kMaxExcerpt);
  while (end < line.size() && utf8_is_continuation(line[end])) ++end;
  const std::string_view left = begin > 0 ? "..." : "";
  const std::string_view right = end < line.size() ? "..." : "";
  std::string text = std::string(left) + std::string(line.substr(begin, end - begin));
  return {text + std::string(right), caret - begin + left.size()};
}

}  // namespace

SourcePosition position_at(std::string_view text, std::size_t offset) {
  offset = std::min(offset, text.size());
  const std::string_view before = text.substr(0, offset);
  const std::size_t newline = before.rfind('\n');
  const std::size_t begin = newline == std::string_view::npos ? 0 : newline + 1;
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
  diagnostic.source_line = std::move(excerpt.text);
  diagnostic.caret = excerpt.caret;
}

}  // namespace weir::config
