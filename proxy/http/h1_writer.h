#pragma once

#include <cstdint>
#include <string_view>

#include "proxy/http/message.h"
#include "proxy/net/connection.h"

// HTTP/1.1 heads and chunks as bytes, gathered into a connection's next write.
namespace weir::http::h1 {

enum class HeaderCase : uint8_t { kLower, kProper };  // "content-type" or "Content-Type"

// How a message's end is told on the wire.
enum class BodyFraming : uint8_t { kNone, kLength, kChunked, kUntilClose };

struct HeadStyle {
  HeaderCase header_case = HeaderCase::kLower;
  BodyFraming framing = BodyFraming::kNone;
  int64_t length = 0;           // with kLength
  bool http10 = false;          // the status line says HTTP/1.0
  bool absolute = false;        // the target of a request is a whole URL (RFC 9112 3.2.2)
  std::string_view connection;  // value of a Connection line; empty: no such line
  std::string_view upgrade;     // value of an Upgrade line; empty: no such line
  std::string_view date;        // value of a Date line where the head has none; empty: none
};

// Hop-by-hop lines of the map (RFC 9110 7.6.1) and the framing lines are not written; `style`
// says what stands in their place. Both return the bytes written.
size_t write_request(net::Connection& to, const RequestHead& head, const HeadStyle& style);
size_t write_response(net::Connection& to, const ResponseHead& head, const HeadStyle& style);

void write_chunk(net::Connection& to, std::string_view bytes);
void write_last_chunk(net::Connection& to, const HeaderMap* trailers);

}  // namespace weir::http::h1
