#pragma once

#include <span>

#include "proxy/http/filter_type.h"

namespace weir::filters {

// All HTTP filters of this build. Adding one is a line in registry.cc.
std::span<const http::FilterType> http_filters();

}  // namespace weir::filters
