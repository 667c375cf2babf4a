// A field section that is taken is one that HTTP/1 can carry and that stays within its bounds,
// whatever lines the decoder gives. Each line is a byte for the length of its name, one for that of
// its value, and both.
#include "proxy/http/h2_headers.h"
#include "tests/fuzz/h2_fuzz.h"

namespace {

using namespace weir;
using fuzz::require;
using http::h2::FieldSection;

constexpr http::h2::HeaderLimits kLimits{20, 1'000};

std::string_view take(std::string_view& from, size_t bytes) {
  const std::string_view out = from.substr(0, bytes);
  from.remove_prefix(out.size());
  return out;
}

// False: refused.
bool fill(FieldSection& section, std::string_view input) {
  size_t bytes = 0;
  while (input.size() >= 2) {
    const auto name_bytes = static_cast<uint8_t>(input[0]);
    const auto value_bytes = static_cast<uint8_t>(input[1]);
    input.remove_prefix(2);
    const std::string_view name = take(input, name_bytes);
    const std::string_view value = take(input, value_bytes);
    bytes += name.size() + value.size();
    const FieldSection::Verdict verdict = section.add(name, value);
    if (verdict != FieldSection::Verdict::kFine) {
      require(!section.details().empty());
      return false;
    }
    require(bytes <= kLimits.max_bytes);
  }
  return true;
}

void check_request(std::string_view input, bool allow_connect) {
  Arena arena;
  http::RequestHead head(arena);
  FieldSection section;
  section.begin(FieldSection::Kind::kRequest, head.headers, kLimits);
  if (!fill(section, input)) return;
  if (!section.finish_request(head, allow_connect)) return require(!section.details().empty());
  require(arena.overflow_bytes() <= 16'384);
  fuzz::require_lines(head.headers, kLimits.max_count);
  require(head.method == http::method_of(head.method_text));
  require(head.upgrade.empty() || allow_connect);
  if (head.method == http::Method::kConnect) return require(head.path.empty());
  require(head.path == "*" || head.path.starts_with('/'));
  for (const char c : head.path) require(c > 0x20 && c < 0x7f);
  require(head.scheme == "http" || head.scheme == "https");
  int cookies = 0;
  head.headers.for_each(
      [&](const http::Header& line) { cookies += line.known == http::Known::kCookie; });
  require(cookies <= 1);
}

void check_response(std::string_view input) {
  Arena arena;
  http::ResponseHead head(arena);
  FieldSection section;
  section.begin(FieldSection::Kind::kResponse, head.headers, kLimits);
  if (!fill(section, input) || !section.finish_response(head)) return;
  require(head.status >= 100 && head.status <= 999 && head.status != 101);
  fuzz::require_lines(head.headers, kLimits.max_count);
}

void check_trailers(std::string_view input) {
  Arena arena;
  http::HeaderMap trailers(arena);
  FieldSection section;
  section.begin(FieldSection::Kind::kTrailers, trailers, kLimits);
  if (!fill(section, input) || !section.finish_trailers()) return;
  fuzz::require_lines(trailers, kLimits.max_count);
  require(!trailers.has(http::Known::kContentLength));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  check_request(input, false);
  check_request(input, true);
  check_response(input);
  check_trailers(input);
  return 0;
}
