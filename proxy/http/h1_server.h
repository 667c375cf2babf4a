#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "proxy/base/buffer.h"
#include "proxy/http/h1_parser.h"
#include "proxy/http/h1_writer.h"
#include "proxy/http/server_connection.h"
#include "proxy/http/stream.h"
#include "proxy/net/connection.h"

namespace weir::http {

// What the client's side of HTTP/1 is told by config (HttpConnectionManager and its
// http_protocol_options). Immutable; times in milliseconds, 0 = none.
struct H1ServerOptions {
  h1::Limits limits;
  h1::HeaderCase header_case = h1::HeaderCase::kLower;
  std::optional<h1::SpellingStyle> spelling;  // set: requests keep the case of their names
  bool accept_http10 = false;
  std::string default_host_for_http10;
  bool allow_absolute_url = true;
  bool detect_http2 = false;   // a connection may turn out to speak HTTP/2 by prior knowledge
  bool pass_trailers = false;  // enable_trailers; else trailers are read and dropped
  bool send_date = true;
  int64_t idle_timeout_ms = 3'600'000;
  int64_t request_headers_timeout_ms = 0;
  int64_t delayed_close_timeout_ms = 1'000;
  int64_t max_connection_duration_ms = 0;
  uint64_t max_requests_per_connection = 0;  // 0: no limit
};

// The client's side of one HTTP/1 connection. Requests of a pipeline are served one after the
// other, as long as the client reads its responses. Idle, it holds no buffer. One loop.
class H1Server : public ServerConnection,
                 public ServerStream,
                 private net::Connection::Owner,
                 private net::Timer::Owner {
 public:
  H1Server(net::Loop& loop, ServerConnectionOwner& owner, const H1ServerOptions& options);
  ~H1Server() override = default;

  // ServerConnection
  void start(Arrival arrival) override;
  void drain(int64_t grace_ms) override;
  void close() override;

  // ServerStream
  void send_informational(const ResponseHead& head) override;
  void send_head(const ResponseHead& head, bool end) override;
  void send_body(std::string_view bytes, bool end) override;
  void send_trailers(const HeaderMap& trailers) override;
  void reset(ResetReason reason) override;
  void pause_reading(bool pause) override;
  void close_after_response() override { close_after_ = true; }

 private:
  enum class Rx : uint8_t {
    kHead,    // between requests, or inside a head
    kLength,  // body_left_ bytes of body
    kChunked,
    kTrailers,
    kComplete,  // the request is whole; the response is awaited
    kTunnel,    // an accepted upgrade
    kLinger,    // closing: what still comes is thrown away
  };

  void on_readable() override;
  void on_full(bool full) override;
  void on_progress() override;
  void on_write_error(int error) override;
  void on_timer(net::Timer& timer) override;

  bool feed_partial();
  bool keep_drip(const char* data, size_t size);
  size_t take_partial(char* scratch);
  void keep_partial(std::string_view bytes);
  bool awaits_more() const;
  void feed(char* data, size_t size);
  bool lacks_room(bool further) const;
  size_t feed_head(char* data, size_t size);
  h1::Parsed parse_head(char* data, size_t size, RequestHead& head, h1::Framing& framing);
  bool hand_over_http2(char* data, size_t size);
  size_t feed_length(std::string_view data);
  size_t feed_chunked(std::string_view data);
  size_t feed_trailers(char* data, size_t size);
  void begin_request(ServerStreamEvents& events, const h1::Framing& framing);
  bool admit(ServerStreamEvents& events, const h1::Framing& framing);
  void refuse(ServerStreamEvents& events, uint16_t status, std::string_view details);
  bool drop_spilled(std::string_view data);
  void on_eof();
  void fail_stream(ResetReason reason, std::string_view details);
  bool ends_connection(h1::BodyFraming framing, bool end);
  bool request_near_end() const;
  h1::HeadStyle response_style(const ResponseHead& head, bool end);
  void begin_tunnel();
  void resume_with_partial();
  void finish_response();
  void next_request();
  void close_gently();
  void arm_linger();
  void cut_off();
  void arm_idle();
  EndCause why_now();
  void end_connection();

  const H1ServerOptions& options_;
  net::Timer timer_;
  ServerStreamEvents* events_ = nullptr;
  // An unfinished head, or requests of a pipeline that wait; null as long as there is nothing.
  std::unique_ptr<Buffer> partial_;
  int64_t body_left_ = 0;  // in kLength; in kLinger, how much more is thrown away
  h1::ChunkDecoder chunks_;
  uint32_t requests_ = 0;
  Rx rx_ = Rx::kHead;
  h1::BodyFraming tx_framing_ = h1::BodyFraming::kNone;
  bool is_head_ : 1 = false;
  bool is_connect_ : 1 = false;
  bool head_deadline_ : 1 = false;
  bool resume_partial_ : 1 = false;
  bool http10_ : 1 = false;
  bool keep_alive_ : 1 = true;
  bool close_after_ : 1 = false;
  bool head_sent_ : 1 = false;
  bool upgrade_asked_ : 1 = false;
  bool drain_wanted_ : 1 = false;
  bool feeding_ : 1 = false;
  bool closed_ : 1 = false;
  bool expects_continue_ : 1 = false;
  bool full_ : 1 = false;  // more waits for the client than it may; until half of that is left
};

// An idle connection is this, the kernel's socket and a place in libevent's tables. The allocator's
// next class begins above 440 bytes.
static_assert(sizeof(void*) != 8 || sizeof(H1Server) <= 440);

}  // namespace weir::http
