#pragma once

#include "proxy/http/filter_type.h"

namespace weir::filters {

// envoy.extensions.filters.http.router.v3.Router: the end of every chain. What it does, sending the
// request upstream, is request's own business; here it only has its place in the registry.
http::FilterType router();

}  // namespace weir::filters
