#pragma once

#include <string>
#include <string_view>

namespace weir::config {

// Where in a message a value sits, e.g. `listeners[0].filter_chains[1].name`. A node points at its
// parent on the caller's stack, so that walking a message builds no string unless there is an error
// to report. Names are borrowed: they must outlive the node (proto field names and literals do).
//
// A node is derived from a named parent only; deriving from a temporary does not compile, because
// the child would outlive it. Steps that need no node of their own go into one name:
// `path.field("route.cluster")`.
struct FieldPath {
  static constexpr int kNoIndex = -1;

  const FieldPath* parent = nullptr;
  std::string_view name = {};
  int index = kNoIndex;
  std::string_view map_key = {};
  bool is_map_entry = false;

  // The root of a message; `name` is empty or a resource's name.
  static FieldPath root(std::string_view name = {}) { return {.name = name}; }

  FieldPath field(std::string_view field_name) const& {
    return {.parent = this, .name = field_name};
  }
  // Element `i` of the repeated field `field_name`.
  FieldPath field(std::string_view field_name, int i) const& {
    return {.parent = this, .name = field_name, .index = i};
  }
  // Entry `key` of the map field `field_name`.
  FieldPath entry(std::string_view field_name, std::string_view key) const& {
    return {.parent = this, .name = field_name, .map_key = key, .is_map_entry = true};
  }
  // Element `i` of the repeated field that this node names.
  FieldPath at(int i) const& { return {.parent = this, .index = i}; }
  // Entry `key` of the map field that this node names.
  FieldPath key(std::string_view key_name) const& {
    return {.parent = this, .map_key = key_name, .is_map_entry = true};
  }

  FieldPath field(std::string_view field_name) const&& = delete;
  FieldPath field(std::string_view field_name, int i) const&& = delete;
  FieldPath entry(std::string_view field_name, std::string_view key) const&& = delete;
  FieldPath at(int i) const&& = delete;
  FieldPath key(std::string_view key_name) const&& = delete;

  // The path as text: names joined by dots, `[i]` for elements, `["key"]` for map entries.
  std::string str() const;
};

}  // namespace weir::config
