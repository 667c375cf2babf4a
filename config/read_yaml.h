#pragma once

#include <memory>

#include "config/diagnostic.h"
#include "config/yaml/parse_yaml.h"
#include "config/yaml/yaml_node.h"

namespace weir::config {

// Reads the YAML or JSON of a source: checks its size and that it is UTF-8, and parses it
// (config/yaml/parse_yaml.h says what is supported). Errors go to `diagnostics` with their
// positions. Returns null if the text cannot be parsed. The tree points into `source.text`, which
// must outlive it.
std::unique_ptr<YamlTree> read_yaml(const Source& source, const YamlLimits& limits,
                                    Diagnostics& diagnostics);

}  // namespace weir::config
