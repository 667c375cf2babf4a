#pragma once

#include <cstdint>
#include <memory>

#include "proxy/feed.h"
#include "proxy/http/route_table.h"

namespace weir {

// A route table as one worker uses it.
struct RouteUse {
  std::shared_ptr<const http::RouteTable> table;  // null: none has come yet
  uint32_t requests = 0;                          // that still look into it
};

// The route table in force for one connection manager.
using RouteFeed = Feed<RouteUse>;

}  // namespace weir
