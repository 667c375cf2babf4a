#pragma once

#include <cstddef>
#include <memory>

#include "config/diagnostic.h"
#include "config/yaml/yaml_node.h"

namespace weir::config {

// Bounds on what a document may cost. A document beyond one is refused before it is expanded.
struct YamlLimits {
  std::size_t max_bytes = std::size_t{64} << 20;
  int max_depth = 100;
  // Nodes of the document with its aliases followed and its merge keys applied.
  std::uint32_t max_nodes = 4'000'000;
};

// Reads one YAML 1.2 document; JSON is YAML, and takes the same path. Supported: block and flow
// style, all five scalar styles, anchors, aliases, merge keys (`<<`), comments, `!!str` and the
// other core tags. Refused with an error: several documents, duplicate keys, keys that are not
// scalars, tags beyond the core ones, tabs as indentation, bytes that are not UTF-8, and whatever
// exceeds the limits.
//
// An empty text is a null root. Returns null if the text cannot be parsed; of a duplicate key the
// first value stays, so that a caller can go on to find more errors. Errors stand in `diagnostics`
// with their positions. The tree points into `source.text`, which must outlive it.
std::unique_ptr<YamlTree> read_yaml(const Source& source, const YamlLimits& limits,
                                    Diagnostics& diagnostics);

}  // namespace weir::config
