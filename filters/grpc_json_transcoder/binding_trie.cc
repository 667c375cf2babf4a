#include "filters/grpc_json_transcoder/binding_trie.h"

namespace weir::filters::transcoder {

uint32_t BindingTrie::add(const HttpTemplate& path, std::string_view method, uint32_t binding) {
  Node* node = &root_;
  for (const PathSegment& segment : path.segments) {
    std::unique_ptr<Node>& next =
        segment.kind == PathSegment::Kind::kLiteral
            ? node->literals[segment.text]
            : (segment.kind == PathSegment::Kind::kOne ? node->one : node->many);
    if (next == nullptr) next = std::make_unique<Node>();
    node = next.get();
  }
  for (const End& end : node->ends)
    if (end.method == method && end.verb == path.verb) return end.binding;
  node->ends.push_back({std::string(method), path.verb, binding});
  return kNone;
}

// A rule for this very method goes before one for all.
uint32_t BindingTrie::end_at(const Node& node, const Query& query) {
  uint32_t found = kNone;
  for (const End& end : node.ends) {
    if (end.verb != query.verb) continue;
    if (end.method == query.method) return end.binding;
    if (end.method == "*") found = end.binding;
  }
  return found;
}

uint32_t BindingTrie::find(std::string_view method, std::span<const std::string_view> segments,
                           std::string_view verb) const {
  return find_from(root_, segments, {method, verb});
}

// As deep as the longest template; a node is tried once, below `**` once for each segment.
uint32_t BindingTrie::find_from(const Node& node, std::span<const std::string_view> segments,
                                const Query& query) {
  uint32_t found = kNone;
  if (segments.empty()) {
    found = end_at(node, query);
  } else {
    const auto literal = node.literals.find(segments[0]);
    if (literal != node.literals.end())
      found = find_from(*literal->second, segments.subspan(1), query);
    if (found == kNone && node.one != nullptr && !segments[0].empty())
      found = find_from(*node.one, segments.subspan(1), query);
  }
  if (found != kNone || node.many == nullptr) return found;
  if (!node.many->literals.empty())
    for (size_t skipped = 0; skipped < segments.size() && found == kNone; ++skipped)
      found = find_from(*node.many, segments.subspan(skipped), query);
  return found != kNone ? found : end_at(*node.many, query);
}

}  // namespace weir::filters::transcoder
