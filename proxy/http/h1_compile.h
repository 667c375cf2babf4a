#pragma once

#include <optional>

#include "config/diagnostic.h"
#include "config/field_path.h"
#include "proxy/http/h1_parser.h"
#include "proxy/http/h1_writer.h"

namespace envoy::config::core::v3 {
class Http1ProtocolOptions;
}

namespace weir::http {

// What core.v3.Http1ProtocolOptions.header_key_format says of one side.
struct HeaderKeys {
  h1::HeaderCase header_case = h1::HeaderCase::kLower;
  std::optional<h1::SpellingStyle> spelling;  // set: what is read keeps the case of its names
};

// Errors go to `diagnostics` with `path`, the message's place. Main thread.
HeaderKeys compile_header_keys(const envoy::config::core::v3::Http1ProtocolOptions& in,
                               const config::FieldPath& path, config::Diagnostics& diagnostics);

}  // namespace weir::http
