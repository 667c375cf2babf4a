#pragma once

#include <cstdint>
#include <memory_resource>
#include <span>
#include <string_view>

namespace weir::config {

struct YamlEntry;

// A value of a YAML or JSON document. A small value type: its text or children lie in the
// document's text or in the tree's arena, and an alias is a copy of what it names. 24 bytes, so
// that a large configuration stays small while it is loaded.
class YamlNode {
 public:
  enum class Kind : std::uint8_t { kNull, kScalar, kSequence, kMapping };

  YamlNode() = default;
  static YamlNode null(std::size_t offset) { return YamlNode(Kind::kNull, true, offset); }
  static YamlNode scalar(std::size_t offset, std::string_view text, bool is_plain);
  static YamlNode sequence(std::size_t offset, std::span<const YamlNode> items);
  static YamlNode mapping(std::size_t offset, std::span<const YamlEntry> entries);

  Kind kind() const { return kind_; }
  bool is_null() const { return kind_ == Kind::kNull; }
  bool is_scalar() const { return kind_ == Kind::kScalar; }
  bool is_sequence() const { return kind_ == Kind::kSequence; }
  bool is_mapping() const { return kind_ == Kind::kMapping; }
  // Whether the scalar is unquoted, so that `true` and `12` are not strings.
  bool is_plain() const { return is_plain_; }
  // Where the node begins, in bytes from the beginning of the text.
  std::size_t offset() const { return offset_; }
  // How many nodes a walk over this one and all below it meets, aliases followed; saturates.
  std::uint32_t expanded_count() const { return expanded_count_; }

  // Empty unless a scalar, a sequence, a mapping.
  std::string_view text() const;
  std::span<const YamlNode> items() const;
  std::span<const YamlEntry> entries() const;
  // The value of `key`, or null.
  const YamlNode* find(std::string_view key) const;

 private:
  YamlNode(Kind kind, bool is_plain, std::size_t offset)
      : kind_(kind), is_plain_(is_plain), offset_(static_cast<std::uint32_t>(offset)) {}
  void count(const YamlNode& child);

  Kind kind_ = Kind::kNull;
  bool is_plain_ = true;
  std::uint32_t offset_ = 0;
  std::uint32_t size_ = 0;  // bytes of text, items or entries
  std::uint32_t expanded_count_ = 1;
  const void* data_ = nullptr;
};

struct YamlEntry {
  YamlNode key;  // always a scalar
  YamlNode value;
};

// Owns what the nodes of one document point at, apart from the text itself, which must outlive it.
class YamlTree {
 public:
  const YamlNode& root() const { return root_; }
  void set_root(const YamlNode& root) { root_ = root; }
  std::pmr::memory_resource& arena() { return arena_; }

 private:
  std::pmr::monotonic_buffer_resource arena_{std::size_t{16} * 1024};
  YamlNode root_;
};

}  // namespace weir::config
