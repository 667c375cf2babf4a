#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "proxy/http/h2_options.h"
#include "proxy/http/h2_session.h"
#include "proxy/http/stream.h"

namespace weir::http {

class H2Client;

// Whoever keeps upstream connections: the pool.
class H2ClientOwner {
 public:
  virtual ~H2ClientOwner() = default;
  // `error` is an errno, 0 when the connection stands and streams may be opened.
  virtual void on_connected(H2Client& connection, int error) = 0;
  // A stream ended, or the peer's SETTINGS or GOAWAY changed what may be opened: ask again.
  virtual void on_stream_capacity(H2Client& connection) = 0;
  // The connection is closed; the owner retires it. Comes before its streams' own resets.
  virtual void on_closed(H2Client& connection) = 0;
};

// The upstream's side of one stream. Belongs to its connection.
class H2ClientStream final : public ClientStream, public h2::Stream {
 public:
  explicit H2ClientStream(H2Client& client);

  // ClientStream
  void send_head(const RequestHead& head, bool end) override;
  void send_body(std::string_view bytes, bool end) override;
  void send_trailers(const HeaderMap& trailers) override;
  void reset(ResetReason reason) override;
  void pause_reading(bool paused) override;

 private:
  friend class H2Client;

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
  void on_sent() override {}
  void recycle() override;

  void submit_head(const RequestHead& head, bool end);
  // Of a head that was held back, now that the peer's SETTINGS are there.
  void settle_upgrade();
  bool finish_head(h2::FieldSection& section, bool end, std::string_view& details);
  bool finish_trailers(h2::FieldSection& section, bool end, std::string_view& details);
  bool note_informational(bool end, std::string_view& details);
  void accept_upgrade(ResponseHead& head);
  // The response is whole: whoever listened gets its last piece and hears no more.
  ClientStreamEvents& let_go();

  H2Client& client_;
  ClientStreamEvents* events_ = nullptr;  // null: nobody listens (any more)
  ResponseHead* head_ = nullptr;
  HeaderMap* trailers_ = nullptr;
  const RequestHead* held_back_ = nullptr;  // waits for the peer's SETTINGS; null: nothing does
  // Of an extended CONNECT, in the request's arena.
  std::string_view upgrade_;
  std::string_view websocket_key_;
  uint8_t informational_ = 0;
  bool is_head_ : 1 = false;
  bool is_connect_ : 1 = false;
  bool held_back_end_ : 1 = false;
};

// The upstream's side of one HTTP/2 connection: many exchanges at a time. One loop.
class H2Client final : private h2::Session {
 public:
  // `options` and `shard` outlive the connection.
  H2Client(net::Loop& loop, H2ClientOwner& owner, const H2Options& options, stats::Shard& shard);
  ~H2Client() override;

  // Starts to connect; on_connected follows. An errno at once when not even that is possible.
  int connect(const net::Address& to, const net::Address* bind_to, size_t buffer_limit,
              std::unique_ptr<net::TlsSession> tls = nullptr);
  // Takes over a connected socket instead; streams may be opened at once.
  void adopt(net::Socket socket, size_t buffer_limit);

  net::Connection& connection() { return connection_; }
  // A stream for one exchange; its send_head comes next. Null: none may be opened now.
  ClientStream* open_stream(ClientStreamEvents& events);
  bool may_open() const;
  size_t active_streams() const { return stream_count(); }
  // How many may be open at a time: the peer's limit or ours, whichever is less.
  uint32_t max_streams() const;
  // GOAWAY came, or the connection is old: streams under way end as ever, no new ones begin.
  bool draining() const { return draining_; }
  // Opens no stream any more; closes when the last one is over, or at once.
  void drain();
  void close();

 private:
  friend class H2ClientStream;

  // h2::Session
  std::unique_ptr<h2::Stream> make_stream() override;
  h2::Stream* accept_stream(int32_t /*id*/) override { return nullptr; }
  void on_connected(int error) override;
  void on_capacity() override;
  void on_goaway() override;
  void on_over() override;
  void on_called_back() override;
  void on_lost(ResetReason reason, std::string_view details) override;

  bool allows_extended_connect() const;
  void settle_upgrades();

  net::Connection connection_;
  H2ClientOwner& owner_;
  uint64_t requests_ = 0;
  bool connected_ = false;
  bool draining_ = false;
  std::vector<H2ClientStream*> upgrades_;  // whose heads are held back
};

}  // namespace weir::http
