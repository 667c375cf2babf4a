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
  // Lists and mappings within one another; yaml-cpp has a bound of its own, which is 500.
  std::size_t max_depth = 100;
  // Values of the document with its aliases followed and its merge keys applied, and those of them
  // that aliases and merge keys add.
  std::uint64_t max_nodes = 4'000'000;
  std::uint64_t max_aliased_nodes = 1'000'000;
};

struct YamlError {
  enum class Kind { kSyntax, kLimit, kDuplicateKey };

  Kind kind = Kind::kSyntax;
  std::size_t offset = 0;  // bytes from the beginning of the text
  std::string message;
  std::string hint;  // may be empty
};

// Parses one YAML 1.2 document with yaml-cpp, the parser that Envoy reads its configuration with;
// JSON is YAML, and takes the same path. Beyond what yaml-cpp checks, these are errors: several
// documents, duplicate keys, keys that are missing or no scalars, tags beyond the core ones, and
// whatever exceeds the limits. Merge keys (`<<`) are applied.
//
// The text must be UTF-8 without control characters but tab, line feed, and carriage return before
// a line feed; it must outlive the tree, which points into it. An empty text is a null root.
//
// Appends to `errors`. Returns null if the text cannot be parsed; of a duplicate key the first
// value stays, so that a caller can go on to find more errors. Throws nothing of yaml-cpp's.
std::unique_ptr<YamlTree> parse_yaml(std::string_view text, const YamlLimits& limits,
                                     std::vector<YamlError>& errors);

}  // namespace weir::config
