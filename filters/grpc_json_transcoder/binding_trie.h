#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "filters/grpc_json_transcoder/http_template.h"

namespace weir::filters::transcoder {

// Finds the rule for a path: a tree of segments, so that the number of rules does not matter. A
// literal goes before `*`, that before `**`. Immutable once it is built: any thread.
class BindingTrie {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;

  // `method` is an HTTP method, or "*" for all. Returns kNone, or what stands at this place
  // already.
  uint32_t add(const HttpTemplate& path, std::string_view method, uint32_t binding);

  // kNone when there is none. `verb` is empty for a path without one.
  uint32_t find(std::string_view method, std::span<const std::string_view> segments,
                std::string_view verb) const;

 private:
  struct End {
    std::string method;
    std::string verb;
    uint32_t binding;
  };
  struct Node {
    std::map<std::string, std::unique_ptr<Node>, std::less<>> literals;
    std::unique_ptr<Node> one;
    std::unique_ptr<Node> many;
    std::vector<End> ends;
  };
  struct Query {
    std::string_view method;
    std::string_view verb;
  };

  static uint32_t end_at(const Node& node, const Query& query);
  static uint32_t find_from(const Node& node, std::span<const std::string_view> segments,
                            const Query& query);

  Node root_;
};

}  // namespace weir::filters::transcoder
