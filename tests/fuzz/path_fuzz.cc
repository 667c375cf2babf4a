// The canonical form of a path is a fixed point and holds no dot segment, whatever came in.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "proxy/http/path.h"

namespace {

using weir::Arena;
using weir::http::canonicalize;
using weir::http::PathOptions;
using weir::http::PathVerdict;

void require(bool holds) {
  if (!holds) std::abort();
}

bool has_dot_segment(std::string_view path) {
  path = path.substr(0, path.find('?'));
  while (!path.empty()) {
    path.remove_prefix(1);
    const std::string_view segment = path.substr(0, path.find('/'));
    if (segment == "." || segment == "..") return true;
    path.remove_prefix(segment.size());
  }
  return false;
}

void check_result(std::string_view path, const PathOptions& options, Arena& arena) {
  require(path == "*" || path[0] == '/');
  for (const char c : path) require(c > 0x20 || static_cast<uint8_t>(c) >= 0x80);
  if (options.normalize) require(!has_dot_segment(path));
  const std::string_view plain = path.substr(0, path.find('?'));
  if (options.normalize) require(plain.find('\\') == std::string_view::npos);
  if (options.merge_slashes) require(plain.find("//") == std::string_view::npos);

  std::string_view again;
  require(canonicalize(path, options, arena, again) == PathVerdict::kUnchanged);
  require(again == path);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  // The first byte chooses the options.
  PathOptions options;
  options.normalize = data[0] & 1;
  options.merge_slashes = data[0] & 2;
  options.escaped_slashes = static_cast<PathOptions::EscapedSlashes>((data[0] >> 2) & 3);
  const std::string input(reinterpret_cast<const char*>(data + 1), size - 1);

  Arena arena;
  std::string_view out;
  const PathVerdict verdict = canonicalize(input, options, arena, out);
  if (verdict == PathVerdict::kReject) return 0;
  require((verdict == PathVerdict::kUnchanged) == (out == input));
  check_result(out, options, arena);
  return 0;
}
