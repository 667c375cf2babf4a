#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "config/diagnostic.h"

namespace weir::config {

// A pipe is waited for, which may be for ever: only where a person names it for this one time, as
// with `-c /dev/stdin`, is more than a regular file read.
enum class FileKind { kRegular, kAny };

// The content of a file of at most `max_bytes`. Nothing after an error, which is then in
// `diagnostics` as Code::kIo or Code::kLimit.
std::optional<std::string> read_file(const std::string& path, std::size_t max_bytes,
                                     Diagnostics& diagnostics, FileKind kind = FileKind::kRegular);

}  // namespace weir::config
