// What a peer writes into gRPC's header lines and bodies: messages survive being encoded, a time
// never grows by being told again, and frames are the same at any split.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/http/grpc.h"
#include "proxy/http/grpc_frame.h"

namespace {

using namespace weir::http;

void require(bool holds) {
  if (!holds) std::abort();
}

void check_message(std::string_view input) {
  weir::Arena arena;
  const std::string_view encoded = encode_grpc_message(input, arena);
  for (const char c : encoded) require(c >= ' ' && c <= '~');
  require(decode_grpc_message(encoded) == input);
  require(decode_grpc_message(input).size() <= input.size());
}

void check_timeout(std::string_view input) {
  const auto ms = parse_grpc_timeout_ms(input);
  if (!ms) return;
  require(*ms >= 0 && input.size() <= 9);
  weir::Arena arena;
  const std::string_view text = format_grpc_timeout(*ms, arena);
  const auto again = parse_grpc_timeout_ms(text);
  require(again && *again <= *ms);
  require(*ms > 99'999'999 || *again == *ms);
}

// The messages, and how it ended.
std::vector<std::string> read(std::string_view body, size_t piece_bytes) {
  std::vector<std::string> out;
  GrpcFrameReader reader(1000);
  while (true) {
    const std::string_view piece = body.substr(0, piece_bytes);
    body.remove_prefix(piece.size());
    reader.feed(piece);
    std::string_view message;
    uint8_t flags = 0;
    GrpcFrameReader::Step step;
    while ((step = reader.next(message, flags)) == GrpcFrameReader::Step::kMessage)
      out.push_back(std::to_string(flags) + std::string(message));
    require(reader.held_bytes() <= 1000 + kGrpcPrefixBytes);
    if (step == GrpcFrameReader::Step::kTooLarge) out.emplace_back("too large");
    if (step == GrpcFrameReader::Step::kTooLarge || body.empty()) return out;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string input(reinterpret_cast<const char*>(data), size);
  check_message(input);
  check_timeout(input);
  if (const auto code = parse_grpc_status(input)) require(http_status_of_grpc(*code) >= 200);
  const std::vector<std::string> whole = read(input, input.size() + 1);
  for (const size_t bytes : {1, 3, 7}) require(read(input, bytes) == whole);
  return 0;
}
