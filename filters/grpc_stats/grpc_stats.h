#pragma once

#include "proxy/http/filter_type.h"

namespace weir::filters {

// envoy.extensions.filters.http.grpc_stats.v3.FilterConfig
http::FilterType grpc_stats();

}  // namespace weir::filters
