// A response head, and the same bytes as a trailer section, are read alike however they arrive.
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "proxy/http/h1_parser.h"

namespace {

using weir::http::Header;
namespace h1 = weir::http::h1;

void require(bool holds) {
  if (!holds) std::abort();
}

struct Response {
  explicit Response(std::string_view text)
      : bytes(text.begin(), text.end()),
        parsed(h1::parse_response(bytes.data(), bytes.size(), {}, head, framing)) {}

  std::vector<char> bytes;  // of its own, so that reading past the end is noticed
  weir::Arena arena;
  weir::http::ResponseHead head{arena};
  h1::Framing framing;
  h1::Parsed parsed;
};

struct Trailers {
  explicit Trailers(std::string_view text)
      : bytes(text.begin(), text.end()),
        parsed(h1::parse_trailers(bytes.data(), bytes.size(), {}, map)) {}

  std::vector<char> bytes;
  weir::Arena arena;
  weir::http::HeaderMap map{arena};
  h1::Parsed parsed;
};

void check_lines(const weir::http::HeaderMap& headers) {
  headers.for_each([](const Header& line) {
    require(h1::is_token(line.name));
    for (const char c : line.value) require(c != '\r' && c != '\n' && c != '\0');
  });
}

void check(const Response& r) {
  require(r.head.status >= 100 && r.head.status <= 999);
  require(!(r.framing.chunked && r.head.content_length >= 0));
  for (const char c : r.head.reason) require(c != '\r' && c != '\n' && c != '\0');
  check_lines(r.head.headers);
}

void check(const Trailers& t) {
  for (const char* name : {"content-length", "transfer-encoding", "host"})
    require(!t.map.has(name));
  check_lines(t.map);
}

// What a message is read as must not depend on where the read ended.
template <class Message>
void check_prefixes(std::string_view input) {
  const Message whole(input);
  const bool done = whole.parsed.status == h1::Status::kDone;
  if (done) check(whole);
  const size_t step = 1 + input.size() / 256;
  for (size_t n = 0; n < input.size(); n += step) {
    const Message part(input.substr(0, n));
    if (done && n >= whole.parsed.consumed) {
      require(part.parsed.status == h1::Status::kDone);
      require(part.parsed.consumed == whole.parsed.consumed);
    } else if (whole.parsed.status == h1::Status::kError) {
      require(part.parsed.status != h1::Status::kDone);
    } else {
      require(part.parsed.status == h1::Status::kNeedMore);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  check_prefixes<Response>(input);
  check_prefixes<Trailers>(input);
  return 0;
}
