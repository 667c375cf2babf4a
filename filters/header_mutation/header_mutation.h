#pragma once

#include "proxy/http/filter_type.h"

namespace weir::filters {

// envoy.extensions.filters.http.header_mutation.v3: changes headers, trailers and query parameters,
// by the filter's own list first and then by those of table, virtual host and route.
http::FilterType header_mutation();

}  // namespace weir::filters
