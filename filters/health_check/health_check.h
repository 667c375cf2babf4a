#pragma once

#include "proxy/http/filter_type.h"

namespace weir::filters {

// envoy.extensions.filters.http.health_check.v3: answers health checks, or lets them through to the
// upstream and remembers its answer for a while. Once the server is told to fail its health checks
// (/healthcheck/fail), they get a 503, and every response asks the client not to come again.
http::FilterType health_check();

}  // namespace weir::filters
