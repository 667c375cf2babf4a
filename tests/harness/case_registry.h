#pragma once

#include <functional>
#include <string>

#include "tests/harness/case_runner.h"

namespace weir::test {

// How one case is run: the empty text when it passed, else what went wrong.
using RunCase = std::function<std::string(CaseStage&, const CaseFile&, const Case&, bool split)>;

// Registers a GoogleTest test for each case of the .case files in `folder` (from the repository's
// root): once as written, and once with every write of the client split into single bytes.
// Successive cases with the same config share one proxy.
void register_cases(const std::string& folder, const RunCase& run);

}  // namespace weir::test
