#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "config/diagnostic.h"
#include "config/field_path.h"

namespace envoy::config::core::v3 {
class DataSource;
}

namespace weir::http {

// The text that a config.core.v3.DataSource stands for at present, of whichever form: of at most
// `max_bytes` where it is a file, whose bytes are noted in `diagnostics` so that a reload sees that
// they are others. Nothing after an error, which is at the field's own path; `if_longer` is what to
// do about a file that is longer.
std::optional<std::string> read_text_source(const envoy::config::core::v3::DataSource& source,
                                            const config::FieldPath& path, size_t max_bytes,
                                            config::Diagnostics& diagnostics,
                                            const std::string& if_longer = {});

}  // namespace weir::http
