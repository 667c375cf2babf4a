// A hello is read alike in one record and in many, no prefix of one is refused, and what it names
// can stand in a log.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/net/client_hello.h"

namespace {

using weir::net::ClientHello;
using State = ClientHello::State;

void require(bool holds) {
  if (!holds) std::abort();
}

ClientHello read(std::string_view text) {
  // Of its own, so that reading past the end is noticed.
  const std::vector<char> bytes(text.begin(), text.end());
  return weir::net::read_client_hello({bytes.data(), bytes.size()});
}

std::string record(std::string_view payload) {
  std::string out("\x16\x03\x01", 3);
  out += static_cast<char>(payload.size() >> 8);
  out += static_cast<char>(payload.size() & 0xff);
  out += payload;
  return out;
}

void require_same(const ClientHello& a, const ClientHello& b) {
  require(a.server_name == b.server_name && a.application == b.application);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const ClientHello whole = read(input);
  for (const char c : whole.server_name) require(c > 0x20 && c < 0x7f && !(c >= 'A' && c <= 'Z'));
  for (const std::string& name : whole.application) require(!name.empty() && name.size() < 256);
  if (whole.state != State::kComplete)
    require(whole.server_name.empty() && whole.application.empty());
  const size_t step = std::max<size_t>(1, size / 64);
  bool finished = false;
  for (size_t n = 0; n < size; n += step) {
    const ClientHello part = read(input.substr(0, n));
    if (part.state == State::kComplete) require_same(part, whole);
    if (finished) require(part.state == whole.state);
    finished = part.state != State::kNeedsMore;
    if (finished) require(part.state == whole.state);
  }
  if (size == 0 || size > 4096) return 0;

  const ClientHello one = read(record(input));
  const size_t half = size / 2;
  if (half == 0) return 0;
  const ClientHello two = read(record(input.substr(0, half)) + record(input.substr(half)));
  require(one.state == two.state);
  require_same(one, two);
  return 0;
}
