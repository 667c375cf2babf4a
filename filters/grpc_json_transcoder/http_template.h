#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/base/result.h"

namespace weir::filters::transcoder {

// A part of a path between slashes.
struct PathSegment {
  enum class Kind : uint8_t { kLiteral, kOne, kMany };  // kOne: `*`, kMany: `**`
  Kind kind = Kind::kLiteral;
  std::string text;  // of a literal
};

// `{name=segments}`: the segments from `first` on go into the field.
struct PathVariable {
  std::vector<std::string> field;  // names from the request message down
  size_t first = 0;
  size_t count = 0;  // of the template's segments
};

// The path of a google.api.http rule:
//   Template = "/" [ Segments ] [ ":" verb ]
//   Segment  = "*" | "**" | literal | "{" field [ "=" Segments ] "}"
// After `**` only literals may follow, so that a path matches in one way.
struct HttpTemplate {
  static constexpr size_t kNone = static_cast<size_t>(-1);

  std::vector<PathSegment> segments;
  std::vector<PathVariable> variables;
  std::string verb;
  size_t many_at = kNone;  // the position of `**`

  // Whether the variable can take more than one segment of a path, or has more than one of its own.
  bool takes_several(const PathVariable& variable) const;
};

// The error's message says what is wrong and where in the text.
Result<HttpTemplate> parse_http_template(std::string_view text);

}  // namespace weir::filters::transcoder
