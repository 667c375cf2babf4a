#pragma once

#include "config/diagnostic.h"

namespace weir::config {

// Finds the file, line and column of the diagnostics that have a field path only, by reading the
// sources again; costs nothing when all have their position. The sources are taken as merged in
// their order: an element of a list is looked for in the first source that reaches its index, any
// other field in the last source that has it. A path that leads nowhere gets the position of the
// nearest field above it.
//
// Then sorts the diagnostics by position. Call it once, before they are shown.
void resolve_positions(Diagnostics& diagnostics);

// The same of those whose paths were found in `source` alone, one of the diagnostics', before it is
// merged with others: all that have no file yet. Sorts nothing.
void resolve_positions_in(const Source& source, Diagnostics& diagnostics);

}  // namespace weir::config
