// Finished nodes: anchors, tags and aliases, and collections with their duplicate and merge keys.
#include <cstring>
#include <memory>
#include <utility>

#include "config/yaml/yaml_parser.h"

namespace weir::config {
namespace {

// Above this, a set is faster than comparing each key with each other.
constexpr std::size_t kFewKeys = 12;

bool ends_name(char c) {
  constexpr std::string_view kEnds = " \t\r\n,[]{}";
  return kEnds.find(c) != std::string_view::npos;
}

bool is_merge_key(const YamlNode& key) {
  return key.is_plain() && key.text() == "<<";
}

// The part of a tag of the core schema behind its prefix, e.g. `str`; empty for any other tag.
std::string_view core_tag(std::string_view tag) {
  for (const std::string_view prefix : {"!!", "!<tag:yaml.org,2002:"}) {
    if (!tag.starts_with(prefix)) continue;
    tag.remove_prefix(prefix.size());
    if (tag.ends_with('>')) tag.remove_suffix(1);
    return tag;
  }
  return {};
}

bool is_known_tag(std::string_view tag) {
  if (tag == "!") return true;
  const std::string_view core = core_tag(tag);
  for (const std::string_view known : {"str", "int", "float", "bool", "null", "map", "seq"}) {
    if (core == known) return true;
  }
  return false;
}

}  // namespace

bool YamlParser::is_text_tag(const Properties& properties) {
  return properties.tag == "!" || core_tag(properties.tag) == "str";
}

// One `&anchor` or `!tag`; the cursor is at its first character.
bool YamlParser::properties(Properties& out) {
  const char* const begin = p_;
  while (!at_end() && !ends_name(*p_)) ++p_;
  const std::string_view text(begin, static_cast<std::size_t>(p_ - begin));
  std::string_view& slot = *begin == '&' ? out.anchor : out.tag;
  if (!slot.empty()) return fail(begin, "a value has two anchors or two tags");
  if (*begin == '&' && text.size() == 1) return fail(begin, "an anchor needs a name");
  if (*begin == '!' && !is_known_tag(text)) {
    return fail(begin, "tag '" + std::string(text) + "' is not supported",
                "quote the value if '!' is part of it");
  }
  slot = *begin == '&' ? text.substr(1) : text;
  if (out.begin == nullptr) out.begin = begin;
  return true;
}

bool YamlParser::finish(const Properties& properties, YamlNode& node) {
  if (properties.begin == nullptr) return true;
  if (is_text_tag(properties) && (node.is_scalar() || node.is_null())) {
    node = YamlNode::scalar(node.offset(), node.text(), false);
  }
  if (properties.anchor.empty()) return true;
  // Of two anchors of one name, the one that begins later counts, even if it ends earlier.
  Anchor& anchor = anchors_[properties.anchor];
  if (anchor.begin <= properties.begin) anchor = {properties.begin, node};
  return true;
}

bool YamlParser::alias(YamlNode& out) {
  const char* const begin = p_++;
  const char* const name = p_;
  while (!at_end() && !ends_name(*p_)) ++p_;
  const auto found = anchors_.find(std::string_view(name, static_cast<std::size_t>(p_ - name)));
  if (found == anchors_.end()) {
    return fail(begin, "alias '" + std::string(begin, p_) + "' names no anchor above it");
  }
  out = found->second.node;
  return count_aliased(begin, out);
}

bool YamlParser::count_aliased(const char* at, const YamlNode& node) {
  aliased_nodes_ += node.expanded_count();
  if (aliased_nodes_ <= limits_.max_aliased_nodes) return true;
  return fail(at,
              "aliases and merge keys add more than " + std::to_string(limits_.max_aliased_nodes) +
                  " values",
              "", YamlError::Kind::kLimit);
}

void YamlParser::close_sequence(std::size_t base, const char* begin, YamlNode& out) {
  const std::size_t count = nodes_.size() - base;
  void* const memory = tree_.arena().allocate(count * sizeof(YamlNode), alignof(YamlNode));
  auto* const items = static_cast<YamlNode*>(memory);
  std::uninitialized_copy_n(nodes_.data() + base, count, items);
  nodes_.resize(base);
  out = YamlNode::sequence(offset(begin), {items, count});
}

bool YamlParser::close_mapping(std::size_t base, const char* begin, YamlNode& out) {
  report_duplicates(base);
  if (!apply_merge_keys(base)) return false;
  const std::size_t count = entries_.size() - base;
  void* const memory = tree_.arena().allocate(count * sizeof(YamlEntry), alignof(YamlEntry));
  auto* const entries = static_cast<YamlEntry*>(memory);
  std::uninitialized_copy_n(entries_.data() + base, count, entries);
  entries_.resize(base);
  out = YamlNode::mapping(offset(begin), {entries, count});
  return true;
}

// Removes keys that are given again; their first values stay.
void YamlParser::report_duplicates(std::size_t base) {
  const bool is_large = entries_.size() - base > kFewKeys;
  keys_.clear();
  std::size_t kept = base;
  for (std::size_t i = base; i < entries_.size(); ++i) {
    const YamlNode& key = entries_[i].key;
    bool is_new = true;
    if (is_large) {
      is_new = keys_.insert(key.text()).second;
    } else {
      for (std::size_t j = base; j < kept && is_new; ++j) {
        is_new = entries_[j].key.text() != key.text();
      }
    }
    if (is_new) {
      entries_[kept++] = entries_[i];
      continue;
    }
    fail(begin_ + key.offset(), "key '" + std::string(key.text()) + "' is given twice",
         "remove one of the two", YamlError::Kind::kDuplicateKey);
  }
  entries_.resize(kept);
}

// `<<: *anchor` or `<<: [*a, *b]` adds the entries of other mappings, unless their keys are there.
bool YamlParser::apply_merge_keys(std::size_t base) {
  std::size_t at = base;
  while (at < entries_.size() && !is_merge_key(entries_[at].key)) ++at;
  if (at == entries_.size()) return true;
  const YamlEntry merge = entries_[at];
  entries_.erase(entries_.begin() + static_cast<std::ptrdiff_t>(at));
  keys_.clear();
  for (std::size_t i = base; i < entries_.size(); ++i) keys_.insert(entries_[i].key.text());
  if (merge.value.is_mapping()) return merge_into(merge.value);
  for (const YamlNode& item : merge.value.items()) {
    if (!merge_into(item)) return false;
  }
  if (merge.value.is_sequence()) return true;
  return fail(begin_ + merge.key.offset(), "a merge key '<<' needs a mapping or a list of mappings",
              "give an alias of a mapping, or quote the key");
}

bool YamlParser::merge_into(const YamlNode& from) {
  if (!from.is_mapping()) {
    return fail(begin_ + from.offset(), "a merge key '<<' can merge mappings only");
  }
  for (const YamlEntry& entry : from.entries()) {
    if (!keys_.insert(entry.key.text()).second) continue;
    if (!count_aliased(begin_ + from.offset(), entry.value)) return false;
    entries_.push_back(entry);
  }
  return true;
}

std::string_view YamlParser::copy(std::string_view text) {
  if (text.empty()) return {};
  auto* const memory = static_cast<char*>(tree_.arena().allocate(text.size(), 1));
  std::memcpy(memory, text.data(), text.size());
  return {memory, text.size()};
}

}  // namespace weir::config
