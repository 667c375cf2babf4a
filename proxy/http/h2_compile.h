#pragma once

#include "config/diagnostic.h"
#include "config/field_path.h"
#include "proxy/http/h2_options.h"

namespace envoy::config::core::v3 {
class Http2ProtocolOptions;
}

namespace weir::http {

// Reads core.v3.Http2ProtocolOptions into `out`, which holds the defaults of its side. Errors go to
// `diagnostics` with `path`, the message's place. Main thread.
void compile_http2(const envoy::config::core::v3::Http2ProtocolOptions& in,
                   const config::FieldPath& path, config::Diagnostics& diagnostics, H2Options& out);

}  // namespace weir::http
