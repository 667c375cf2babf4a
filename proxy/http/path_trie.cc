#include "proxy/http/path_trie.h"

#include <algorithm>
#include <deque>
#include <tuple>

namespace weir::http {
namespace {

size_t common_size(std::string_view a, std::string_view b) {
  const auto ends = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  return static_cast<size_t>(ends.first - a.begin());
}

}  // namespace

PathTrie::PathTrie(std::vector<Entry> entries, bool ignore_case) : ignore_case_(ignore_case) {
  std::deque<std::string> folded;  // the entries' views point into it during construction
  if (ignore_case) {
    for (Entry& entry : entries) {
      std::string& text = folded.emplace_back(entry.text);
      std::transform(text.begin(), text.end(), text.begin(), lower);
      entry.text = text;
    }
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::tie(a.text, a.route) < std::tie(b.text, b.route);
  });
  nodes_.emplace_back();
  first_bytes_ += '\0';
  // Not recursive: texts that are prefixes of each other make a tree as deep as there are texts.
  std::vector<Range> pending{{0, entries.size(), 0, 0}};
  while (!pending.empty()) {
    const Range range = pending.back();
    pending.pop_back();
    build(entries, range, pending);
  }
  nodes_.shrink_to_fit();
  text_.shrink_to_fit();
}

// Makes the node for a range of entries that share their first bytes, and queues its children.
void PathTrie::build(const std::vector<Entry>& entries, Range range, std::vector<Range>& pending) {
  if (range.begin == range.end) return;
  // Of sorted texts, the first and the last have in common what all have in common.
  const std::string_view first = entries[range.begin].text;
  const size_t shared = common_size(first, entries[range.end - 1].text);
  Node node;
  node.edge = static_cast<uint32_t>(text_.size());
  node.edge_size = static_cast<uint32_t>(shared - range.depth);
  text_ += first.substr(range.depth, node.edge_size);

  size_t at = range.begin;
  node.routes = static_cast<uint32_t>(routes_.size());
  for (; at < range.end && entries[at].text.size() == shared; ++at)
    routes_.push_back(entries[at].route);
  node.route_count = static_cast<uint32_t>(routes_.size()) - node.routes;

  node.children = static_cast<uint32_t>(nodes_.size());
  while (at < range.end) {
    const char byte = entries[at].text[shared];
    const size_t begin = at;
    while (at < range.end && entries[at].text[shared] == byte) ++at;
    pending.push_back({begin, at, shared, static_cast<uint32_t>(nodes_.size())});
    nodes_.emplace_back();
    first_bytes_ += byte;
  }
  node.child_count = static_cast<uint32_t>(nodes_.size()) - node.children;
  nodes_[range.node] = node;
}

const PathTrie::Node* PathTrie::child(const Node& node, char first) const {
  const std::string_view bytes =
      std::string_view(first_bytes_).substr(node.children, node.child_count);
  const size_t at = bytes.find(first);
  return at == std::string_view::npos ? nullptr : &nodes_[node.children + at];
}

}  // namespace weir::http
