#include "config/resolve.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/position.h"
#include "config/read_yaml.h"

namespace weir::config {
namespace {

// A step of a field path: `name`, `[3]` or `["key"]`.
struct Step {
  enum class Kind { kField, kIndex, kKey };
  Kind kind = Kind::kField;
  std::string text;
  std::size_t index = 0;
};

// The text between quotes at `at`; leaves `at` behind the closing bracket.
std::string quoted_key(std::string_view path, std::size_t& at) {
  std::string key;
  for (++at; at < path.size() && path[at] != '"'; ++at) {
    if (path[at] == '\\' && at + 1 < path.size()) ++at;
    key += path[at];
  }
  at = std::min(at + 2, path.size());
  return key;
}

std::vector<Step> steps_of(std::string_view path) {
  std::vector<Step> steps;
  std::size_t at = 0;
  while (at < path.size()) {
    Step step;
    if (path[at] == '.') {
      ++at;
      continue;
    }
    if (path[at] == '[' && at + 1 < path.size() && path[at + 1] == '"') {
      step.kind = Step::Kind::kKey;
      step.text = quoted_key(path, ++at);
    } else if (path[at] == '[') {
      step.kind = Step::Kind::kIndex;
      const std::size_t end = std::min(path.find(']', at), path.size());
      const auto parsed = std::from_chars(path.data() + at + 1, path.data() + end, step.index);
      if (parsed.ec != std::errc()) step.index = std::numeric_limits<std::size_t>::max();
      at = std::min(end + 1, path.size());
    } else {
      const std::size_t end = std::min(path.find_first_of(".[", at), path.size());
      step.text = path.substr(at, end - at);
      at = end;
    }
    steps.push_back(std::move(step));
  }
  return steps;
}

// Whether a key of the text names the field: snake_case and lowerCamelCase are the same.
bool names_field(std::string_view key, std::string_view field) {
  const auto lower = [](char c) { return std::tolower(static_cast<unsigned char>(c)); };
  std::size_t i = 0;
  for (const char c : field) {
    if (c == '_') continue;
    while (i < key.size() && key[i] == '_') ++i;
    if (i == key.size() || lower(key[i]) != lower(c)) return false;
    ++i;
  }
  return i == key.size();
}

const YamlEntry* find_entry(const YamlNode& node, const Step& step) {
  for (const YamlEntry& entry : node.entries()) {
    const bool found = step.kind == Step::Kind::kKey ? entry.key.text() == step.text
                                                     : names_field(entry.key.text(), step.text);
    if (found) return &entry;
  }
  return nullptr;
}

// How far a path leads within one source.
struct Cursor {
  const Source* source = nullptr;
  const YamlNode* node = nullptr;  // null: the path went on elsewhere
  std::size_t depth = 0;           // steps taken
  std::size_t offset = 0;          // of the last step taken
};

void enter(Cursor& cursor, const YamlEntry& entry) {
  cursor.node = &entry.value;
  ++cursor.depth;
  cursor.offset = entry.value.is_scalar() ? entry.value.offset() : entry.key.offset();
}

void step_into_field(Cursor& cursor, const Step& step) {
  if (cursor.node == nullptr) return;
  const YamlEntry* entry = find_entry(*cursor.node, step);
  if (entry == nullptr && cursor.node->find("@type") != nullptr) {
    // The fields of a TypedStruct, or of a message with a JSON form of its own, are one deeper.
    const YamlNode* const value = cursor.node->find("value");
    if (value != nullptr) entry = find_entry(*value, step);
  }
  if (entry == nullptr) {
    cursor.node = nullptr;
  } else {
    enter(cursor, *entry);
  }
}

// Lists of several sources are one behind the other.
void step_to_index(std::vector<Cursor>& cursors, std::size_t index) {
  bool found = false;
  for (Cursor& cursor : cursors) {
    if (cursor.node == nullptr) continue;
    const std::span<const YamlNode> items = cursor.node->items();
    if (found || index >= items.size()) {
      index -= found ? 0 : items.size();
      cursor.node = nullptr;
      continue;
    }
    cursor.node = &items[index];
    ++cursor.depth;
    cursor.offset = cursor.node->offset();
    found = true;
  }
}

// The sources that could be read, in their order.
class Resolver {
 public:
  explicit Resolver(const Source& source) { add(source); }
  explicit Resolver(const Diagnostics& diagnostics) {
    for (const Source& source : diagnostics.sources()) add(source);
  }

  std::optional<Cursor> find(std::string_view path) const {
    std::vector<Cursor> cursors;
    for (std::size_t i = 0; i < trees_.size(); ++i) {
      cursors.push_back({.source = sources_[i], .node = &trees_[i]->root()});
    }
    for (const Step& step : steps_of(path)) {
      if (step.kind == Step::Kind::kIndex) {
        step_to_index(cursors, step.index);
      } else {
        for (Cursor& cursor : cursors) step_into_field(cursor, step);
      }
    }
    std::optional<Cursor> best;
    for (const Cursor& cursor : cursors) {
      if (!best || cursor.depth >= best->depth) best = cursor;
    }
    return best;
  }

 private:
  void add(const Source& source) {
    Diagnostics ignored;  // what is wrong with a source was reported when it was loaded
    std::unique_ptr<YamlTree> tree = read_yaml(source, YamlLimits{}, ignored);
    if (tree == nullptr) return;
    sources_.push_back(&source);
    trees_.push_back(std::move(tree));
  }

  std::vector<const Source*> sources_;
  std::vector<std::unique_ptr<YamlTree>> trees_;
};

void place_where(const std::optional<Cursor>& cursor, Diagnostic& item) {
  if (!cursor) return;
  if (cursor->depth == 0) {
    item.file = cursor->source->file;
  } else {
    place(item, *cursor->source, cursor->offset);
  }
}

}  // namespace

void resolve_positions_in(const Source& source, Diagnostics& diagnostics) {
  std::optional<Resolver> resolver;
  for (Diagnostic& item : diagnostics.mutable_items()) {
    if (!item.file.empty() || item.line != 0 || item.field_path.empty()) continue;
    if (!resolver) resolver.emplace(source);
    place_where(resolver->find(item.field_path), item);
  }
}

void resolve_positions(Diagnostics& diagnostics) {
  std::optional<Resolver> resolver;
  for (Diagnostic& item : diagnostics.mutable_items()) {
    if (item.line != 0 || item.field_path.empty() || diagnostics.sources().empty()) continue;
    if (!resolver) resolver.emplace(diagnostics);
    place_where(resolver->find(item.field_path), item);
  }
  diagnostics.sort_by_position();
  diagnostics.drop_repeats();
}

}  // namespace weir::config
