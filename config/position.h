#pragma once

#include <cstddef>
#include <string_view>

#include "config/diagnostic.h"

namespace weir::config {

struct SourcePosition {
  int line = 1;    // from 1
  int column = 1;  // in bytes, from 1
  std::string_view line_text;
};

// Where in `text` the byte at `offset` is. Costs a scan of the text: for errors only.
SourcePosition position_at(std::string_view text, std::size_t offset);

// Sets file, line, column and source line; no source line where it may show a private key, a
// password or a ticket key.
void place(Diagnostic& diagnostic, const Source& source, std::size_t offset);

}  // namespace weir::config
