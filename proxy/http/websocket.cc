#include "proxy/http/websocket.h"

#include <openssl/base64.h>
#include <openssl/sha.h>

#include <array>
#include <cstring>

namespace weir::http {
namespace {

constexpr std::string_view kGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";  // RFC 6455 1.3

template <size_t kBytes>
std::string_view base64(Arena& arena, const std::array<uint8_t, kBytes>& bytes) {
  constexpr size_t kText = (kBytes + 2) / 3 * 4;
  char* const text = arena.text(kText + 1);  // and a terminator
  EVP_EncodeBlock(reinterpret_cast<uint8_t*>(text), bytes.data(), bytes.size());
  return {text, kText};
}

}  // namespace

std::string_view make_websocket_key(Arena& arena, uint64_t random_a, uint64_t random_b) {
  std::array<uint8_t, 16> bytes;
  std::memcpy(bytes.data(), &random_a, sizeof(random_a));
  std::memcpy(bytes.data() + sizeof(random_a), &random_b, sizeof(random_b));
  return base64(arena, bytes);
}

std::string_view websocket_accept(Arena& arena, std::string_view key) {
  const std::string_view text = arena.concat({key, kGuid});
  std::array<uint8_t, SHA_DIGEST_LENGTH> digest;
  SHA1(reinterpret_cast<const uint8_t*>(text.data()), text.size(), digest.data());
  return base64(arena, digest);
}

}  // namespace weir::http
