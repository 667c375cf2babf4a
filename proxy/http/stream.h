#pragma once

#include <cstdint>
#include <string_view>
#include <utility>

#include "proxy/http/message.h"

// The seam between the HTTP versions and the rest: what a codec offers for one stream, and what it
// tells. Nothing above it knows which version it is. Everything here belongs to one worker.
//
// Bytes handed over (in either direction) are valid until the loop's next flush, that is, for the
// rest of the present event; whoever needs them longer copies them.
namespace weir::http {

enum class ResetReason : uint8_t {
  kPeerClosed,      // the connection ended
  kPeerReset,       // the connection ended by a RST
  kStreamReset,     // by the peer, whose connection goes on
  kConnectFailure,  // no connection could be made
  kConnectTimeout,
  kProtocolError,  // what arrived is not HTTP
  kTimeout,        // a deadline of ours passed
  kOverflow,       // a limit of ours was reached
  kLocal,          // given up by us for another reason
  kRefused,        // the peer says that it did not process it: safe to send again
};

// The client's side of a stream, offered by its codec. Once the end was sent or the stream was
// reset, it is gone and no event follows; what the client still sends of its request is the codec's
// affair.
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
  // The connection is to end with this response.
  virtual void close_after_response() = 0;

  // As they came and went over the wire; known with the head.
  size_t head_bytes_received() const { return head_bytes_received_; }
  size_t head_bytes_sent() const { return head_bytes_sent_; }

 protected:
  uint32_t head_bytes_received_ = 0;
  uint32_t head_bytes_sent_ = 0;
};

// What the codec on the client's side tells.
class ServerStreamEvents {
 public:
  virtual ~ServerStreamEvents() = default;

  // Where the codec puts the head.
  virtual RequestHead& request_head() = 0;
  // The head is complete. `end`: no body and no trailers follow.
  virtual void on_request_head(bool end) = 0;
  // What came is no request: answer with this status and end. `details` is a literal.
  virtual void on_bad_request(uint16_t status, std::string_view details) = 0;
  virtual void on_request_body(std::string_view bytes, bool end) = 0;
  virtual void on_request_trailers(HeaderMap& trailers) = 0;
  // The client went away, or broke the protocol in the body. No event follows.
  virtual void on_downstream_reset(ResetReason reason, std::string_view details) = 0;
  // More bytes wait for the socket than the connection's limit allows (true), or few again (false).
  virtual void on_downstream_full(bool full) = 0;
};

// The upstream's side of a stream, offered by its codec.
class ClientStream {
 public:
  virtual ~ClientStream() = default;

  // A head with an upgrade stays as it is until the response or the reset.
  virtual void send_head(const RequestHead& head, bool end) = 0;
  virtual void send_body(std::string_view bytes, bool end) = 0;
  virtual void send_trailers(const HeaderMap& trailers) = 0;
  virtual void reset(ResetReason reason) = 0;
  virtual void pause_reading(bool pause) = 0;

  // What went out of the head since the last call. One that is held back goes later.
  size_t take_head_bytes_sent() { return std::exchange(head_bytes_sent_, 0); }

 protected:
  uint32_t head_bytes_sent_ = 0;
};

// What the codec on the upstream's side tells.
class ClientStreamEvents {
 public:
  virtual ~ClientStreamEvents() = default;

  // Where the codec puts the head; emptied for each one.
  virtual ResponseHead& fresh_response_head() = 0;
  // For a trailer section.
  virtual Arena& trailer_arena() = 0;
  // A 1xx other than 101 stands in the head.
  virtual void on_informational() = 0;
  // The final head (101 included when an upgrade was asked for).
  virtual void on_response_head(bool end) = 0;
  virtual void on_response_body(std::string_view bytes, bool end) = 0;
  virtual void on_response_trailers(HeaderMap& trailers) = 0;
  // The stream is gone, because its exchange is over on both sides; the last piece of the response
  // follows. What carried it may be somebody else's before that piece arrives.
  virtual void on_stream_over() = 0;
  virtual void on_upstream_reset(ResetReason reason, std::string_view details) = 0;
  virtual void on_upstream_full(bool full) = 0;
};

}  // namespace weir::http
