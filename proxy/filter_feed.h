#pragma once

#include <cstdint>
#include <memory>

#include "proxy/feed.h"
#include "proxy/http/filter_chain.h"

namespace weir {

// The filters of a connection manager as one worker uses them.
struct FilterUse {
  std::shared_ptr<const http::FilterList> filters;
  uint32_t requests = 0;  // that began with them
};

// The filters in force for one connection manager of which some come by ECDS.
using FilterFeed = Feed<FilterUse>;

}  // namespace weir
