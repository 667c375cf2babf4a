#include "proxy/http/h1_server.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "proxy/http/h1_spelling.h"

namespace weir::http {
namespace {

constexpr int kMaxReadsPerEvent = 32;
// How much of a refused body is read so that the client gets to see the answer.
constexpr int64_t kLingerBytes = 1 << 20;
// A request body this close to its end is read to the end for the sake of the connection.
constexpr int64_t kDrainableBytes = 256 * 1024;

bool has_no_body(uint16_t status) {
  return status < 200 || status == 204 || status == 304;
}

}  // namespace

H1Server::H1Server(net::Loop& loop, ServerConnectionOwner& owner, const H1ServerOptions& options)
    : ServerConnection(loop, *this, owner), options_(options), timer_(*this) {}

void H1Server::start(Arrival arrival) {
  adopt(arrival);
  arm_idle();
  if (arrival.received.empty()) return;
  keep_partial(arrival.received);
  resume_partial_ = true;
  connection_.request_resume();
}

void H1Server::arm_idle() {
  int64_t after = options_.idle_timeout_ms;
  if (options_.max_connection_duration_ms > 0) {
    const int64_t age = connection_.loop().now_ms() - opened_ms_;
    const int64_t left = std::max<int64_t>(options_.max_connection_duration_ms - age, 1);
    after = after == 0 ? left : std::min(after, left);
  }
  const int64_t grace = drain_grace_ms_;
  if (grace > 0) after = after == 0 ? grace : std::min(after, grace);
  if (after > 0) timer_.set(connection_.loop().timers(), connection_.loop().now_ms() + after);
}

// ---- reading ----

void H1Server::on_readable() {
  net::Loop& loop = connection_.loop();
  if (resume_partial_ && !feed_partial()) return;
  for (int i = 0; i < kMaxReadsPerEvent; ++i) {
    char* const scratch = loop.read_scratch();
    const net::Connection::Read read = connection_.read(scratch, net::Loop::kReadBytes);
    if (read.bytes == 0) return on_eof();
    if (read.bytes == -2) return fail_stream(ResetReason::kPeerReset, "downstream_remote_reset");
    if (read.bytes < 0) return;
    if (!keep_drip(scratch, static_cast<size_t>(read.bytes))) {
      const size_t kept = take_partial(scratch);
      feed(scratch - kept, kept + static_cast<size_t>(read.bytes));
    }
    loop.flush(read.more);
    if (closed_ || connection_.reading_paused() || resume_partial_) return;
    if (!read.more && !awaits_more()) return;
  }
  // Others have their turn; this one is not forgotten.
  connection_.pause_reading(connection_.reading_paused());
}

// Bytes without a line end cannot complete a head or trailers: parsing again would be work for
// nothing, and work that a slow sender could multiply.
bool H1Server::keep_drip(const char* data, size_t size) {
  if ((rx_ != Rx::kHead && rx_ != Rx::kTrailers) || partial_ == nullptr) return false;
  if (partial_->size() + size > options_.limits.max_head_bytes) return false;
  if (std::memchr(data, '\n', size) != nullptr) return false;
  keep_partial({data, size});
  return true;
}

// Takes up what was kept, without reading. False when there is nothing more to do in this call.
bool H1Server::feed_partial() {
  resume_partial_ = false;
  char* const scratch = connection_.loop().read_scratch();
  const size_t kept = take_partial(scratch);
  feed(scratch - kept, kept);
  connection_.loop().flush();
  return !closed_ && !connection_.reading_paused() && !resume_partial_;
}

// Puts what was kept in front of the scratch, so that a head is always contiguous.
size_t H1Server::take_partial(char* scratch) {
  if (partial_ == nullptr) return 0;
  const size_t kept = partial_->size();
  partial_->take(scratch - kept, kept);
  connection_.loop().give_buffer(std::move(partial_));
  return kept;
}

void H1Server::keep_partial(std::string_view bytes) {
  if (partial_ == nullptr) partial_ = connection_.loop().take_buffer();
  partial_->append(bytes);
}

// A reset that came together with data is told by no event of its own: while more is to come, the
// socket is asked once more.
bool H1Server::awaits_more() const {
  if (rx_ == Rx::kHead) return partial_ != nullptr;
  return rx_ != Rx::kComplete;
}

void H1Server::feed(char* data, size_t size) {
  feeding_ = true;
  bool waits = false;
  size_t used = 0;
  while (used < size && !closed_) {
    size_t n = 0;
    char* const at = data + used;
    const size_t left = size - used;
    switch (rx_) {
      case Rx::kHead:
        waits = lacks_room(used > 0);
        if (!waits) n = feed_head(at, left);
        break;
      case Rx::kLength:
        n = feed_length({at, left});
        break;
      case Rx::kChunked:
        n = feed_chunked({at, left});
        break;
      case Rx::kTrailers:
        n = feed_trailers(at, left);
        break;
      case Rx::kTunnel:
        events_->on_request_body({at, left}, false);
        n = left;
        break;
      case Rx::kComplete:
        break;
      case Rx::kLinger:
        n = left;
        if (drop_spilled({at, left})) return end_connection();
        break;
    }
    if (n == 0) break;
    used += n;
  }
  feeding_ = false;
  if (closed_ || used == size) return;
  keep_partial({data + used, size - used});
  // A pipeline that runs ahead of its responses is not read any further.
  if (rx_ == Rx::kComplete || (waits && full_)) connection_.pause_reading(true);
  // What was gathered may still find room in the socket, at the end of this call.
  if (waits && !full_) resume_with_partial();
}

// Whether the responses that nobody reads are too much for one more. What this call gathered is
// counted only for a further request of a pipeline: each call may begin one.
bool H1Server::lacks_room(bool further) const {
  return full_ || (further && connection_.bytes_waiting() > connection_.limit());
}

bool H1Server::drop_spilled(std::string_view data) {
  body_left_ -= static_cast<int64_t>(data.size());
  return body_left_ <= 0;
}

// The method PRI is HTTP/2's own (RFC 9113 3.4).
bool H1Server::hand_over_http2(char* data, size_t size) {
  if (!options_.detect_http2 || !std::string_view(data, size).starts_with("PRI ")) return false;
  closed_ = true;
  timer_.cancel();
  owner_.on_http2_preface(*this, {data, size});
  return true;
}

h1::Parsed H1Server::parse_head(char* data, size_t size, RequestHead& head, h1::Framing& framing) {
  if (options_.spelling)
    return h1::parse_request_spelled(data, size, options_.limits, *options_.spelling, head,
                                     framing);
  return h1::parse_request(data, size, options_.limits, head, framing);
}

size_t H1Server::feed_head(char* data, size_t size) {
  if (requests_ == 0 && hand_over_http2(data, size)) return size;
  ServerStreamEvents& events = owner_.begin_stream(*this, *this);
  h1::Framing framing;
  const h1::Parsed parsed = parse_head(data, size, events.request_head(), framing);
  if (parsed.status == h1::Status::kDone) {
    head_bytes_received_ = static_cast<uint32_t>(parsed.consumed);
    begin_request(events, framing);
    return parsed.consumed;
  }
  if (parsed.status == h1::Status::kError) {
    refuse(events, parsed.error_status, parsed.details);
    return size;
  }
  if (size > options_.limits.max_head_bytes) {
    const std::string_view text(data, size);
    const bool in_target = text.find('\n') == std::string_view::npos;
    refuse(events, in_target ? 414 : 431,
           in_target ? "http1.target_too_long" : "http1.headers_too_large");
    return size;
  }
  owner_.abandon_stream(events);
  if (options_.request_headers_timeout_ms > 0 && !head_deadline_) {
    head_deadline_ = true;  // counts from the head's first bytes
    timer_.set(connection_.loop().timers(),
               connection_.loop().now_ms() + options_.request_headers_timeout_ms);
  }
  return 0;
}

void H1Server::refuse(ServerStreamEvents& events, uint16_t status, std::string_view details) {
  events_ = &events;
  ++requests_;
  rx_ = Rx::kLinger;
  body_left_ = kLingerBytes;
  keep_alive_ = false;
  // Who is told to upgrade is told so in the version to upgrade to.
  http10_ = status != 426 && events.request_head().protocol == Protocol::kHttp10;
  is_head_ = is_connect_ = head_sent_ = upgrade_asked_ = expects_continue_ = false;
  events.on_bad_request(status, details);
}

// What depends on config and not on syntax. False: refused.
bool H1Server::admit(ServerStreamEvents& events, const h1::Framing& framing) {
  RequestHead& head = events.request_head();
  if (framing.http10 && !options_.accept_http10) {
    refuse(events, 426, "low_version");
    return false;
  }
  if (framing.http10 && !framing.has_host && head.authority.empty())
    head.authority = options_.default_host_for_http10;
  if (!framing.has_host && !framing.http10) {
    refuse(events, 400, "http1.missing_host");
    return false;
  }
  if (framing.absolute_form && head.method != Method::kConnect && !options_.allow_absolute_url) {
    refuse(events, 404, "http1.absolute_url_not_allowed");
    return false;
  }
  return true;
}

void H1Server::begin_request(ServerStreamEvents& events, const h1::Framing& framing) {
  if (!admit(events, framing)) return;
  RequestHead& head = events.request_head();
  ++requests_;
  events_ = &events;
  is_head_ = head.method == Method::kHead;
  is_connect_ = head.method == Method::kConnect;
  head_deadline_ = false;
  http10_ = framing.http10;
  keep_alive_ = framing.keep_alive;
  close_after_ = head_sent_ = false;
  upgrade_asked_ = framing.upgrade || is_connect_;
  expects_continue_ = head.expects_continue;
  timer_.cancel();
  if (framing.chunked) {
    rx_ = Rx::kChunked;
    chunks_.reset();
  } else if (head.content_length > 0) {
    rx_ = Rx::kLength;
    body_left_ = head.content_length;
  } else {
    rx_ = Rx::kComplete;
  }
  // Bytes that follow an upgrade request wait until it is accepted: until then they may be
  // anything.
  const bool tunnel = upgrade_asked_ && rx_ == Rx::kComplete;
  events.on_request_head(rx_ == Rx::kComplete && !tunnel);
}

size_t H1Server::feed_length(std::string_view data) {
  const size_t n = std::min(data.size(), static_cast<size_t>(body_left_));
  body_left_ -= static_cast<int64_t>(n);
  const bool end = body_left_ == 0;
  if (end) rx_ = Rx::kComplete;
  if (events_ != nullptr) {
    events_->on_request_body(data.substr(0, n), end);
  } else if (end) {
    next_request();
  }
  return n;
}

size_t H1Server::feed_chunked(std::string_view data) {
  std::string_view in = data;
  while (rx_ == Rx::kChunked && !closed_) {
    std::string_view piece;
    switch (chunks_.next(in, piece)) {
      case h1::ChunkDecoder::Event::kData:
        if (events_ != nullptr) events_->on_request_body(piece, false);
        continue;
      case h1::ChunkDecoder::Event::kEnd:
        rx_ = Rx::kTrailers;
        break;
      case h1::ChunkDecoder::Event::kError:
        fail_stream(ResetReason::kProtocolError, "http1.invalid_chunk");
        return data.size();
      case h1::ChunkDecoder::Event::kNeedMore:
        return data.size();
    }
  }
  return data.size() - in.size();
}

size_t H1Server::feed_trailers(char* data, size_t size) {
  // Unfinished ones may come again and again: they leave nothing behind in the request's arena.
  Arena scrap;
  HeaderMap seen(scrap);
  char* const text = options_.spelling ? const_cast<char*>(scrap.copy({data, size}).data()) : data;
  const h1::Parsed parsed = h1::parse_trailers(text, size, options_.limits, seen);
  if (parsed.status == h1::Status::kNeedMore && size <= options_.limits.max_head_bytes) return 0;
  if (parsed.status != h1::Status::kDone) {
    fail_stream(ResetReason::kProtocolError,
                parsed.status == h1::Status::kError ? parsed.details : "http1.trailers_too_large");
    return size;
  }
  rx_ = Rx::kComplete;
  if (events_ == nullptr) {
    next_request();
  } else if (seen.empty() || !options_.pass_trailers) {
    events_->on_request_body({}, true);
  } else {
    Arena& arena = events_->request_head().headers.arena();
    auto* trailers = arena.make<HeaderMap>(arena);
    if (options_.spelling) {
      h1::parse_trailers_spelled(data, size, options_.limits, *options_.spelling, *trailers);
    } else {
      h1::parse_trailers(data, size, options_.limits, *trailers);
    }
    events_->on_request_trailers(*trailers);
  }
  return parsed.consumed;
}

void H1Server::on_eof() {
  if (rx_ == Rx::kLinger) return end_connection();
  if (events_ == nullptr) return fail_stream(ResetReason::kPeerClosed, {});
  if (rx_ == Rx::kTunnel) {
    events_->on_request_body({}, true);
    return;
  }
  fail_stream(ResetReason::kPeerClosed, "downstream_remote_disconnect");
}

// The client is gone or cannot be understood: the stream ends, and so does the connection.
void H1Server::fail_stream(ResetReason reason, std::string_view details) {
  ServerStreamEvents* events = std::exchange(events_, nullptr);
  if (events != nullptr && reason == ResetReason::kProtocolError && !head_sent_) {
    refuse(*events, 400, details);
    return;
  }
  ended_by_peer_ = rx_ != Rx::kLinger && reason != ResetReason::kProtocolError;
  if (events != nullptr) events->on_downstream_reset(reason, details);
  end_connection();
}

void H1Server::pause_reading(bool pause) {
  if (closed_) return;
  // What came ahead of its turn waits for that, however ready the application is.
  if (!pause && rx_ == Rx::kComplete && partial_ != nullptr) return;
  connection_.pause_reading(pause);
  // What was to be taken up when the pause began.
  if (!pause && resume_partial_) connection_.request_resume();
}

// ---- writing ----

void H1Server::send_informational(const ResponseHead& head) {
  if (http10_ || closed_) return;
  if (head.status == 100) expects_continue_ = false;
  h1::HeadStyle style;
  style.header_case = options_.header_case;
  h1::write_response(connection_, head, style);
}

h1::HeadStyle H1Server::response_style(const ResponseHead& head, bool end) {
  h1::HeadStyle style;
  style.header_case = options_.header_case;
  style.http10 = http10_;
  if (options_.send_date) style.date = owner_.date();
  if (has_no_body(head.status) && head.status != 304) {
    style.framing = h1::BodyFraming::kNone;
  } else if (is_head_ || head.status == 304) {
    // Says what a GET would have had (RFC 9110 9.3.2).
    const bool known = head.content_length >= 0 && head.headers.has(Known::kContentLength);
    style.framing = known ? h1::BodyFraming::kLength : h1::BodyFraming::kNone;
    style.length = head.content_length;
  } else if (end || head.content_length >= 0) {
    style.framing = h1::BodyFraming::kLength;
    style.length = end ? 0 : head.content_length;
  } else {
    style.framing = http10_ ? h1::BodyFraming::kUntilClose : h1::BodyFraming::kChunked;
  }
  return style;
}

// Whether a response that begins now has to be the connection's last one.
bool H1Server::ends_connection(h1::BodyFraming framing, bool end) {
  const uint64_t most = options_.max_requests_per_connection;
  const bool last = most > 0 && requests_ >= most;
  const Draining draining = owner_.draining();
  if (last) note_cause(EndCause::kMaxRequests);
  if (draining == Draining::kDrain || drain_wanted_) note_cause(EndCause::kDrain);
  return draining != Draining::kNo || drain_wanted_ || framing == h1::BodyFraming::kUntilClose ||
         last || upgrade_asked_ || (expects_continue_ && rx_ != Rx::kComplete) ||
         (end && !request_near_end());
}

// The request's body has come, or is read to its end because that is near.
bool H1Server::request_near_end() const {
  return rx_ == Rx::kComplete || (rx_ == Rx::kLength && body_left_ <= kDrainableBytes);
}

void H1Server::send_head(const ResponseHead& head, bool end) {
  if (closed_) return;
  head_sent_ = true;
  h1::HeadStyle style = response_style(head, end);
  const bool tunnel = upgrade_asked_ && (head.status == 101 || (head.status < 300 && is_connect_));
  if (tunnel) {
    style.framing = h1::BodyFraming::kNone;
    style.upgrade = head.headers.get(Known::kUpgrade);
    style.connection = style.upgrade.empty() ? "" : "upgrade";
    tx_framing_ = h1::BodyFraming::kUntilClose;
    keep_alive_ = false;
  } else {
    if (close_after_ || ends_connection(style.framing, end)) keep_alive_ = false;
    if (!keep_alive_) {
      style.connection = "close";
    } else if (http10_) {
      style.connection = "keep-alive";
    }
    tx_framing_ = is_head_ || has_no_body(head.status) ? h1::BodyFraming::kNone : style.framing;
  }
  head_bytes_sent_ = static_cast<uint32_t>(h1::write_response(connection_, head, style));
  connection_.expect_more(!end);
  if (tunnel) return begin_tunnel();
  if (end) finish_response();
}

void H1Server::begin_tunnel() {
  rx_ = Rx::kTunnel;
  connection_.pause_reading(false);
  resume_with_partial();
}

// What is kept is taken up at the end of the turn: not now, because the scratch may be in use, and
// a long pipeline must not become a deep stack.
void H1Server::resume_with_partial() {
  if (partial_ == nullptr || feeding_) return;
  resume_partial_ = true;
  connection_.request_resume();
}

void H1Server::send_body(std::string_view bytes, bool end) {
  if (closed_) return;
  connection_.expect_more(!end);
  if (tx_framing_ == h1::BodyFraming::kChunked) {
    h1::write_chunk(connection_, bytes);
    if (end) h1::write_last_chunk(connection_, nullptr);
  } else if (tx_framing_ != h1::BodyFraming::kNone) {
    connection_.write(bytes);
  }
  if (end) finish_response();
}

void H1Server::send_trailers(const HeaderMap& trailers) {
  if (closed_) return;
  connection_.expect_more(false);
  if (tx_framing_ == h1::BodyFraming::kChunked)
    h1::write_last_chunk(connection_, options_.pass_trailers ? &trailers : nullptr);
  finish_response();
}

void H1Server::finish_response() {
  events_ = nullptr;
  if (keep_alive_ && rx_ != Rx::kComplete) {
    if (!request_near_end()) keep_alive_ = false;
    connection_.pause_reading(false);
    if (keep_alive_) return arm_idle();
  }
  if (!keep_alive_) return close_gently();
  next_request();
}

void H1Server::next_request() {
  rx_ = Rx::kHead;
  arm_idle();
  connection_.pause_reading(full_);
  const bool at_once = drain_wanted_ && drain_grace_ms_ == 0 && partial_ == nullptr && !feeding_;
  if (at_once) return close_gently();
  if (!full_) resume_with_partial();
}

void H1Server::close_gently() {
  // Nothing is under way in either direction: there is nobody to wait for.
  const bool quiet = (rx_ == Rx::kComplete || rx_ == Rx::kHead) && partial_ == nullptr;
  if (quiet && connection_.all_sent()) return end_connection();
  rx_ = Rx::kLinger;
  body_left_ = kLingerBytes;
  partial_ = nullptr;
  connection_.pause_reading(false);
  connection_.shutdown_when_sent();
  arm_linger();
}

void H1Server::arm_linger() {
  const int64_t wait = std::max<int64_t>(options_.delayed_close_timeout_ms, 1);
  timer_.set(connection_.loop().timers(), connection_.loop().now_ms() + wait);
}

void H1Server::reset(ResetReason /*reason*/) {
  events_ = nullptr;
  if (closed_) return;
  connection_.loop().flush();
  cut_off();
}

// A body cut short must not look complete. Where the end of the connection is the end of the body,
// only a reset says so.
void H1Server::cut_off() {
  if (tx_framing_ == h1::BodyFraming::kUntilClose) connection_.abort();
  end_connection();
}

// Between requests the next one waits for room, because its response would only be kept, too. The
// client's time to send it does not run meanwhile, but the idle time does.
void H1Server::on_full(bool full) {
  full_ = full;
  if (events_ != nullptr) return events_->on_downstream_full(full);
  if (rx_ != Rx::kHead || closed_) return;
  if (head_deadline_) arm_idle();
  head_deadline_ = false;
  connection_.pause_reading(full);
  if (!full) resume_with_partial();
}

// The client still takes what was written: the time to close begins anew.
void H1Server::on_progress() {
  if (rx_ == Rx::kLinger && !closed_) arm_linger();
}

void H1Server::on_write_error(int /*error*/) {
  fail_stream(ResetReason::kPeerReset, "downstream_remote_disconnect");
}

void H1Server::on_timer(net::Timer& /*timer*/) {
  if (closed_) return;
  if (rx_ == Rx::kLinger) return connection_.all_sent() ? end_connection() : cut_off();
  if (events_ != nullptr) return;
  if (partial_ != nullptr && !full_) {
    if (!head_deadline_) note_cause(why_now());
    partial_ = nullptr;
    refuse(owner_.begin_stream(*this, *this), 408, "request_header_timeout");
    connection_.loop().flush();
    return;
  }
  note_cause(why_now());
  close_gently();
  connection_.loop().flush();
}

// What the time has come for that ends a connection which carries nothing.
EndCause H1Server::why_now() {
  const int64_t age = connection_.loop().now_ms() - opened_ms_;
  if (options_.max_connection_duration_ms > 0 && age >= options_.max_connection_duration_ms)
    return EndCause::kMaxDuration;
  return drain_wanted_ ? EndCause::kDrain : EndCause::kIdle;
}

void H1Server::drain(int64_t grace_ms) {
  // Asked again, it does not wait anew.
  if (drain_wanted_ && grace_ms >= drain_grace_ms_) return;
  drain_wanted_ = true;
  drain_grace_ms_ = static_cast<uint32_t>(grace_ms);
  if (events_ != nullptr || partial_ != nullptr || closed_) return;
  if (grace_ms > 0) return arm_idle();
  note_cause(EndCause::kDrain);
  close_gently();
}

void H1Server::close() {
  if (closed_) return;
  if (ServerStreamEvents* events = std::exchange(events_, nullptr))
    events->on_downstream_reset(ResetReason::kLocal, "connection_closed_locally");
  end_connection();
}

void H1Server::end_connection() {
  if (closed_) return;
  closed_ = true;
  timer_.cancel();
  connection_.close();
  owner_.on_closed(*this);
}

}  // namespace weir::http
