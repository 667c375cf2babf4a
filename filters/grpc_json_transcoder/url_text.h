#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weir::filters::transcoder {

// What stays percent-encoded: GrpcJsonTranscoder.UrlUnescapeSpec.
enum class Unescape : uint8_t { kAllButReserved, kAllButSlash, kAll };

// Decodes percent-encoding (RFC 3986 2.1); what is no such encoding stays as it is.
std::string unescape(std::string_view text, Unescape what, bool plus_is_space = false);

// The path without its query, cut at the slashes; slashes at its end do not count. The verb is what
// follows the last colon of the last segment.
struct PathParts {
  std::vector<std::string_view> segments;
  std::string_view verb;       // empty: none
  std::string_view with_verb;  // the last segment with it
};
PathParts split_path(std::string_view path);

// `name=value` pairs of a query, decoded. A part without '=' is none.
struct QueryPair {
  std::string name;
  std::string value;
};
std::vector<QueryPair> split_query(std::string_view path, bool plus_is_space);

}  // namespace weir::filters::transcoder
