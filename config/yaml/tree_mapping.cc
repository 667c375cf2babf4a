// Complete mappings: duplicate keys, merge keys and what aliases add.
#include <memory>
#include <utility>

#include "config/yaml/tree_builder.h"

namespace weir::config {
namespace {

// Above this, a set is faster than comparing each key with each other.
constexpr std::size_t kFewKeys = 12;

bool is_merge_key(const YamlNode& key) {
  return key.is_plain() && key.text() == "<<";
}

std::span<YamlEntry> allocate_entries(std::size_t count, YamlTree& tree) {
  void* const memory = tree.arena().allocate(count * sizeof(YamlEntry), alignof(YamlEntry));
  auto* const entries = static_cast<YamlEntry*>(memory);
  std::uninitialized_default_construct_n(entries, count);
  return {entries, count};
}

}  // namespace

// Removes the keys and values from `base` on, and makes entries of them.
std::span<const YamlEntry> TreeBuilder::take_entries(std::size_t base) {
  std::span<YamlEntry> entries = allocate_entries((nodes_.size() - base) / 2, tree_);
  for (std::size_t i = 0; i < entries.size(); ++i) {
    entries[i] = {nodes_[base + 2 * i], nodes_[base + 2 * i + 1]};
  }
  nodes_.resize(base);
  entries = entries.first(remove_duplicates(entries));
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (is_merge_key(entries[i].key)) return merge(entries, i);
  }
  return entries;
}

// Moves the keys that are given for the first time to the front; returns their number.
std::size_t TreeBuilder::remove_duplicates(std::span<YamlEntry> entries) {
  const bool is_large = entries.size() > kFewKeys;
  if (is_large) keys_.clear();
  std::size_t kept = 0;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const YamlNode& key = entries[i].key;
    bool is_new = true;
    if (is_large) {
      is_new = keys_.insert(key.text()).second;
    } else {
      for (std::size_t j = 0; j < kept && is_new; ++j) is_new = entries[j].key.text() != key.text();
    }
    if (is_new) {
      if (kept != i) entries[kept] = entries[i];
      ++kept;
      continue;
    }
    errors_.push_back({YamlError::Kind::kDuplicateKey, key.offset(),
                       "key '" + std::string(key.text()) + "' is given twice",
                       "remove one of the two"});
  }
  return kept;
}

// `<<: *anchor` or `<<: [*a, *b]` adds the entries of other mappings, unless their keys are there.
std::span<const YamlEntry> TreeBuilder::merge(std::span<const YamlEntry> entries,
                                              std::size_t merge_at) {
  const YamlEntry merge = entries[merge_at];
  std::vector<YamlEntry> merged;
  keys_.clear();
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (i == merge_at) continue;
    merged.push_back(entries[i]);
    keys_.insert(entries[i].key.text());
  }
  if (merge.value.is_mapping()) {
    merge_from(merge.value, merged);
  } else if (merge.value.is_sequence()) {
    for (const YamlNode& item : merge.value.items()) {
      if (!merge_from(item, merged)) break;
    }
  } else {
    fail({YamlError::Kind::kSyntax, merge.key.offset(),
          "a merge key '<<' needs a mapping or a list of mappings",
          "give an alias of a mapping, or quote the key"});
  }
  const std::span<YamlEntry> out = allocate_entries(merged.size(), tree_);
  std::copy(merged.begin(), merged.end(), out.begin());
  return out;
}

bool TreeBuilder::merge_from(const YamlNode& from, std::vector<YamlEntry>& entries) {
  if (!from.is_mapping()) {
    fail({YamlError::Kind::kSyntax, from.offset(), "a merge key '<<' can merge mappings only",
          "give aliases of mappings"});
    return false;
  }
  for (const YamlEntry& entry : from.entries()) {
    if (!keys_.insert(entry.key.text()).second) continue;
    if (!count_aliased(from.offset(), entry.value)) return false;
    entries.push_back(entry);
  }
  return true;
}

bool TreeBuilder::count_aliased(std::size_t offset, const YamlNode& node) {
  aliased_ += node.expanded_count();
  if (aliased_ <= limits_.max_aliased_nodes) return count(offset, node.expanded_count());
  fail({YamlError::Kind::kLimit, offset,
        "aliases and merge keys add more than " + std::to_string(limits_.max_aliased_nodes) +
            " values",
        ""});
  return false;
}

}  // namespace weir::config
