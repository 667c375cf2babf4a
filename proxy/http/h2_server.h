#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "proxy/http/h2_options.h"
#include "proxy/http/h2_session.h"
#include "proxy/http/server_connection.h"

namespace weir::http {

class H2Server;

// The client's side of one stream. Belongs to its connection.
class H2ServerStream final : public ServerStream, public h2::Stream {
 public:
  explicit H2ServerStream(H2Server& server);

  // ServerStream
  void send_informational(const ResponseHead& head) override;
  void send_head(const ResponseHead& head, bool end) override;
  void send_body(std::string_view bytes, bool end) override;
  void send_trailers(const HeaderMap& trailers) override;
  void reset(ResetReason reason) override;
  void pause_reading(bool paused) override;
  // The connection's other streams have nothing to do with this one.
  void close_after_response() override {}

 private:
  // h2::Stream
  bool listened_to() const override { return events_ != nullptr; }
  void deliver_body(std::string_view bytes, bool end) override;
  void deliver_trailers(HeaderMap& trailers) override;
  void tell_full(bool full) override;
  void break_off(ResetReason reason, std::string_view details) override;
  HeaderMap* begin_section(h2::FieldSection::Kind& kind) override;
  bool finish_section(h2::FieldSection& section, bool end, size_t wire_bytes,
                      std::string_view& details) override;
  void on_closed(uint32_t error_code) override;
  void on_sent() override;
  void recycle() override;

  bool finish_head(h2::FieldSection& section, bool end, std::string_view& details);
  void complete_handshake(RequestHead& head);
  bool finish_trailers(h2::FieldSection& section, bool end, std::string_view& details);
  bool tunnels(uint16_t status) const;

  H2Server& server_;
  ServerStreamEvents* events_ = nullptr;  // null: nobody listens (any more)
  HeaderMap* trailers_ = nullptr;
  bool head_begun_ : 1 = false;
  bool is_head_ : 1 = false;
  bool is_connect_ : 1 = false;
  bool upgrade_asked_ : 1 = false;
  bool no_body_ : 1 = false;  // of the response
};

// The client's side of one HTTP/2 connection; each stream is a request of its own. Between requests
// it holds no buffer. One loop.
class H2Server final : public ServerConnection, private h2::Session {
 public:
  // `options` and `shard` outlive the connection.
  H2Server(net::Loop& loop, ServerConnectionOwner& owner, const H2Options& options,
           stats::Shard& shard);
  ~H2Server() override;

  // ServerConnection. What was received begins with the connection preface (RFC 9113 3.4).
  void start(Arrival arrival) override;
  // Two GOAWAYs, the second after the grace; streams under way are served.
  void drain(int64_t grace_ms) override;
  void close() override;

 private:
  friend class H2ServerStream;

  // h2::Session
  std::unique_ptr<h2::Stream> make_stream() override;
  h2::Stream* accept_stream(int32_t id) override;
  void on_capacity() override {}
  void on_goaway() override {}
  void on_over() override;
  void on_lost(ResetReason reason, std::string_view details) override;

  void follow_drain();
  void note_given_up();
  void end_connection();

  uint64_t requests_ = 0;
  // Requests that clients gave up in this turn of the loop: what they hold is freed when it ends.
  uint32_t given_up_ = 0;
  int64_t given_up_ns_ = 0;  // the turn
};

}  // namespace weir::http
