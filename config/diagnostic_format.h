#pragma once

#include <string>

#include "config/diagnostic.h"

namespace weir::config {

// The diagnostics for a person, one block each:
//
//   edge.yaml:12:9: error: unknown field 'prefx' [unknown-field]
//       prefx: "/"
//       ^
//   hint: did you mean 'prefix'?
//
// Control characters that come from the configuration are escaped. `colour` adds ANSI colours; set
// it only for a terminal.
std::string format_text(const Diagnostics& diagnostics, bool colour);

// The diagnostics for a tool, as one line of JSON:
// {"errors":1,"warnings":0,"omitted":0,"diagnostics":[{"severity":"error","code":"unknown-field",
// "message":...,"path":...,"hint":...,"file":...,"line":12,"column":9,"source_line":...}]}
std::string format_json(const Diagnostics& diagnostics);

}  // namespace weir::config
