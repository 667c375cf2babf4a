#pragma once

#include <span>
#include <string_view>

#include "proxy/http/filter_type.h"

namespace weir::filters {

// All HTTP filters of this build. Adding one is a line in registry.cc.
std::span<const http::FilterType> http_filters();

// Weir's own messages among them, as a table for config::Support::add. Envoy's are in
// config/support_list.cc.
std::string_view own_messages();

}  // namespace weir::filters
