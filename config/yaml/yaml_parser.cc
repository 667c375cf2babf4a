#include "config/yaml/yaml_parser.h"

#include <cstring>
#include <utility>

namespace weir::config {

std::unique_ptr<YamlTree> parse_yaml(std::string_view text, const YamlLimits& limits,
                                     std::vector<YamlError>& errors) {
  auto tree = std::make_unique<YamlTree>();
  if (!YamlParser(text, limits, *tree, errors).parse()) return nullptr;
  return tree;
}

YamlParser::YamlParser(std::string_view text, const YamlLimits& limits, YamlTree& tree,
                       std::vector<YamlError>& errors)
    : limits_(limits),
      tree_(tree),
      errors_(errors),
      begin_(text.data()),
      end_(begin_ + text.size()),
      p_(begin_),
      line_(begin_) {}

bool YamlParser::parse() {
  if (std::string_view(begin_, offset(end_)).starts_with("\xef\xbb\xbf")) p_ = line_ = begin_ + 3;
  if (!document()) return false;
  if (tree_.root().expanded_count() <= limits_.max_nodes) return true;
  return fail(begin_, "the document has more than " + std::to_string(limits_.max_nodes) + " values",
              "", YamlError::Kind::kLimit);
}

bool YamlParser::document() {
  if (!directives()) return false;
  YamlNode root = YamlNode::null(offset(p_));
  if (at_document_mark() && *p_ == '-') {
    p_ += 3;
    done_ = false;
    // A mapping or a list may not begin on the marker's own line, just as behind a key.
    if (!block_node({.indent = -1, .is_map_value = true}, root)) return false;
  } else if (!done_ && !block_node({}, root)) {
    return false;
  }
  if (!end_of_node()) return false;
  tree_.set_root(root);
  return document_end();
}

bool YamlParser::directives() {
  if (!to_next_token()) return false;
  bool any = false;
  while (!at_end() && *p_ == '%' && column() == 0) {
    any = true;
    skip_line();
    if (!to_next_token()) return false;
  }
  if (!any || (at_document_mark() && *p_ == '-')) return true;
  return fail(p_, "expected '---' after a directive");
}

bool YamlParser::document_end() {
  if (!done_) return fail(p_, "expected the end of the document here");
  while (at_document_mark()) {
    const char* const mark = p_;
    p_ += 3;
    if (!to_next_token()) return false;
    if (!done_) {
      return fail(mark, "the text has a second document", "give one document per file");
    }
  }
  return true;
}

// `context` is that of the node's parent. The cursor is behind an indicator (`-`, `:`, `---`) or at
// a fresh token.
bool YamlParser::block_node(BlockContext context, YamlNode& out) {
  if (depth_ == limits_.max_depth) {
    return fail(p_, "values are nested more than " + std::to_string(limits_.max_depth) + " deep",
                "", YamlError::Kind::kLimit);
  }
  ++depth_;
  const bool ok = block_node_inner(context, out);
  --depth_;
  return ok;
}

bool YamlParser::block_node_inner(BlockContext context, YamlNode& out) {
  Properties outer;
  Properties inner;
  bool same_line = context.is_map_value;
  bool absent = false;
  if (!properties_of_block(context, outer, inner, same_line, absent)) return false;
  if (absent) {
    out = YamlNode::null(offset(p_));
    return finish(outer, out) && finish(inner, out);
  }
  context.is_text = is_text_tag(outer) || is_text_tag(inner);
  if (!block_content(context, inner, same_line, out)) return false;
  return finish(outer, out);
}

// Skips to the node's content, collecting `&anchor` and `!tag`. Those on a line of their own are
// `outer`; those on the content's line are `inner`, and belong to the first key if the content is a
// mapping. `same_line` stays true while no line break was crossed; `absent` says that the node is
// empty.
bool YamlParser::properties_of_block(BlockContext context, Properties& outer, Properties& inner,
                                     bool& same_line, bool& absent) {
  while (true) {
    skip_blanks();
    if (at_line_end() || at_comment()) {
      if (inner.begin != nullptr) {
        if (outer.begin != nullptr) return fail(inner.begin, "a value has two sets of properties");
        outer = std::exchange(inner, {});
      }
      if (!to_next_token()) return false;
      same_line = false;
      absent = done_ || !belongs(context);
      if (absent) return true;
    }
    if (*p_ != '&' && *p_ != '!') return true;
    if (!properties(inner)) return false;
  }
}

bool YamlParser::block_content(BlockContext context, const Properties& inner, bool same_line,
                               YamlNode& out) {
  if (begins_list_item()) {
    if (same_line) {
      return fail(p_, "a list cannot begin on this line", "begin it on the next line");
    }
    if (inner.begin != nullptr) return fail(p_, "a list cannot begin behind an anchor or a tag");
    return sequence(column(), out);
  }
  switch (*p_) {
    case '|':
    case '>':
      return block_scalar(context.indent, out) && finish(inner, out);
    case '*':
      if (inner.begin != nullptr) return fail(p_, "an alias cannot have an anchor or a tag");
      return alias(out);
    case '[':
    case '{':
      return flow_node_inner(out) && finish(inner, out);
    case '?':
      if (blank_follows(1)) return fail(p_, "keys that are marked with '?' are not supported");
      break;
    default:
      break;
  }
  return block_scalar_or_mapping(context, inner, same_line, out);
}

// A scalar, unless ':' follows it: then it is the first key of a mapping.
bool YamlParser::block_scalar_or_mapping(BlockContext context, const Properties& inner,
                                         bool same_line, YamlNode& out) {
  const char* const begin = p_;
  const char* const line = line_;
  const bool is_quoted = *p_ == '"' || *p_ == '\'';
  std::string_view first;
  if (is_quoted) {
    if (!quoted(out)) return false;
  } else {
    if (!plain_starts(false)) return fail_to_start();
    first = plain_line(false);
  }
  const char* const behind = p_;
  skip_blanks();
  if (peek() != ':' || !blank_follows(1) || line != line_) {
    if (is_quoted) return finish(inner, out);
    p_ = behind;
    return plain_block(context, begin, first, out) && finish(inner, out);
  }
  if (same_line) {
    return fail(p_, "a mapping cannot begin on this line",
                "begin it on the next line, or quote the value if it contains ': '");
  }
  YamlNode key = is_quoted ? out : YamlNode::scalar(offset(begin), first, true);
  if (!finish(inner, key)) return false;
  const char* const start = inner.begin != nullptr ? inner.begin : begin;
  return mapping(static_cast<int>(start - line_), start, key, out);
}

bool YamlParser::mapping(int column, const char* begin, YamlNode key, YamlNode& out) {
  const std::size_t base = entries_.size();
  bool more = true;
  while (more) {
    if (!mapping_entry(column, key) || !next_entry(column, more)) return false;
    if (more && !mapping_key(key)) return false;
  }
  return close_mapping(base, begin, out);
}

// The cursor is at the ':' behind the key.
bool YamlParser::mapping_entry(int column, const YamlNode& key) {
  ++p_;
  YamlNode value;
  if (!block_node({.indent = column, .is_map_value = true}, value)) return false;
  entries_.push_back({key, value});
  return true;
}

// A key that is not the mapping's first; leaves the cursor at the ':'.
bool YamlParser::mapping_key(YamlNode& key) {
  const char* const begin = p_;
  if (begins_list_item()) return fail(p_, "expected a key here, not a list item");
  if (*p_ == '?' && blank_follows(1)) {
    return fail(p_, "keys that are marked with '?' are not supported");
  }
  Properties before;
  while (peek() == '&' || peek() == '!') {
    if (!properties(before)) return false;
    skip_blanks();
  }
  const char* const line = line_;
  if (peek() == '"' || peek() == '\'') {
    if (!quoted(key)) return false;
  } else if (!plain_starts(false)) {
    return fail(p_, "expected a key here", "quote the key if this is one");
  } else {
    const char* const text = p_;
    key = YamlNode::scalar(offset(text), plain_line(false), true);
  }
  skip_blanks();
  if (peek() == ':' && blank_follows(1) && line == line_) return finish(before, key);
  return fail(begin, "expected 'key: value' here",
              "a key is followed by a colon and a space; check the indentation too");
}

bool YamlParser::sequence(int column, YamlNode& out) {
  const char* const begin = p_;
  const std::size_t base = nodes_.size();
  bool more = true;
  while (more) {
    ++p_;
    YamlNode item;
    if (!block_node({.indent = column, .is_map_value = false}, item)) return false;
    nodes_.push_back(item);
    if (!next_entry(column, more)) return false;
    more = more && begins_list_item();
  }
  close_sequence(base, begin, out);
  return true;
}

// Goes to the token that follows an entry of the collection at `column`; `more` if it belongs to
// the same collection.
bool YamlParser::next_entry(int column, bool& more) {
  if (!end_of_node()) return false;
  more = !done_ && this->column() == column;
  if (done_ || this->column() <= column) return true;
  return fail(p_, "unexpected indentation: column " + std::to_string(this->column() + 1) +
                      " where column " + std::to_string(column + 1) + " is expected");
}

bool YamlParser::belongs(BlockContext context) const {
  if (column() > context.indent) return true;
  return context.is_map_value && column() == context.indent && begins_list_item();
}

bool YamlParser::begins_list_item() const {
  return peek() == '-' && blank_follows(1);
}

bool YamlParser::at_comment() const {
  return peek() == '#' && (p_ == line_ || p_[-1] == ' ' || p_[-1] == '\t');
}

bool YamlParser::at_document_mark() const {
  if (p_ != line_ || end_ - p_ < 3) return false;
  const std::string_view mark(p_, 3);
  return (mark == "---" || mark == "...") && blank_follows(3);
}

bool YamlParser::blank_follows(std::size_t ahead) const {
  if (static_cast<std::size_t>(end_ - p_) <= ahead) return true;
  const char c = p_[ahead];
  return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

void YamlParser::skip_blanks() {
  while (p_ != end_ && (*p_ == ' ' || *p_ == '\t' || *p_ == '\r')) ++p_;
}

void YamlParser::skip_line() {
  const void* const newline = std::memchr(p_, '\n', static_cast<std::size_t>(end_ - p_));
  p_ = newline == nullptr ? end_ : static_cast<const char*>(newline);
}

void YamlParser::skip_newline() {
  if (at_end()) return;
  ++p_;
  line_ = p_;
}

// Skips blanks, comments and empty lines to the next token of a block, and sets `fresh_` and
// `done_`. The cursor must be at the end of a token's line.
bool YamlParser::to_next_token() {
  while (true) {
    const char* const blanks = p_;
    skip_blanks();
    if (at_comment()) skip_line();
    if (!at_line_end()) {
      const std::string_view indent(blanks, offset(p_) - offset(blanks));
      if (blanks == line_ && indent.find('\t') != std::string_view::npos) {
        return fail(blanks + indent.find('\t'), "a tab cannot indent a line", "use spaces");
      }
      break;
    }
    if (at_end()) break;
    skip_newline();
  }
  fresh_ = p_;
  done_ = at_end() || at_document_mark();
  return true;
}

// Makes sure that nothing but a comment follows the value on its line, and goes to the next token.
bool YamlParser::end_of_node() {
  if (p_ == fresh_) return true;
  skip_blanks();
  if (at_line_end() || at_comment()) return to_next_token();
  if (*p_ == ':' && blank_follows(1)) {
    return fail(p_, "a key must be a string on one line", "check the quotes and the indentation");
  }
  if (*p_ == '#') return fail(p_, "a comment needs a space before its '#'");
  return fail(p_, "unexpected text behind a value");
}

bool YamlParser::fail(const char* at, std::string message, std::string hint, YamlError::Kind kind) {
  errors_.push_back({kind, offset(at), std::move(message), std::move(hint)});
  return false;
}

}  // namespace weir::config
