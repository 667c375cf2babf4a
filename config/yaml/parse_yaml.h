#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/yaml/yaml_node.h"

namespace weir::config {

// Bounds on what a document may cost. A document beyond one is refused before it is expanded.
struct YamlLimits {
  std::size_t max_bytes = std::size_t{64} << 20;
  int max_depth = 100;
  // Nodes of the document with its aliases followed and its merge keys applied, and those of them
  // that aliases and merge keys add.
  std::uint32_t max_nodes = 4'000'000;
  std::uint64_t max_aliased_nodes = 1'000'000;
};

struct YamlError {
  enum class Kind { kSyntax, kLimit, kDuplicateKey };

  Kind kind = Kind::kSyntax;
  std::size_t offset = 0;  // bytes from the beginning of the text
  std::string message;
  std::string hint;  // may be empty
};

// Parses one YAML 1.2 document; JSON is YAML, and takes the same path. Supported: block and flow
// style, all five scalar styles, anchors, aliases, merge keys (`<<`), comments, `!!str` and the
// other core tags. Refused with an error: several documents, duplicate keys, keys that are not
// scalars, tags beyond the core ones, tabs as indentation, and whatever exceeds the limits.
//
// The text must be UTF-8 without control characters but tab, line feed, and carriage return before
// a line feed; it must outlive the tree, which points into it. An empty text is a null root.
//
// Appends to `errors`. Returns null if the text cannot be parsed; of a duplicate key the first
// value stays, so that a caller can go on to find more errors.
std::unique_ptr<YamlTree> parse_yaml(std::string_view text, const YamlLimits& limits,
                                     std::vector<YamlError>& errors);

}  // namespace weir::config
