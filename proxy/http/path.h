#pragma once

#include <cstdint>
#include <string_view>

#include "proxy/base/arena.h"

namespace weir::http {

// How request paths are made canonical before anything looks at them: the options of
// envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.
struct PathOptions {
  // Of %2F and %5C, path_with_escaped_slashes_action.
  enum class EscapedSlashes : uint8_t { kKeep, kReject, kUnescapeAndRedirect, kUnescapeAndForward };

  bool normalize = false;  // normalize_path
  bool merge_slashes = false;
  EscapedSlashes escaped_slashes = EscapedSlashes::kKeep;
};

enum class PathVerdict : uint8_t {
  kUnchanged,  // `out` is the path as it came
  kChanged,    // `out` is in the arena and takes the path's place
  kReject,     // answer 400: the path is ambiguous or illegal
  kRedirect,   // answer 307 to `out`: slashes were unescaped and the configuration wants that shown
};

// Makes the path of a request canonical. `path` is in origin form with its query, which is never
// changed, or "*". Always rejected: control bytes, a fragment ('#'), "%00", and a path that does
// not begin with a slash.
//
// `normalize` is RFC 3986 6.2.2 without case normalisation, as Envoy does it: dot segments are
// resolved (also in the form %2e), escapes of unreserved characters are decoded, backslashes become
// slashes, and bytes that a path must not have are escaped. A '%' that begins no escape stays,
// unless decoding what follows would make it begin one: that is rejected.
//
// The result is a fixed point: canonicalize(canonicalize(p)) == canonicalize(p).
PathVerdict canonicalize(std::string_view path, const PathOptions& options, Arena& arena,
                         std::string_view& out);

}  // namespace weir::http
