#include "config/field_path.h"

#include <vector>

namespace weir::config {
namespace {

void append_quoted(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  out += '"';
}

void append_node(std::string& out, const FieldPath& node) {
  if (!node.name.empty()) {
    if (!out.empty()) out += '.';
    out += node.name;
  }
  if (node.index != FieldPath::kNoIndex) out += '[' + std::to_string(node.index) + ']';
  if (node.is_map_entry) {
    out += '[';
    append_quoted(out, node.map_key);
    out += ']';
  }
}

}  // namespace

std::string FieldPath::str() const {
  std::vector<const FieldPath*> chain;
  for (const FieldPath* node = this; node != nullptr; node = node->parent) chain.push_back(node);
  std::string out;
  for (auto it = chain.rbegin(); it != chain.rend(); ++it) append_node(out, **it);
  return out;
}

}  // namespace weir::config
