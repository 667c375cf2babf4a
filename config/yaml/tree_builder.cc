#include "config/yaml/tree_builder.h"

#include <cstring>
#include <memory>
#include <utility>

#include "config/yaml/node_text.h"

namespace weir::config {

TreeBuilder::TreeBuilder(std::string_view text, const YamlLimits& limits, YamlInput& input,
                         YamlTree& tree, std::vector<YamlError>& errors)
    : text_(text), limits_(limits), input_(input), tree_(tree), errors_(errors) {}

// Only the first error counts: later ones come of the input having ended.
void TreeBuilder::fail(YamlError error) {
  if (failed_) return;
  failed_ = true;
  errors_.push_back(std::move(error));
  input_.stop();
}

void TreeBuilder::fail_too_deep(std::size_t offset) {
  fail({YamlError::Kind::kLimit, offset,
        "values are nested more than " + std::to_string(limits_.max_depth) + " deep", ""});
}

void TreeBuilder::fail_too_large(std::size_t offset) {
  fail({YamlError::Kind::kLimit, offset,
        "the document has more than " + std::to_string(limits_.max_nodes) + " values", ""});
}

void TreeBuilder::finish() {
  if (input_.cut() == YamlInput::Cut::kTooDeep) fail_too_deep(input_.handed_out());
  if (input_.cut() == YamlInput::Cut::kTooManyValues) fail_too_large(input_.handed_out());
  // yaml-cpp skips a directive that no document follows.
  const std::string_view last = text_.substr(last_value_);
  const bool is_quoted = last.starts_with('"') || last.starts_with('\'');
  const std::size_t end = is_quoted ? end_of_quoted(text_, last_value_) : last_value_;
  const std::size_t directive = text_.find("\n%", end);
  if (documents_ > 0 && directive != std::string_view::npos) {
    syntax_error(directive + 1, "a line cannot begin with '%' here", "quote the key or the value");
  }
}

std::optional<std::size_t> TreeBuilder::open_bracket() const {
  for (std::size_t i = open_.size(); i > 0; --i) {
    const std::string_view rest = text_.substr(open_[i - 1].offset);
    if (rest.starts_with('[') || rest.starts_with('{')) return open_[i - 1].offset;
  }
  return std::nullopt;
}

void TreeBuilder::OnDocumentStart(const YAML::Mark& mark) {
  document_offset_ = input_.offset(mark.pos);
  if (++documents_ == 1 || text_.substr(document_offset_).starts_with("---")) return;
  // yaml-cpp begins a new document wherever a value cannot belong to the one above.
  syntax_error(document_offset_, "expected the end of the document here",
               "check the indentation of this line and of the one above");
}

void TreeBuilder::OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) {
  const bool is_empty_document = documents_ > 1 && !is_written_null(input_.offset(mark.pos));
  if (is_empty_document || !begin_value(mark) || !check_null(mark)) return;
  if (!expects_key()) return add(YamlNode::null(last_value_), anchor);
  // The key of a mapping is a string, whatever it looks like.
  const std::size_t offset = read_properties(text_, last_value_).end;
  const std::size_t size = text_[offset] == '~' ? 1 : std::strlen("null");
  open_.back().key = mark;
  add(YamlNode::scalar(offset, text_.substr(offset, size), /*is_plain=*/true), anchor);
}

void TreeBuilder::OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) {
  if (!begin_value(mark) || !check_indentation(mark)) return;
  if (anchor >= anchors_.size() || !anchors_[anchor].is_complete) {
    return syntax_error(last_value_, "this alias stands inside of the value that it names",
                        "remove the alias");
  }
  const YamlNode node = anchors_[anchor].node;
  if (expects_key()) open_.back().key = mark;
  if (count_aliased(last_value_, node)) add(node, YAML::NullAnchor);
}

void TreeBuilder::OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                           const std::string& value) {
  if (!begin_value(mark) || !check_indentation(mark) || !check_tag(tag)) return;
  const std::size_t offset = read_properties(text_, last_value_).end;
  std::string_view text;
  if (!find_text(offset, value, text)) return;
  if (expects_key()) {
    open_.back().key = mark;
  } else if (core_tag(tag) == "null") {
    return add(YamlNode::null(offset), anchor);
  }
  add(YamlNode::scalar(offset, text, /*is_plain=*/!is_text_tag(tag)), anchor);
}

void TreeBuilder::OnSequenceStart(const YAML::Mark& mark, const std::string& tag,
                                  YAML::anchor_t anchor, YAML::EmitterStyle::value style) {
  open(mark, tag, {.is_flow = style == YAML::EmitterStyle::Flow, .anchor = anchor});
}

void TreeBuilder::OnSequenceEnd() {
  if (failed_) return;
  const Open list = open_.back();
  open_.pop_back();
  const std::size_t size = nodes_.size() - list.base;
  void* const memory = tree_.arena().allocate(size * sizeof(YamlNode), alignof(YamlNode));
  auto* const items = static_cast<YamlNode*>(memory);
  std::uninitialized_copy_n(nodes_.data() + list.base, size, items);
  nodes_.resize(list.base);
  add(YamlNode::sequence(list.offset, {items, size}), list.anchor);
}

void TreeBuilder::OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                             YAML::EmitterStyle::value style) {
  open(mark, tag,
       {.is_mapping = true, .is_flow = style == YAML::EmitterStyle::Flow, .anchor = anchor});
}

void TreeBuilder::OnMapEnd() {
  if (failed_) return;
  const Open mapping = open_.back();
  open_.pop_back();
  add(YamlNode::mapping(mapping.offset, take_entries(mapping.base)), mapping.anchor);
}

void TreeBuilder::open(const YAML::Mark& mark, std::string_view tag, Open collection) {
  if (!begin_value(mark) || !check_tag(tag)) return;
  if (collection.is_flow && !check_indentation(mark)) return;
  if (open_.size() == limits_.max_depth) return fail_too_deep(last_value_);
  collection.offset = read_properties(text_, last_value_).end;
  collection.base = nodes_.size();
  open_.push_back(collection);
}

// Whether the value is to be looked at: not after an error.
bool TreeBuilder::begin_value(const YAML::Mark& mark) {
  if (failed_) return false;
  input_.on_event();
  last_value_ = input_.offset(mark.pos);
  if (documents_ < 2) return count(last_value_, 1);
  syntax_error(document_offset_, "the text has a second document", "give one document per file");
  return false;
}

void TreeBuilder::add(const YamlNode& node, YAML::anchor_t anchor) {
  if (expects_key() && !node.is_scalar()) {
    return syntax_error(node.offset(), "a key must be a string",
                        "quote the key if its brackets are part of it");
  }
  if (anchor != YAML::NullAnchor) {
    if (anchors_.size() <= anchor) anchors_.resize(anchor + 1);
    anchors_[anchor] = {node, true};
  }
  if (open_.empty()) {
    tree_.set_root(node);
  } else {
    nodes_.push_back(node);
  }
}

// yaml-cpp reads null where a value is left out, also where there must be one.
bool TreeBuilder::check_null(const YAML::Mark& mark) {
  if (open_.empty()) return true;
  const Open& in = open_.back();
  if (expects_key()) {
    if (is_written_null(read_properties(text_, last_value_).end)) return true;
    syntax_error(last_value_, "a key is missing here", "");
  } else if (in.is_mapping && !in.is_flow && in.key.pos == mark.pos) {
    syntax_error(last_value_, "expected 'key: value' here",
                 "a key is followed by a colon and a space; check the indentation too");
  } else if (!in.is_mapping && in.is_flow && text_.substr(last_value_).starts_with(',')) {
    syntax_error(last_value_, "expected a value here", "remove the comma, or write null");
  }
  return !failed_;
}

// yaml-cpp takes a value on a line of its own as the key's above, however little it is indented,
// and whatever it is indented with.
bool TreeBuilder::check_indentation(const YAML::Mark& mark) {
  if (open_.empty() || open_.back().is_flow) return true;
  const auto column = static_cast<std::size_t>(mark.column);
  const std::size_t line = last_value_ - column;
  const std::string_view before = text_.substr(line, column);
  if (before.find_first_not_of(" \t") != std::string_view::npos) return true;
  if (const std::size_t tab = before.find('\t'); tab != std::string_view::npos) {
    syntax_error(line + tab, "a tab cannot indent a line", "use spaces");
    return false;
  }
  const YAML::Mark& key = open_.back().key;
  const bool is_value = open_.back().is_mapping && !expects_key() && mark.line != key.line;
  if (!is_value || mark.column > key.column) return true;
  syntax_error(last_value_, "expected 'key: value' here",
               "a key is followed by a colon and a space, a value is indented more than its key");
  return false;
}

// yaml-cpp marks values without a tag with `?`, quoted ones with `!`.
bool TreeBuilder::check_tag(std::string_view tag) {
  const NodeProperties properties = read_properties(text_, last_value_);
  if (properties.tag.empty() || is_known_tag(tag, properties.tag)) return true;
  syntax_error(properties.tag_offset, "tag '" + std::string(properties.tag) + "' is not supported",
               "quote the value if '!' is part of it");
  return false;
}

bool TreeBuilder::count(std::size_t offset, std::uint64_t values) {
  values_ += values;
  if (values_ <= limits_.max_nodes) return true;
  fail_too_large(offset);
  return false;
}

bool TreeBuilder::expects_key() const {
  if (open_.empty() || !open_.back().is_mapping) return false;
  return (nodes_.size() - open_.back().base) % 2 == 0;
}

bool TreeBuilder::is_written_null(std::size_t offset) const {
  for (const std::string_view null : {"~", "null", "Null", "NULL"}) {
    if (text_.substr(offset).starts_with(null)) return true;
  }
  return false;
}

// The text of a scalar as a view of the document's where it stands there as it is, or else of a
// copy. False after an error.
bool TreeBuilder::find_text(std::size_t offset, std::string_view value, std::string_view& out) {
  const std::string_view rest = text_.substr(offset);
  const bool is_quoted = rest.starts_with('"') || rest.starts_with('\'');
  const std::size_t begin = is_quoted ? 1 : 0;
  out = rest.substr(begin, value.size());
  const bool is_closed = !is_quoted || rest.substr(begin + out.size()).starts_with(rest[0]);
  if (out == value && is_closed) return true;
  if (is_quoted && !check_quoted(offset)) return false;
  auto* const memory = static_cast<char*>(tree_.arena().allocate(value.size(), 1));
  std::memcpy(memory, value.data(), value.size());
  out = {memory, value.size()};
  return true;
}

// yaml-cpp lets the end of the text close a quote, and turns two escapes into what is not UTF-8.
bool TreeBuilder::check_quoted(std::size_t open) {
  const std::size_t end = end_of_quoted(text_, open);
  if (end == std::string_view::npos) {
    syntax_error(open, "this quote is never closed", "");
    return false;
  }
  for (std::size_t i = open + 1; i < end && text_[open] == '"'; ++i) {
    if (text_[i] != '\\') continue;
    ++i;
    if (text_[i] != 'N' && text_[i] != '_') continue;
    syntax_error(i - 1, "the escapes \\N and \\_ are not supported", "write \\x85 or \\xa0");
    return false;
  }
  return true;
}

void TreeBuilder::syntax_error(std::size_t offset, std::string message, std::string hint) {
  fail({YamlError::Kind::kSyntax, offset, std::move(message), std::move(hint)});
}

}  // namespace weir::config
