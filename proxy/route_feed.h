#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "proxy/feed.h"
#include "proxy/http/route_table.h"

namespace weir {

struct ScopeKeyHash {
  using is_transparent = void;
  size_t operator()(std::string_view key) const { return std::hash<std::string_view>()(key); }
};
// The route tables of scoped_routes by the keys of their scopes (proxy/scope_keys.h).
using ScopeTables = std::unordered_map<std::string, std::shared_ptr<const http::RouteTable>,
                                       ScopeKeyHash, std::equal_to<>>;

// A route table, or those of all scopes, as one worker uses them. Both are null before any came.
struct RouteUse {
  std::shared_ptr<const http::RouteTable> table;
  std::shared_ptr<const ScopeTables> scopes;
  uint32_t requests = 0;  // that still look into it
};

// The routes in force for one connection manager.
using RouteFeed = Feed<RouteUse>;

}  // namespace weir
