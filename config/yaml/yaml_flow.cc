// Flow collections: [a, b] and {a: b}, which is also all of JSON.
#include <string>
#include <utility>

#include "config/yaml/yaml_parser.h"

namespace weir::config {

bool YamlParser::flow_node(YamlNode& out) {
  if (depth_ == limits_.max_depth) {
    return fail(p_, "values are nested more than " + std::to_string(limits_.max_depth) + " deep",
                "", YamlError::Kind::kLimit);
  }
  ++depth_;
  const bool ok = flow_node_inner(out);
  --depth_;
  return ok;
}

bool YamlParser::flow_node_inner(YamlNode& out) {
  Properties before;
  while (peek() == '&' || peek() == '!') {
    if (!properties(before) || !skip_flow_space()) return false;
  }
  switch (*p_) {
    case '[':
      return flow_sequence(out) && finish(before, out);
    case '{':
      return flow_mapping(out) && finish(before, out);
    case '*':
      return alias(out);
    case '"':
    case '\'':
      return quoted(out) && finish(before, out);
    case ',':
    case ']':
    case '}':
      if (before.begin == nullptr) return fail(p_, "expected a value here");
      out = YamlNode::null(offset(p_));
      return finish(before, out);
    default:
      return plain_flow(before, out) && finish(before, out);
  }
}

bool YamlParser::flow_sequence(YamlNode& out) {
  const char* const open = p_++;
  const char* const outer_open = std::exchange(flow_open_, open);
  const std::size_t base = nodes_.size();
  if (!skip_flow_space()) return false;
  bool more = *p_ != ']';
  while (more) {
    YamlNode item;
    if (!flow_sequence_item(item)) return false;
    nodes_.push_back(item);
    if (!flow_separator(']', more)) return false;
  }
  ++p_;
  flow_open_ = outer_open;
  close_sequence(base, open, out);
  return true;
}

// `[a: b]` is a list of one mapping of one entry.
bool YamlParser::flow_sequence_item(YamlNode& out) {
  const char* const begin = p_;
  if (!flow_node(out) || !skip_flow_space()) return false;
  if (*p_ != ':') return true;
  const YamlNode key = out;
  if (!key.is_scalar()) return fail(begin, "a key must be a string");
  YamlNode value;
  if (!flow_value(value)) return false;
  const std::size_t base = entries_.size();
  entries_.push_back({key, value});
  return close_mapping(base, begin, out);
}

bool YamlParser::flow_mapping(YamlNode& out) {
  const char* const open = p_++;
  const char* const outer_open = std::exchange(flow_open_, open);
  const std::size_t base = entries_.size();
  if (!skip_flow_space()) return false;
  bool more = *p_ != '}';
  while (more) {
    if (!flow_mapping_entry() || !flow_separator('}', more)) return false;
  }
  ++p_;
  flow_open_ = outer_open;
  return close_mapping(base, open, out);
}

bool YamlParser::flow_mapping_entry() {
  const char* const begin = p_;
  YamlEntry entry;
  if (*p_ == '?' && blank_follows(1)) {
    return fail(p_, "keys that are marked with '?' are not supported");
  }
  if (!flow_node(entry.key)) return false;
  if (!entry.key.is_scalar()) return fail(begin, "a key must be a string");
  if (!skip_flow_space()) return false;
  if (*p_ == ':') {
    if (!flow_value(entry.value)) return false;
  } else {
    entry.value = YamlNode::null(offset(p_));
  }
  entries_.push_back(entry);
  return true;
}

// What follows a key; the cursor is at the ':'.
bool YamlParser::flow_value(YamlNode& out) {
  ++p_;
  if (!skip_flow_space()) return false;
  if (*p_ != ',' && *p_ != '}' && *p_ != ']') return flow_node(out);
  out = YamlNode::null(offset(p_));
  return true;
}

// Behind an item or an entry: a comma, the closing bracket, or both. Leaves the cursor at the next
// item or at the bracket.
bool YamlParser::flow_separator(char close, bool& more) {
  if (!skip_flow_space()) return false;
  if (*p_ == ',') {
    ++p_;
    if (!skip_flow_space()) return false;
    more = *p_ != close;
    return true;
  }
  more = false;
  if (*p_ == close) return true;
  return fail(p_, std::string("expected ',' or '") + close + "' here");
}

// Skips blanks, line breaks and comments within a collection; afterwards the cursor is at a
// character.
bool YamlParser::skip_flow_space() {
  while (true) {
    skip_blanks();
    if (at_comment()) skip_line();
    if (at_end() || (p_ == line_ && at_document_mark())) {
      return fail(flow_open_, std::string("'") + *flow_open_ + "' is never closed");
    }
    if (*p_ != '\n') return true;
    skip_newline();
  }
}

}  // namespace weir::config
