#pragma once

#include <nghttp2/nghttp2.h>

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "proxy/base/buffer.h"
#include "proxy/http/h2_closed_streams.h"
#include "proxy/http/h2_headers.h"
#include "proxy/http/h2_limits.h"
#include "proxy/http/h2_memory.h"
#include "proxy/http/h2_options.h"
#include "proxy/http/h2_stream.h"
#include "proxy/net/connection.h"

namespace weir::http::h2 {

// One HTTP/2 connection (RFC 9113) on nghttp2, as both sides have it: bytes in, frames out once per
// flush, flow control, limits and deadlines. What a message is, the sides say. One loop.
class Session : public net::Connection::Owner, private net::Timer::Owner {
 public:
  ~Session() override;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

 protected:
  friend class Stream;
  friend struct Callbacks;
  enum class Side : uint8_t { kServer, kClient };

  // The connection is the side's, and is not touched before `open`.
  Session(Side side, net::Connection& wire, const H2Options& options, stats::Shard& shard);

  // ---- what the sides bring ----
  virtual std::unique_ptr<Stream> make_stream() = 0;
  // A request's head begins (server). Null: refused.
  virtual Stream* accept_stream(int32_t id) = 0;
  // A stream ended, or the peer changed what may be opened.
  virtual void on_capacity() = 0;
  // The peer opens no more streams or lets open none.
  virtual void on_goaway() = 0;
  // All that is to be said was said. The side breaks the streams that are left with
  // `over_reason` and `over_details`, and closes or lingers.
  virtual void on_over() = 0;
  // As `call_back_later` asked.
  virtual void on_called_back() {}
  // The socket is of no use any more. As on_over, but it closes at once.
  virtual void on_lost(ResetReason reason, std::string_view details) = 0;

  // ---- for the sides ----
  void open();
  // Bytes that were read by somebody else; taken up at the end of the turn.
  void keep_received(std::string_view bytes);
  // A stream that nghttp2 knows by this id, or does not know yet (0).
  Stream& add_stream(int32_t id);
  void drop_stream(Stream& stream);
  // The response's, or the request's, head; the request's gives the stream its id.
  void submit_response(Stream& stream, const FieldList& fields, bool end);
  void submit_request(Stream& stream, const FieldList& fields, bool end);
  void submit_informational(Stream& stream, const FieldList& fields);

  // The first GOAWAY says that a second follows, which says which stream was the last one.
  void announce_drain(int64_t final_after_ms);
  void finish_drain();
  // GOAWAY with this error (RFC 9113 7); on_over follows after the next pump.
  void terminate(uint32_t error_code, ResetReason reason, std::string_view details);
  void break_streams(ResetReason reason, std::string_view details);
  // What still comes is dropped, for a while, so that the peer gets to see what was said last.
  void linger();
  // Nothing happens any more.
  void stop();
  // on_called_back follows, after this turn's writes; what it lets others write is flushed.
  void call_back_later();

  void pump_soon() { wire_.request_pump(); }
  net::Loop& loop() { return wire_.loop(); }
  int64_t now_ms() { return wire_.loop().now_ms(); }
  size_t stream_count() const { return streams_.size(); }
  bool stopped() const { return stopped_; }
  bool over() const { return over_; }
  bool drain_finished() const { return drain_finished_; }
  // Without a stream for as long as it may be, and as old as it may get.
  bool idle_for_too_long(int64_t now) const;
  bool too_old(int64_t now) const;
  bool settings_came() const { return settings_came_; }  // the peer's
  void ping_if_silent();
  // A stream that was refused before it was one of ours.
  void note_refused();

  const H2Options& options_;
  stats::Shard& shard_;
  nghttp2_session* session_ = nullptr;  // null before `open`
  ResetReason over_reason_ = ResetReason::kProtocolError;
  std::string_view over_details_ = "http2.protocol_error";

 private:
  // net::Connection::Owner
  void on_readable() override;
  void on_full(bool full) override;
  void on_pump() override;
  void on_progress() override;
  void on_write_error(int error) override;
  void on_timer(net::Timer& timer) override;

  void submit_settings();
  void take_kept();
  bool deliver_kept();
  void deliver_kept_soon();
  // Calls `visit(Stream&)` for each stream. Whoever is told something by it may open streams, end
  // them, or stop the session: all that were there and still are get their visit, new ones may.
  template <class Visit>
  void each_stream(Visit visit) {
    // From the end, because a stream that goes is replaced by the last one.
    for (size_t i = streams_.size(); i > 0; --i)
      if (i <= streams_.size()) visit(*streams_[i - 1]);
  }
  void feed(std::string_view bytes);
  bool receive(std::string_view bytes);
  void on_receive_error(ssize_t error);
  void on_flood(Flood flood);
  void note_frame(uint8_t type, int32_t stream_id);
  void note_data(uint32_t id);
  bool may_judge(int32_t stream_id) const;
  void judge_closed(uint32_t id);
  void note_windows();
  bool check_windows();
  void lose(bool reset);
  bool drop(size_t bytes);
  bool awaits_more() const { return receiving_ > 0 || section_.open(); }

  bool write_frames();
  bool finish_sent_streams();
  bool outbound_flood();
  void settle_streams();
  void keep_all_unsent();
  void end_if_over();

  void refuse_message(Stream& stream, std::string_view details, bool too_large);
  bool keeps_answer(const Stream& stream) const;
  void close_stream(Stream& stream, uint32_t error_code);
  void note_end(int64_t lifetime_ms, bool by_peer);
  size_t stream_share() const;

  void arm();
  int64_t next_deadline();
  void trim();
  void check_flush_timeouts(int64_t now);
  void stop_streams_at(int64_t at_ms);
  void check_stops(int64_t now);
  bool check_age(int64_t now);
  bool check_ping(int64_t now);
  void send_ping(int64_t now);
  int64_t next_ping_ms(int64_t now);

  net::Connection& wire_;
  SessionMemory memory_;
  net::Timer timer_;
  FieldSection section_;
  Stream* section_stream_ = nullptr;
  uint32_t ignored_lines_ = 0;  // of a section that was refused
  FrameCounter frames_;
  ClosedStreams closed_streams_;  // server
  ResetCounter resets_;
  OutboundCounter outbound_;
  std::vector<std::unique_ptr<Stream>> streams_;
  std::vector<std::unique_ptr<Stream>> spare_;
  std::vector<Stream*> pump_list_;  // have something to settle after the next pump
  std::vector<Stream*> settling_;
  std::vector<Stream*> sent_list_;  // their end went out in this pump
  std::unique_ptr<Buffer> kept_;    // was read before; null: nothing
  int64_t opened_ms_ = 0;
  int64_t idle_since_ms_ = 0;
  int64_t activity_ms_ = 0;  // of the peer
  int64_t drain_final_ms_ = INT64_MAX;
  int64_t linger_end_ms_ = INT64_MAX;
  int64_t section_deadline_ms_ = INT64_MAX;
  int64_t stop_at_ms_ = INT64_MAX;  // the first of the streams' own
  int64_t ping_at_ms_ = INT64_MAX;
  int64_t ping_deadline_ms_ = INT64_MAX;
  int64_t initial_window_ = 0;  // the peer's, before the SETTINGS that begin to come
  int32_t largest_window_ = 0;  // of a stream, then
  size_t linger_left_ = 0;
  uint32_t receiving_ = 0;  // streams whose peer's half is not over
  Side side_;
  bool full_ : 1 = false;  // the socket does not keep up
  bool feeding_ : 1 = false;
  bool settings_begun_ : 1 = false;
  bool settings_came_ : 1 = false;
  bool callback_wanted_ : 1 = false;
  bool pumping_ : 1 = false;
  bool delivery_wanted_ : 1 = false;
  bool write_failed_ : 1 = false;
  bool drain_announced_ : 1 = false;
  bool drain_finished_ : 1 = false;
  bool over_ : 1 = false;
  bool stopped_ : 1 = false;
};

}  // namespace weir::http::h2
