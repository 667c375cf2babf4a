#pragma once

#include "proxy/http/filter_type.h"

namespace weir::filters::transcoder {

// envoy.extensions.filters.http.grpc_json_transcoder.v3.GrpcJsonTranscoder, for a chain and for a
// route.
http::FilterType grpc_json_transcoder();

}  // namespace weir::filters::transcoder
