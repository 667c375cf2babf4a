#include "proxy/http/h1_client.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "proxy/http/h1_spelling.h"

namespace weir::http {
namespace {

constexpr int kMaxReadsPerEvent = 32;
// 1xx heads before the final one: each costs memory of the request.
constexpr uint8_t kMaxInformational = 100;

bool has_no_body(uint16_t status) {
  return status < 200 || status == 204 || status == 304;
}

// Of an upgrade over HTTP/1 a body of unknown length is the request's own, and must be told from
// what may follow it. HTTP/2 has nothing but the tunnel.
bool has_own_body(const RequestHead& head) {
  return head.protocol != Protocol::kHttp2 && head.content_length == kUnknownLength;
}

// A request that says nothing of a body has none; these methods say so in so many words.
bool wants_zero_length(const RequestHead& head) {
  return head.method == Method::kPost || head.method == Method::kPut ||
         head.method == Method::kPatch || head.headers.has(Known::kContentLength);
}

}  // namespace

H1Client::H1Client(net::Loop& loop, H1ClientOwner& owner, const H1ClientOptions& options)
    : connection_(loop, *this), owner_(owner), options_(options), partial_(loop.blocks()) {}

// ---- the request ----

void H1Client::send_head(const RequestHead& head, bool end) {
  h1::HeadStyle style;
  style.header_case = options_.header_case;
  style.absolute = options_.absolute_targets;
  is_head_ = head.method == Method::kHead;
  is_connect_ = head.method == Method::kConnect;
  upgrade_asked_ = !head.upgrade.empty() || is_connect_;
  if (!end && head.content_length > 0) {
    style.framing = h1::BodyFraming::kLength;
    style.length = head.content_length;
  } else if (end) {
    style.framing = wants_zero_length(head) ? h1::BodyFraming::kLength : h1::BodyFraming::kNone;
  } else if (upgrade_asked_ && !has_own_body(head)) {
    style.framing = h1::BodyFraming::kNone;
  } else {
    style.framing = h1::BodyFraming::kChunked;
  }
  if (!head.upgrade.empty()) {
    style.connection = "upgrade";
    style.upgrade = head.upgrade;
  }
  tx_framing_ = style.framing;
  rx_ = Rx::kHead;
  sent_all_ = end;
  tunnel_ended_ = end && upgrade_asked_ && head.protocol == Protocol::kHttp2;
  keep_alive_ = true;
  response_begun_ = false;
  informational_ = 0;
  head_bytes_sent_ = static_cast<uint32_t>(h1::write_request(connection_, head, style));
  connection_.expect_more(!end);
}

void H1Client::send_body(std::string_view bytes, bool end) {
  if (closed_) return;
  if (sends_to_tunnel() && rx_ != Rx::kTunnel) return hold(bytes, end);
  connection_.expect_more(!end);
  if (tx_framing_ == h1::BodyFraming::kChunked) {
    h1::write_chunk(connection_, bytes);
    if (end) h1::write_last_chunk(connection_, nullptr);
  } else {
    connection_.write(bytes);
  }
  if (!end) return;
  sent_all_ = true;
  if (rx_ == Rx::kTunnel) connection_.shutdown_when_sent();
  finish_if_done();
}

void H1Client::send_trailers(const HeaderMap& trailers) {
  if (tx_framing_ != h1::BodyFraming::kChunked) return send_body({}, true);
  if (closed_) return;
  connection_.expect_more(false);
  h1::write_last_chunk(connection_, options_.pass_trailers ? &trailers : nullptr);
  sent_all_ = true;
  finish_if_done();
}

// ---- a tunnel ----

// An upstream that does not agree takes what follows the head for the next request (RFC 9110 7.8):
// it gets nothing before it agreed, and never anything after it declined.
void H1Client::hold(std::string_view bytes, bool end) {
  if (rx_ == Rx::kHead && !bytes.empty()) {
    if (held_ == nullptr) held_ = connection_.loop().take_buffer();
    held_->append(bytes);
    held_full_ = held_->size() > connection_.limit();
    if (held_full_ && events_ != nullptr) events_->on_upstream_full(true);
  }
  if (!end) return;
  sent_all_ = tunnel_ended_ = true;
  finish_if_done();
}

void H1Client::drop_held() {
  if (held_ != nullptr) connection_.loop().give_buffer(std::move(held_));
  const bool was_full = held_full_;
  held_full_ = false;
  if (was_full && !socket_full_ && events_ != nullptr) events_->on_upstream_full(false);
}

void H1Client::begin_tunnel() {
  rx_ = Rx::kTunnel;
  // What a body was framed by ended with it.
  tx_framing_ = h1::BodyFraming::kNone;
  if (held_ != nullptr)
    held_->for_each([this](std::string_view run) { connection_.write_copy(run); });
  if (tunnel_ended_) connection_.shutdown_when_sent();
  drop_held();
}

void H1Client::reset(ResetReason /*reason*/) {
  events_ = nullptr;
  close();
}

void H1Client::pause_reading(bool pause) {
  if (!closed_) connection_.pause_reading(pause);
}

// ---- the response ----

void H1Client::on_connected(int error) {
  owner_.on_connected(*this, error);
}

void H1Client::on_readable() {
  net::Loop& loop = connection_.loop();
  for (int i = 0; i < kMaxReadsPerEvent; ++i) {
    char* const scratch = loop.read_scratch();
    const net::Connection::Read read = connection_.read(scratch, net::Loop::kReadBytes);
    if (read.bytes == 0) return on_eof();
    if (read.bytes == -2) return fail(ResetReason::kPeerReset, "upstream_remote_reset");
    if (read.bytes < 0 && write_failed_)
      return fail(ResetReason::kPeerReset, "upstream_write_failed");
    if (read.bytes < 0) return;
    if (!keep_drip(scratch, static_cast<size_t>(read.bytes))) {
      const size_t kept = partial_.size();
      partial_.take(scratch - kept, kept);
      feed(scratch - kept, kept + static_cast<size_t>(read.bytes));
    }
    loop.flush(read.more);
    if (closed_ || connection_.reading_paused()) return;
    if (!read.more && !awaits_more()) return;
  }
  connection_.pause_reading(connection_.reading_paused());
}

// As H1Server::keep_drip.
bool H1Client::keep_drip(const char* data, size_t size) {
  if ((rx_ != Rx::kHead && rx_ != Rx::kTrailers) || partial_.empty()) return false;
  if (partial_.size() + size > options_.limits.max_head_bytes) return false;
  if (std::memchr(data, '\n', size) != nullptr) return false;
  partial_.append({data, size});
  return true;
}

// A reset that came together with data is told by no event of its own: while more is to come, the
// socket is asked once more.
bool H1Client::awaits_more() const {
  return events_ != nullptr && rx_ != Rx::kDone;
}

void H1Client::feed(char* data, size_t size) {
  size_t used = 0;
  while (used < size && !closed_) {
    size_t n = 0;
    char* const at = data + used;
    const size_t left = size - used;
    switch (rx_) {
      case Rx::kHead:
        n = feed_head(at, left);
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
      case Rx::kUntilClose:
      case Rx::kTunnel:
        n = left;
        if (events_ != nullptr) events_->on_response_body({at, left}, false);
        break;
      case Rx::kDone:
        // Bytes that nobody asked for: whatever they are, they answer no request of ours.
        return fail(ResetReason::kProtocolError, "http1.unsolicited_response");
    }
    if (n == 0) break;
    used += n;
  }
  if (!closed_ && used < size) partial_.append({data + used, size - used});
}

h1::Parsed H1Client::parse_head(char* data, size_t size, ResponseHead& head, h1::Framing& framing) {
  if (options_.spelling)
    return h1::parse_response_spelled(data, size, options_.limits, *options_.spelling, head,
                                      framing);
  return h1::parse_response(data, size, options_.limits, head, framing);
}

size_t H1Client::feed_head(char* data, size_t size) {
  if (events_ == nullptr) {
    fail(ResetReason::kProtocolError, "http1.unsolicited_response");
    return size;
  }
  response_begun_ = true;
  ResponseHead& head = events_->fresh_response_head();
  h1::Framing framing;
  const h1::Parsed parsed = parse_head(data, size, head, framing);
  if (parsed.status == h1::Status::kNeedMore && size <= options_.limits.max_head_bytes) return 0;
  if (parsed.status != h1::Status::kDone) {
    fail(ResetReason::kProtocolError,
         parsed.status == h1::Status::kError ? parsed.details : "http1.headers_too_large");
    return size;
  }
  head.wire_bytes = static_cast<uint32_t>(parsed.consumed);
  if (head.status < 200 && head.status != 101) {
    if (++informational_ > kMaxInformational) {
      fail(ResetReason::kProtocolError, "http1.too_many_informational_responses");
      return size;
    }
    events_->on_informational();
    return parsed.consumed;
  }
  if (head.status == 101 && (!upgrade_asked_ || !framing.upgrade)) {
    fail(ResetReason::kProtocolError, "http1.unexpected_101");
    return size;
  }
  const bool tunnel = head.status == 101 || (is_connect_ && head.status < 300);
  const bool within_body = !sent_all_ && tx_framing_ != h1::BodyFraming::kNone;
  if (tunnel && within_body) {
    // The client cannot switch before its message is over (RFC 9110 7.8): what it still sends of
    // the body would become bytes of the tunnel.
    fail(ResetReason::kProtocolError, "http1.upgrade_within_request_body");
    return size;
  }
  begin_response(head, framing, parsed.consumed < size);
  return closed_ ? size : parsed.consumed;
}

void H1Client::begin_response(const ResponseHead& head, const h1::Framing& framing,
                              bool bytes_follow) {
  keep_alive_ = framing.keep_alive && !upgrade_asked_;
  bool end = false;
  const bool tunnel = head.status == 101 || (is_connect_ && head.status < 300);
  if (upgrade_asked_ && !tunnel) drop_held();
  if (tunnel) {
    begin_tunnel();
  } else if (is_head_ || has_no_body(head.status)) {
    end = true;
  } else if (framing.chunked) {
    rx_ = Rx::kChunked;
    chunks_.reset();
  } else if (head.content_length == kUnknownLength) {
    rx_ = Rx::kUntilClose;
    keep_alive_ = false;
  } else {
    rx_ = Rx::kLength;
    body_left_ = head.content_length;
    end = body_left_ == 0;
  }
  ClientStreamEvents* events = events_;
  if (end) {
    rx_ = Rx::kDone;
    // Bytes after the end answer no request of ours: the connection is not to be trusted again.
    if (bytes_follow) keep_alive_ = false;
    end_response();
  }
  events->on_response_head(end);
}

size_t H1Client::feed_length(std::string_view data) {
  const size_t n = std::min(data.size(), static_cast<size_t>(body_left_));
  body_left_ -= static_cast<int64_t>(n);
  const bool end = body_left_ == 0;
  ClientStreamEvents* events = events_;
  if (end) {
    rx_ = Rx::kDone;
    // More than the length that was promised.
    if (n < data.size()) keep_alive_ = false;
    end_response();
  }
  if (events != nullptr) events->on_response_body(data.substr(0, n), end);
  return end && closed_ ? data.size() : n;
}

size_t H1Client::feed_chunked(std::string_view data) {
  std::string_view in = data;
  while (rx_ == Rx::kChunked && !closed_) {
    std::string_view piece;
    switch (chunks_.next(in, piece)) {
      case h1::ChunkDecoder::Event::kData:
        if (events_ != nullptr) events_->on_response_body(piece, false);
        continue;
      case h1::ChunkDecoder::Event::kEnd:
        rx_ = Rx::kTrailers;
        break;
      case h1::ChunkDecoder::Event::kError:
        fail(ResetReason::kProtocolError, "http1.invalid_chunk");
        return data.size();
      case h1::ChunkDecoder::Event::kNeedMore:
        return data.size();
    }
  }
  return data.size() - in.size();
}

size_t H1Client::feed_trailers(char* data, size_t size) {
  if (events_ == nullptr) {
    close();
    return size;
  }
  // Unfinished ones may come again and again: they leave nothing behind in the request's arena.
  Arena scrap;
  HeaderMap seen(scrap);
  char* const text = options_.spelling ? const_cast<char*>(scrap.copy({data, size}).data()) : data;
  const h1::Parsed parsed = h1::parse_trailers(text, size, options_.limits, seen);
  if (parsed.status == h1::Status::kNeedMore && size <= options_.limits.max_head_bytes) return 0;
  if (parsed.status != h1::Status::kDone) {
    fail(ResetReason::kProtocolError,
         parsed.status == h1::Status::kError ? parsed.details : "http1.trailers_too_large");
    return size;
  }
  rx_ = Rx::kDone;
  if (parsed.consumed < size) keep_alive_ = false;
  ClientStreamEvents* events = events_;
  Arena& arena = events->trailer_arena();
  end_response();
  if (seen.empty() || !options_.pass_trailers) {
    events->on_response_body({}, true);
  } else {
    auto* trailers = arena.make<HeaderMap>(arena);
    if (options_.spelling) {
      h1::parse_trailers_spelled(data, size, options_.limits, *options_.spelling, *trailers);
    } else {
      h1::parse_trailers(data, size, options_.limits, *trailers);
    }
    events->on_response_trailers(*trailers);
  }
  return closed_ ? size : parsed.consumed;
}

// The response is whole. If the request is, too, the connection goes back before its last piece is
// handed over, so that whoever gets the piece is free to end; views stay valid until the flush.
void H1Client::end_response() {
  if (!sent_all_) {
    // An answer to half a request: the other half would be read as the next request.
    events_ = nullptr;
    close();
    return;
  }
  finish_if_done();
}

void H1Client::finish_if_done() {
  if (rx_ != Rx::kDone || !sent_all_ || closed_) return;
  std::exchange(events_, nullptr)->on_stream_over();
  if (!keep_alive_ || !partial_.empty()) return close();
  connection_.pause_reading(false);
  owner_.on_reusable(*this);
}

void H1Client::on_eof() {
  if (events_ != nullptr && (rx_ == Rx::kUntilClose || rx_ == Rx::kTunnel)) {
    ClientStreamEvents* events = std::exchange(events_, nullptr);
    rx_ = Rx::kDone;
    close();
    events->on_response_body({}, true);
    return;
  }
  fail(ResetReason::kPeerClosed, "upstream_remote_disconnect");
}

void H1Client::on_full(bool full) {
  socket_full_ = full;
  if (events_ != nullptr && !held_full_) events_->on_upstream_full(full);
}

void H1Client::on_write_error(int /*error*/) {
  // An answer may have come before the upstream closed: it is read first, later, because the
  // scratch may be in use now.
  write_failed_ = true;
  connection_.request_resume();
}

void H1Client::fail(ResetReason reason, std::string_view details) {
  ClientStreamEvents* events = std::exchange(events_, nullptr);
  close();
  if (events != nullptr) events->on_upstream_reset(reason, details);
}

void H1Client::close() {
  if (closed_) return;
  closed_ = true;
  if (held_ != nullptr) connection_.loop().give_buffer(std::move(held_));
  connection_.close();
  owner_.on_closed(*this);
}

}  // namespace weir::http
