#pragma once

#include <cstdint>
#include <string_view>

namespace weir::net {

// What a connection's first bytes, all that came so far, say of the HTTP that follows.
enum class HttpVersion : uint8_t { kNeedsMore, kNotHttp, kHttp10, kHttp11, kHttp2 };

// A longer request line is taken for something else.
inline constexpr size_t kMaxSniffedLineBytes = 8 * 1024;

// Looks for HTTP/2's preface (RFC 9113 3.4) or HTTP/1's request line (RFC 9112 3), which the codec
// checks in full later.
HttpVersion sniff_http_version(std::string_view bytes);

}  // namespace weir::net
