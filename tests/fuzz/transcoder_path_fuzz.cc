// A template and a path: the tree of templates finds what a plain comparison, segment by segment,
// says fits.
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "filters/grpc_json_transcoder/binding_trie.h"
#include "filters/grpc_json_transcoder/http_template.h"
#include "filters/grpc_json_transcoder/url_text.h"

namespace {

using namespace weir::filters::transcoder;
using Segments = std::span<const std::string_view>;

void require(bool holds) {
  if (!holds) std::abort();
}

bool fits(std::span<const PathSegment> wanted, Segments path) {
  if (wanted.empty()) return path.empty();
  if (wanted[0].kind == PathSegment::Kind::kMany) {
    for (size_t taken = 0; taken <= path.size(); ++taken)
      if (fits(wanted.subspan(1), path.subspan(taken))) return true;
    return false;
  }
  if (path.empty()) return false;
  const bool one = wanted[0].kind == PathSegment::Kind::kOne;
  if (one ? path[0].empty() : path[0] != wanted[0].text) return false;
  return fits(wanted.subspan(1), path.subspan(1));
}

void check_unescaping(std::string_view text) {
  const std::string all = unescape(text, Unescape::kAll);
  require(all.size() <= text.size());
  require(unescape(text, Unescape::kAllButReserved).size() >= all.size());
  for (const QueryPair& pair : split_query(text, true)) require(!pair.name.empty());
}

}  // namespace

// Templates, a line each; the last line is the path.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  BindingTrie trie;
  std::vector<HttpTemplate> templates;
  for (size_t end; (end = input.find('\n')) != std::string_view::npos;) {
    auto parsed = parse_http_template(input.substr(0, end));
    input.remove_prefix(end + 1);
    if (!parsed.ok()) continue;
    trie.add(*parsed, "GET", static_cast<uint32_t>(templates.size()));
    templates.push_back(parsed.take());
  }
  check_unescaping(input);
  const PathParts parts = split_path(input);
  bool one_fits = false;
  for (const HttpTemplate& t : templates)
    one_fits |= t.verb == parts.verb && fits(t.segments, parts.segments);
  const uint32_t found = trie.find("GET", parts.segments, parts.verb);
  require((found != BindingTrie::kNone) == one_fits);
  if (found != BindingTrie::kNone) require(fits(templates[found].segments, parts.segments));
  return 0;
}
