#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "proxy/base/buffer.h"
#include "proxy/http/h1_parser.h"
#include "proxy/http/h1_writer.h"
#include "proxy/http/stream.h"
#include "proxy/net/connection.h"

namespace weir::http {

class H1Client;

struct H1ClientOptions {
  h1::Limits limits;
  h1::HeaderCase header_case = h1::HeaderCase::kLower;
  std::optional<h1::SpellingStyle> spelling;  // set: responses keep the case of their names
  bool pass_trailers = false;                 // enable_trailers; else trailers are read and dropped
  bool absolute_targets = false;              // send_fully_qualified_url
};

// Whoever keeps upstream connections: the pool.
class H1ClientOwner {
 public:
  virtual ~H1ClientOwner() = default;
  // `error` is an errno, 0 when the connection stands.
  virtual void on_connected(H1Client& connection, int error) = 0;
  // The exchange is over on both sides, and the connection may carry another.
  virtual void on_reusable(H1Client& connection) = 0;
  // The connection is closed; the owner retires it. Comes before the stream's own reset.
  virtual void on_closed(H1Client& connection) = 0;
};

// The upstream's side of one HTTP/1 connection: one exchange at a time. One loop.
class H1Client : public ClientStream, private net::Connection::Owner {
 public:
  H1Client(net::Loop& loop, H1ClientOwner& owner, const H1ClientOptions& options);

  int connect(const net::Address& to, const net::Address* bind_to, size_t buffer_limit,
              std::unique_ptr<net::TlsSession> tls = nullptr) {
    connection_.set_limit(buffer_limit);
    return connection_.connect(to, bind_to, std::move(tls));
  }
  net::Connection& connection() { return connection_; }
  // The stream that this connection carries from now on.
  void attach(ClientStreamEvents& events) { events_ = &events; }
  bool busy() const { return events_ != nullptr; }
  // Whether any byte of a response to the present request has come.
  bool response_begun() const { return response_begun_; }
  void close();

  // ClientStream
  void send_head(const RequestHead& head, bool end) override;
  void send_body(std::string_view bytes, bool end) override;
  void send_trailers(const HeaderMap& trailers) override;
  void reset(ResetReason reason) override;
  void pause_reading(bool pause) override;

 private:
  enum class Rx : uint8_t { kHead, kLength, kChunked, kTrailers, kUntilClose, kTunnel, kDone };

  void on_connected(int error) override;
  void on_readable() override;
  void on_full(bool full) override;
  void on_write_error(int error) override;

  // What is sent after the head belongs to a tunnel, not to a body of the request's own.
  bool sends_to_tunnel() const { return tx_framing_ == h1::BodyFraming::kNone; }
  void hold(std::string_view bytes, bool end);
  void drop_held();
  void begin_tunnel();

  bool keep_drip(const char* data, size_t size);
  bool awaits_more() const;
  void feed(char* data, size_t size);
  size_t feed_head(char* data, size_t size);
  h1::Parsed parse_head(char* data, size_t size, ResponseHead& head, h1::Framing& framing);
  size_t feed_length(std::string_view data);
  size_t feed_chunked(std::string_view data);
  size_t feed_trailers(char* data, size_t size);
  void begin_response(const ResponseHead& head, const h1::Framing& framing, bool bytes_follow);
  void end_response();
  void finish_if_done();
  void on_eof();
  void fail(ResetReason reason, std::string_view details);

  net::Connection connection_;
  H1ClientOwner& owner_;
  const H1ClientOptions& options_;
  ClientStreamEvents* events_ = nullptr;
  Buffer partial_;                // an unfinished head
  std::unique_ptr<Buffer> held_;  // for a tunnel that is not there yet; null: nothing
  int64_t body_left_ = 0;
  h1::ChunkDecoder chunks_;
  uint8_t informational_ = 0;  // heads so far
  Rx rx_ = Rx::kDone;
  h1::BodyFraming tx_framing_ = h1::BodyFraming::kNone;
  bool is_head_ : 1 = false;
  bool is_connect_ : 1 = false;
  bool upgrade_asked_ : 1 = false;
  bool sent_all_ : 1 = true;
  bool tunnel_ended_ : 1 = false;  // the client ended it before it was there
  bool held_full_ : 1 = false;     // more is held than the connection's limit allows
  bool socket_full_ : 1 = false;
  bool keep_alive_ : 1 = true;
  bool response_begun_ : 1 = false;
  bool write_failed_ : 1 = false;
  bool closed_ : 1 = false;
};

}  // namespace weir::http
