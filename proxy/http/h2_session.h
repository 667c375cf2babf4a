#pragma once

#include <nghttp2/nghttp2.h>

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "proxy/base/buffer.h"
#include "proxy/http/h2_headers.h"
#include "proxy/http/h2_limits.h"
#include "proxy/http/h2_options.h"
#include "proxy/http/h2_stream.h"
#include "proxy/net/connection.h"

namespace weir::http::h2 {

// One HTTP/2 connection (RFC 9113) on nghttp2, the same for both sides: bytes in, frames out once
// per flush, flow control, limits, deadlines. What a message is, the sides say. One loop.
class Session : public net::Connection::Owner, private net::Timer::Owner {
 public:
  ~Session() override;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

 protected:
  friend class Stream;
  friend struct Callbacks;
  enum class Side : uint8_t { kServer, kClient };

  // The connection is the side's, and is used after `open` only.
  Session(Side side, net::Connection& connection, const H2Options& options, stats::Shard& shard);

  // ---- what the sides bring ----
  virtual std::unique_ptr<Stream> make_stream() = 0;
  // A request's head begins (server). Null: refused, and reset already.
  virtual Stream* accept_stream(int32_t id) = 0;
  // A stream ended, or the peer changed what may be opened.
  virtual void on_capacity() = 0;
  // The connection's work is over, well or not: its streams were told. Closes or lingers.
  virtual void on_over(bool failed) = 0;
  // The socket has nothing more to give or to take.
  virtual void on_socket_over() = 0;

  // ---- for the sides ----
  void open();
  // Bytes that were read by somebody else; taken up at the end of the turn.
  void keep_received(std::string_view bytes);
  Stream& add_stream();
  void know_stream(Stream& stream, int32_t id);
  void submit_head(Stream& stream, const FieldList& fields, bool end);
  void pump_soon() { wire_.request_pump(); }
  // GOAWAY, then the end: at once for what is new, when they are done for streams under way.
  void announce_drain();
  void finish_drain();
  bool drain_announced() const { return drain_announced_; }
  // GOAWAY with an error, and the end for everything.
  void terminate(uint32_t error_code, ResetReason reason, std::string_view details);
  // Every stream ends so.
  void break_streams(ResetReason reason, std::string_view details);
  // Reads and drops what still comes, for a while, so that the peer gets to see what was said.
  void linger();
  void stop();  // no callback into the sides any more
  void arm();
  net::Loop& loop() { return wire_.loop(); }
  int64_t now_ms() { return wire_.loop().now_ms(); }
  size_t stream_count() const { return streams_.size(); }
  bool stopped() const { return stopped_; }
  bool lingering() const { return lingering_; }
  void ping_if_silent();

  const H2Options& options_;
  stats::Shard& shard_;
  nghttp2_session* session_ = nullptr;
  FrameCounter frames_;
  ResetCounter resets_;

 private:
  struct PumpGuard;

  // net::Connection::Owner
  void on_readable() override;
  void on_full(bool full) override;
  void on_pump() override;
  void on_write_error(int error) override;
  void on_timer(net::Timer& timer) override;

  void submit_settings();
  void take_kept();
  void feed(std::string_view bytes);
  void on_receive_error(ssize_t error);
  void on_flood(Flood flood);
  void on_eof();
  void drop(size_t bytes);
  bool awaits_more() const;
  bool write_frames();
  bool finish_sent_streams();
  void check_outbound();
  void settle_streams();
  void end_if_over();
  void refuse_message(Stream& stream, std::string_view details, bool too_large);
  void forget_stream(Stream& stream, uint32_t error_code);
  void resume_data(Stream& stream);
  size_t stream_share() const;

  int64_t next_deadline() const;
  void check_flush_timeouts(int64_t now);
  void check_ping(int64_t now);
  void send_ping(int64_t now);
  int64_t next_ping_ms(int64_t now);

  net::Connection& wire_;
  net::Timer timer_;
  FieldSection section_;
  Stream* section_stream_ = nullptr;
  OutboundCounter outbound_;
  std::vector<std::unique_ptr<Stream>> streams_;
  std::vector<std::unique_ptr<Stream>> spare_;
  std::vector<Stream*> pump_list_;  // have views, or were held back because the socket was full
  std::vector<Stream*> sent_list_;  // their end went out in this pump
  std::unique_ptr<Buffer> kept_;
  int64_t opened_ms_ = 0;
  int64_t idle_since_ms_ = 0;
  int64_t activity_ms_ = 0;
  int64_t drain_final_ms_ = INT64_MAX;
  int64_t linger_end_ms_ = INT64_MAX;
  int64_t section_deadline_ms_ = INT64_MAX;
  int64_t ping_at_ms_ = INT64_MAX;
  int64_t ping_deadline_ms_ = INT64_MAX;
  size_t linger_left_ = 0;
  uint32_t receiving_ = 0;  // streams whose peer's half is not over
  Side side_;
  bool full_ : 1 = false;
  bool drain_announced_ : 1 = false;
  bool drain_finished_ : 1 = false;
  bool terminated_ : 1 = false;
  bool over_ : 1 = false;
  bool lingering_ : 1 = false;
  bool stopped_ : 1 = false;
};

}  // namespace weir::http::h2
