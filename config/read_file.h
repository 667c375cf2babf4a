#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "config/diagnostic.h"

namespace weir::config {

// The content of a file of at most `max_bytes`, which may be a pipe. Nothing after an error, which
// is then in `diagnostics` as Code::kIo or Code::kLimit.
std::optional<std::string> read_file(const std::string& path, std::size_t max_bytes,
                                     Diagnostics& diagnostics);

}  // namespace weir::config
