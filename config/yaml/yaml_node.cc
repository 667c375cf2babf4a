#include "config/yaml/yaml_node.h"

#include <limits>

namespace weir::config {

YamlNode YamlNode::scalar(std::size_t offset, std::string_view text, bool is_plain) {
  YamlNode node(Kind::kScalar, is_plain, offset);
  node.data_ = text.data();
  node.size_ = static_cast<std::uint32_t>(text.size());
  return node;
}

YamlNode YamlNode::sequence(std::size_t offset, std::span<const YamlNode> items) {
  YamlNode node(Kind::kSequence, true, offset);
  node.data_ = items.data();
  node.size_ = static_cast<std::uint32_t>(items.size());
  for (const YamlNode& item : items) node.count(item);
  return node;
}

YamlNode YamlNode::mapping(std::size_t offset, std::span<const YamlEntry> entries) {
  YamlNode node(Kind::kMapping, true, offset);
  node.data_ = entries.data();
  node.size_ = static_cast<std::uint32_t>(entries.size());
  for (const YamlEntry& entry : entries) {
    node.count(entry.key);
    node.count(entry.value);
  }
  return node;
}

void YamlNode::count(const YamlNode& child) {
  constexpr std::uint32_t kMax = std::numeric_limits<std::uint32_t>::max();
  const std::uint64_t sum = std::uint64_t{expanded_count_} + child.expanded_count_;
  expanded_count_ = sum > kMax ? kMax : static_cast<std::uint32_t>(sum);
}

std::string_view YamlNode::text() const {
  return is_scalar() ? std::string_view(static_cast<const char*>(data_), size_)
                     : std::string_view();
}

std::span<const YamlNode> YamlNode::items() const {
  if (!is_sequence()) return {};
  return {static_cast<const YamlNode*>(data_), size_};
}

std::span<const YamlEntry> YamlNode::entries() const {
  if (!is_mapping()) return {};
  return {static_cast<const YamlEntry*>(data_), size_};
}

const YamlNode* YamlNode::find(std::string_view key) const {
  for (const YamlEntry& entry : entries()) {
    if (entry.key.text() == key) return &entry.value;
  }
  return nullptr;
}

}  // namespace weir::config
