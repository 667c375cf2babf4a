#pragma once

#include <cstdint>
#include <optional>

#include "config/diagnostic.h"
#include "config/field_path.h"

namespace google::protobuf {
class Duration;
}

namespace weir::http {

// Milliseconds, rounded up: a short time is not taken for "none". Nothing on an error.
std::optional<int64_t> compile_duration_ms(const google::protobuf::Duration& duration,
                                           const config::FieldPath& path,
                                           config::Diagnostics& diagnostics);
// The same, where there is a default, which stays on an error.
void compile_duration_ms(const google::protobuf::Duration& duration, const config::FieldPath& path,
                         config::Diagnostics& diagnostics, int64_t& out);

}  // namespace weir::http
