#pragma once

#include "proxy/http/filter_type.h"

namespace weir::filters {

// envoy.extensions.filters.http.grpc_http1_bridge.v3.Config
http::FilterType grpc_http1_bridge();

}  // namespace weir::filters
