#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "proxy/http/path_trie.h"
#include "proxy/http/route_match.h"

namespace weir::http {

// Finds the first of a virtual host's routes, in their configured order, that matches. Few routes
// are tried one by one; of many, a trie gives those whose literal path fits, so that the cost does
// not grow with their number. Immutable: any thread.
class RouteIndex {
 public:
  // More routes than this get a trie.
  static constexpr size_t kMaxLinear = 16;

  RouteIndex() = default;
  // A matcher stands where its route stands. They must outlive the index.
  explicit RouteIndex(std::span<const RouteMatcher> matchers);

  // `path` is the request's without query. No heap.
  std::optional<uint32_t> find(const RouteTable::Query& query, std::string_view path) const;

 private:
  std::optional<uint32_t> find_indexed(const RouteTable::Query& query, std::string_view path) const;

  struct Tries {
    PathTrie exact_case;
    PathTrie any_case;
    std::vector<uint32_t> others;  // routes whose path is no literal, ascending
  };

  std::span<const RouteMatcher> matchers_;
  std::unique_ptr<const Tries> tries_;  // null: try them one by one
};

}  // namespace weir::http
