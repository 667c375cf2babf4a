#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::http {

// Texts, each with the numbers of the routes that it belongs to, in a radix tree laid out in flat
// arrays: finding all texts that a path begins with costs about the length of the longest of them,
// however many there are. Built once, then read by any thread.
class PathTrie {
 public:
  struct Entry {
    std::string_view text;  // used during construction only
    uint32_t route;
  };

  // With `ignore_case`, ASCII letters match in either case.
  PathTrie(std::vector<Entry> entries, bool ignore_case);

  // Calls visit(routes, size) for every text that `path` begins with, shortest first: the routes in
  // ascending order and the text's length.
  template <class Visit>
  void walk(std::string_view path, Visit visit) const {
    if (ignore_case_)
      descend<true>(path, visit);
    else
      descend<false>(path, visit);
  }

 private:
  // What leads to a node from its parent is text_[edge, edge + edge_size); its children are
  // nodes_[children, children + child_count), in the order of their first bytes.
  struct Node {
    uint32_t edge = 0;
    uint32_t edge_size = 0;
    uint32_t children = 0;
    uint32_t child_count = 0;
    uint32_t routes = 0;
    uint32_t route_count = 0;
  };
  struct Range {  // of the sorted entries that lie below a node
    size_t begin;
    size_t end;
    size_t depth;  // bytes that the node's ancestors stand for
    uint32_t node;
  };

  static char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

  void build(const std::vector<Entry>& entries, Range range, std::vector<Range>& pending);
  template <bool kFold>
  bool follows(const Node& node, std::string_view rest) const;
  template <bool kFold, class Visit>
  void descend(std::string_view path, Visit& visit) const;
  const Node* child(const Node& node, char first) const;

  bool ignore_case_;
  std::vector<Node> nodes_;
  std::string first_bytes_;  // of each node's edge, by node
  std::string text_;
  std::vector<uint32_t> routes_;
};

template <bool kFold>
bool PathTrie::follows(const Node& node, std::string_view rest) const {
  if (rest.size() < node.edge_size) return false;
  const char* edge = text_.data() + node.edge;
  if (!kFold) return rest.substr(0, node.edge_size) == std::string_view(edge, node.edge_size);
  for (uint32_t i = 0; i < node.edge_size; ++i)
    if (lower(rest[i]) != edge[i]) return false;
  return true;
}

template <bool kFold, class Visit>
void PathTrie::descend(std::string_view path, Visit& visit) const {
  const Node* node = nodes_.data();
  for (size_t at = 0;;) {
    if (!follows<kFold>(*node, path.substr(at))) return;
    at += node->edge_size;
    if (node->route_count != 0)
      visit(std::span<const uint32_t>(routes_).subspan(node->routes, node->route_count), at);
    if (at == path.size()) return;
    node = child(*node, kFold ? lower(path[at]) : path[at]);
    if (node == nullptr) return;
  }
}

}  // namespace weir::http
