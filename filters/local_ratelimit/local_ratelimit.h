#pragma once

#include "proxy/http/filter_type.h"

namespace weir::local_ratelimit {

// envoy.extensions.filters.http.local_ratelimit.v3: token buckets of this process, for all requests
// or by descriptor, as a filter or per route.
http::FilterType local_ratelimit();

}  // namespace weir::local_ratelimit
