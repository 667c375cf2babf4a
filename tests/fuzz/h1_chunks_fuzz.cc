// A chunked body gives the same bytes, and ends or fails at the same place, however it is split.
// The first byte of the input chooses one of the splits.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "proxy/http/h1_parser.h"

namespace {

using weir::http::h1::ChunkDecoder;
using Event = ChunkDecoder::Event;

void require(bool holds) {
  if (!holds) std::abort();
}

struct Decoded {
  Event last = Event::kNeedMore;
  std::string body;
  size_t consumed = 0;
  friend bool operator==(const Decoded&, const Decoded&) = default;
};

// In pieces of at most `piece_bytes`.
Decoded decode(std::string_view text, size_t piece_bytes) {
  ChunkDecoder decoder;
  Decoded out;
  for (size_t at = 0; at < text.size() && out.last == Event::kNeedMore; at += piece_bytes) {
    const std::string piece(text.substr(at, piece_bytes));
    std::string_view in = piece;
    do {
      std::string_view data;
      out.last = decoder.next(in, data);
      out.body += data;
      require(out.last != Event::kData || !data.empty());
    } while (out.last == Event::kData);
    require(out.last != Event::kNeedMore || in.empty());
    out.consumed += piece.size() - in.size();
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data + 1), size - 1);
  const Decoded whole = decode(input, size);
  require(whole.body.size() <= input.size());
  require(decode(input, 1) == whole);
  require(decode(input, 1 + data[0]) == whole);
  return 0;
}
