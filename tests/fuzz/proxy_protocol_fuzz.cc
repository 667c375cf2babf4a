// A header ends where it says, no prefix of one is refused, and what was read can be written and
// read again.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/net/proxy_protocol.h"

namespace {

using weir::net::ProxyHeader;
using State = ProxyHeader::State;

void require(bool holds) {
  if (!holds) std::abort();
}

ProxyHeader read(std::string_view text) {
  // Of its own, so that reading past the end is noticed.
  const std::vector<char> bytes(text.begin(), text.end());
  return weir::net::read_proxy_protocol({bytes.data(), bytes.size()});
}

void require_written_alike(const ProxyHeader& header) {
  std::string one;
  weir::net::write_proxy_v1(header.source, header.destination, one);
  std::string two;
  weir::net::write_proxy_v2(header.source, header.destination, header.tlvs, two);
  for (const std::string& written : {one, two}) {
    const ProxyHeader again = read(written);
    require(again.state == State::kComplete && again.bytes == written.size());
    require(again.local == header.local);
    require(again.source == header.source && again.destination == header.destination);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const ProxyHeader whole = read(input);
  require((whole.state == State::kMalformed) == !whole.problem.empty());
  if (whole.state != State::kComplete) return 0;

  require(whole.bytes > 0 && whole.bytes <= size);
  require(read(input.substr(0, whole.bytes)).state == State::kComplete);
  const size_t step = 1 + whole.bytes / 128;
  for (size_t n = 0; n < whole.bytes; n += step)
    require(read(input.substr(0, n)).state == State::kNeedsMore);
  // Mapped IPv4 addresses are IPv4 here, so the two ends may differ in family.
  if (whole.source.family() == whole.destination.family()) require_written_alike(whole);
  return 0;
}
