#pragma once

#include <cstdint>
#include <string_view>

#include "proxy/http/headers.h"

namespace weir::http {

enum class Protocol : uint8_t { kHttp10, kHttp11, kHttp2 };
std::string_view protocol_text(Protocol protocol);  // "HTTP/1.0", "HTTP/1.1", "HTTP/2"

enum class Method : uint8_t {
  kOther,
  kGet,
  kHead,
  kPost,
  kPut,
  kDelete,
  kConnect,
  kOptions,
  kTrace,
  kPatch,
};
Method method_of(std::string_view text);  // methods are case-sensitive (RFC 9110 9.1)
bool is_idempotent(Method method);        // RFC 9110 9.2.2

// A body length that the head does not tell.
inline constexpr int64_t kUnknownLength = -1;

// What a request says before its body, whatever the HTTP version. Views live in the arena of
// `headers`. `Host` is kept in `authority` and not in `headers`.
struct RequestHead {
  explicit RequestHead(Arena& arena) : headers(arena) {}

  Method method = Method::kOther;
  Protocol protocol = Protocol::kHttp11;
  std::string_view method_text;
  std::string_view path;       // origin form with its query, or "*"; empty for CONNECT
  std::string_view authority;  // host[:port]
  std::string_view scheme;     // "http" or "https"
  std::string_view upgrade;    // the protocol asked for by Upgrade or extended CONNECT, or empty
  int64_t content_length = kUnknownLength;  // 0 when there is no body
  bool expects_continue = false;
  HeaderMap headers;

  std::string_view path_without_query() const { return path.substr(0, path.find('?')); }

  // A header's first value by lower-case name; knows :method, :path, :authority, :scheme and host.
  // `present` tells a missing line from an empty value.
  std::string_view value_of(std::string_view name, bool& present) const;
};

struct ResponseHead {
  explicit ResponseHead(Arena& arena) : headers(arena) {}

  // Makes it as new; what it holds of the arena is used again.
  void clear();

  uint16_t status = 0;
  Protocol protocol = Protocol::kHttp11;
  std::string_view reason;  // HTTP/1 only; may be empty
  int64_t content_length = kUnknownLength;
  uint32_t wire_bytes = 0;  // as it came; 0 of one that did not come over the wire
  HeaderMap headers;

  // As RequestHead::value_of; knows :status, whose text is put into the arena.
  std::string_view value_of(std::string_view name, bool& present) const;
};

std::string_view reason_phrase(uint16_t status);  // RFC 9110 15; "" for a status without one

}  // namespace weir::http
