#pragma once

#include <cstdint>
#include <string_view>

#include "proxy/base/arena.h"

// What a WebSocket handshake proves in HTTP/1 (RFC 6455 4) and HTTP/2 has no place for (RFC 8441
// 5): made up on the way from HTTP/2 to HTTP/1, and answered on the way back.
namespace weir::http {

inline constexpr std::string_view kWebSocketKey = "sec-websocket-key";
inline constexpr std::string_view kWebSocketAccept = "sec-websocket-accept";

// A value for Sec-WebSocket-Key, of 16 bytes. It keeps caches honest and no secret.
std::string_view make_websocket_key(Arena& arena, uint64_t random_a, uint64_t random_b);

// The value of Sec-WebSocket-Accept that answers this key.
std::string_view websocket_accept(Arena& arena, std::string_view key);

}  // namespace weir::http
