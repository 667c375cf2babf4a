#pragma once

#include "proxy/http/filter_type.h"

namespace weir::filters {

// envoy.extensions.filters.http.grpc_web.v3.GrpcWeb
http::FilterType grpc_web();

}  // namespace weir::filters
