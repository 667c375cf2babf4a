#pragma once

#include <cstdint>
#include <string_view>

#include "proxy/http/message.h"

// The seam between the HTTP versions and the rest: what a codec offers for one stream, and what it
// tells. Nothing above it knows which version it is. Everything here belongs to one worker.
//
// Bytes handed over (in either direction) are valid until the loop's next flush, that is, for the
// rest of the present event; whoever needs them longer copies them.
namespace weir::http {

enum class ResetReason : uint8_t {
  kPeerClosed,       // the connection ended
  kPeerReset,        // RST, or a stream reset by the peer
  kConnectFailure,   // no connection could be made
  kConnectTimeout,
  kProtocolError,    // what arrived is not HTTP
  kTimeout,          // a deadline of ours passed
  kOverflow,         // a limit of ours was reached
  kLocal,            // given up by us for another reason
};

// The client's side of a stream, offered by its codec.
class ServerStream {
 public:
  virtual ~ServerStream() = default;

  // Any 1xx but 101, before send_head.
  virtual void send_informational(const ResponseHead& head) = 0;
  // Once. `end`: no body and no trailers follow.
  virtual void send_head(const ResponseHead& head, bool end) = 0;
  virtual void send_body(std::string_view bytes, bool end) = 0;
  virtual void send_trailers(const HeaderMap& trailers) = 0;
  // Gives the stream up. No event follows.
  virtual void reset(ResetReason reason) = 0;
  // Back-pressure: while paused, no body event arrives. Starts unpaused.
  virtual void pause_reading(bool pause) = 0;
  // Bytes accepted by send_* that the socket has not yet taken.
  virtual size_t bytes_waiting() const = 0;
};

// What the codec on the client's side tells.
class ServerStreamEvents {
 public:
  virtual ~ServerStreamEvents() = default;

  // The head stands in the RequestHead that was given at the start of the stream.
  virtual void on_request_head(bool end) = 0;
  virtual void on_request_body(std::string_view bytes, bool end) = 0;
  virtual void on_request_trailers(HeaderMap& trailers) = 0;
  // The client went away, or broke the protocol in the body. No event follows.
  virtual void on_downstream_reset(ResetReason reason, std::string_view details) = 0;
  // bytes_waiting() fell below the low watermark after it was above the high one.
  virtual void on_downstream_drained() = 0;
};

// The upstream's side of a stream, offered by its codec.
class ClientStream {
 public:
  virtual ~ClientStream() = default;

  virtual void send_head(const RequestHead& head, bool end) = 0;
  virtual void send_body(std::string_view bytes, bool end) = 0;
  virtual void send_trailers(const HeaderMap& trailers) = 0;
  virtual void reset(ResetReason reason) = 0;
  virtual void pause_reading(bool pause) = 0;
  virtual size_t bytes_waiting() const = 0;
};

// What the codec on the upstream's side tells.
class ClientStreamEvents {
 public:
  virtual ~ClientStreamEvents() = default;

  // Any 1xx but 101. The head's views are valid during the call.
  virtual void on_informational(ResponseHead& head) = 0;
  // The final head (101 included when an upgrade was asked for). It stands in the ResponseHead
  // given at the start of the stream.
  virtual void on_response_head(bool end) = 0;
  virtual void on_response_body(std::string_view bytes, bool end) = 0;
  virtual void on_response_trailers(HeaderMap& trailers) = 0;
  virtual void on_upstream_reset(ResetReason reason, std::string_view details) = 0;
  virtual void on_upstream_drained() = 0;
};

}  // namespace weir::http
