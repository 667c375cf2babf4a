#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/base/buffer.h"
#include "proxy/http/h2_headers.h"
#include "proxy/http/message.h"
#include "proxy/http/stream.h"
#include "proxy/net/connection.h"

namespace weir::http::h2 {

class Session;

// A body's bytes on their way out of one stream. They are views until `keep`, which the session
// calls after each pump: what the flow-control windows do not allow is copied then.
class Outbox {
 public:
  explicit Outbox(BlockPool& pool) : held_(pool) {}

  void add(std::string_view bytes);  // valid until keep()
  size_t size() const { return held_.size() + views_bytes_; }
  size_t held() const { return held_.size(); }
  // Moves the first `bytes` into the connection's next write.
  void write(net::Connection& to, size_t bytes);
  void keep();
  void clear();

 private:
  static constexpr uint8_t kMaxViews = 4;

  size_t write_held(net::Connection& to, size_t bytes);

  Buffer held_;  // comes before the views
  std::array<std::string_view, kMaxViews> views_;
  size_t views_bytes_ = 0;
  uint8_t views_count_ = 0;
};

// What the streams of both sides have in common: bodies and trailers under flow control. Recycled
// by its session; lives as long as nghttp2 knows the stream, which may be longer than somebody
// listens to it. One loop.
class Stream {
 public:
  explicit Stream(Session& session);
  virtual ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

 protected:
  friend class Session;
  friend struct Callbacks;

  // ---- to whoever listens, while somebody does ----
  virtual bool listened_to() const = 0;
  virtual void deliver_body(std::string_view bytes, bool end) = 0;
  virtual void deliver_trailers(HeaderMap& trailers) = 0;
  virtual void tell_full(bool full) = 0;
  // The stream is of no use any more; nobody listens afterwards.
  virtual void break_off(ResetReason reason, std::string_view details) = 0;

  // ---- what each side knows of messages ----
  // A field section begins: where its lines go. Null: nobody wants them.
  virtual HeaderMap* begin_section(FieldSection::Kind& kind) = 0;
  // It is whole, and `wire_bytes` long. False: malformed, and `section` or `details` says why.
  virtual bool finish_section(FieldSection& section, bool end, size_t wire_bytes,
                              std::string_view& details) = 0;
  // nghttp2 has forgotten the stream, for this code of RFC 9113 7.
  virtual void on_closed(uint32_t error_code) = 0;
  // All of our half went to the connection.
  virtual void on_sent() = 0;
  virtual void recycle();

  // ---- sending ----
  void send(std::string_view bytes, bool end);
  void send_section(const HeaderMap& trailers);
  void reset_with(uint32_t error_code);
  // Asks the peer to stop sending (RFC 9113 8.1), if it has not ended by then.
  void stop_soon(int64_t after_ms);

  // ---- receiving ----
  // `length`: what Content-Length says, or kUnknownLength.
  void expect_body(int64_t length) { body_left_ = length; }
  bool body_incomplete() const { return body_left_ > 0; }
  // The end came in a field section.
  void receive_trailers(HeaderMap& trailers);
  void note_received_all();
  void pause(bool paused);

  Session& session_;
  int32_t id_ = 0;  // 0: nghttp2 does not know it (any more)
  int64_t begun_ms_ = 0;
  bool end_queued_ : 1 = false;   // nothing is added to the outbox any more
  bool end_sent_ : 1 = false;     // nghttp2 was given all of it
  bool reset_by_us_ : 1 = false;  // for a reason of ours
  bool reset_by_peer_ : 1 = false;
  bool malformed_ : 1 = false;
  bool head_received_ : 1 = false;  // the final one
  bool received_all_ : 1 = false;

 private:
  // nghttp2 asks for a frame's payload of at most `most` bytes.
  ssize_t next_payload(size_t most, uint32_t& flags);
  void note_progress(size_t bytes);
  void resume();
  void keep_unsent();
  void after_pump();
  void count_pending();
  void settle_later();
  void submit_trailers();
  void keep_trailers();
  bool flush_overdue(int64_t now_ms) const;

  // False: more or less than Content-Length says.
  bool receive(std::string_view bytes);
  bool receive_end();
  // What came while paused. `all`: paused or not, because the stream ends on the wire with its end
  // kept here; a stream's window bounds how much that is.
  void deliver_kept(bool all = false);
  void give_window(size_t bytes);

  Outbox outbox_;
  std::unique_ptr<Buffer> inbox_;  // came while paused; null: nothing
  std::vector<Header> trailers_out_;
  std::string trailers_text_;         // what they consist of, once they have to wait for windows
  HeaderMap* trailers_in_ = nullptr;  // came while paused
  int64_t body_left_ = kUnknownLength;
  int64_t stop_at_ms_ = INT64_MAX;
  int64_t progress_ms_ = 0;     // when enough was last sent
  size_t progress_bytes_ = 0;   // since
  size_t pending_counted_ = 0;  // in the gauge
  size_t window_owed_ = 0;      // delivered by the event that paused it
  uint32_t slot_ = 0;           // in the session's list
  bool in_pump_list_ : 1 = false;
  bool deferred_ : 1 = false;  // nghttp2 waits to be told that there is more
  bool told_full_ : 1 = false;
  bool paused_ : 1 = false;
  bool end_kept_ : 1 = false;  // the end came while paused
};

}  // namespace weir::http::h2
