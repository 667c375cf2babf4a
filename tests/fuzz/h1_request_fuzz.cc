// A request head is read alike however it arrives, an error is final, and what is accepted is free
// of everything that another server might read in another way.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/http/h1_parser.h"

namespace {

using weir::http::Header;
using weir::http::Known;
namespace h1 = weir::http::h1;

void require(bool holds) {
  if (!holds) std::abort();
}

struct Request {
  explicit Request(std::string_view text)
      : bytes(text.begin(), text.end()),
        parsed(h1::parse_request(bytes.data(), bytes.size(), {}, head, framing)) {}

  std::vector<char> bytes;  // of its own, so that reading past the end is noticed
  weir::Arena arena;
  weir::http::RequestHead head{arena};
  h1::Framing framing;
  h1::Parsed parsed;
};

void require_clean(std::string_view text) {
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    require((u >= 0x20 && u != 0x7f) || u == '\t');
  }
}

void check_head(const Request& r) {
  require(h1::is_token(r.head.method_text));
  for (const char c : r.head.path) require(static_cast<unsigned char>(c) > 0x20 && c != 0x7f);
  require_clean(r.head.authority);
  require(!(r.framing.chunked && r.head.content_length >= 0));
  require(!(r.framing.chunked && r.framing.http10));
  int lengths = 0;
  int codings = 0;
  r.head.headers.for_each([&](const Header& line) {
    require(h1::is_token(line.name));
    for (const char c : line.name) require(c < 'A' || c > 'Z');
    require_clean(line.value);
    require(line.known == weir::http::known_header(line.name));
    lengths += line.known == Known::kContentLength;
    codings += line.known == Known::kTransferEncoding;
  });
  require(lengths + codings <= 1);
  require((codings == 1) == r.framing.chunked);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const Request whole(input);
  const bool done = whole.parsed.status == h1::Status::kDone;
  if (done) {
    require(whole.parsed.consumed <= size);
    check_head(whole);
  }
  // At each shorter prefix: the same head at the same place, never a head before.
  const size_t step = 1 + size / 256;
  for (size_t n = 0; n < size; n += step) {
    const Request part(input.substr(0, n));
    if (done && n >= whole.parsed.consumed) {
      require(part.parsed.status == h1::Status::kDone);
      require(part.parsed.consumed == whole.parsed.consumed);
      require(part.head.path == whole.head.path);
    } else if (done || whole.parsed.status == h1::Status::kNeedMore) {
      require(part.parsed.status == h1::Status::kNeedMore);
    } else if (part.parsed.status != h1::Status::kNeedMore) {
      require(part.parsed.status == h1::Status::kError);
      require(part.parsed.details == whole.parsed.details);
    }
  }
  return 0;
}
