#pragma once

#include <optional>
#include <string>

#include "config/diagnostic.h"
#include "config/yaml/parse_yaml.h"
#include "xds/answer.h"
#include "xds/types.h"

namespace weir::xds {

struct TextOptions {
  // Fields that the API here does not know are errors; else warnings, and ignored.
  bool reject_unknown_fields = false;
  config::YamlLimits limits;
};

enum class TextForm { kYaml, kJson, kBinary };

// A DiscoveryResponse that did not come over a stream: of a file or of an HTTP response. `file` is
// its name in errors. It may leave its type out, which is then `type`. Nothing after errors; those
// that concern single resources (Answer::errors) are not among them.
std::optional<Answer> parse_response(ResourceType type, TextForm form, const std::string& file,
                                     std::string text, const TextOptions& options,
                                     config::Diagnostics& diagnostics);

}  // namespace weir::xds
