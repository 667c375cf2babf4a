#include "proxy/http/h2_server.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "proxy/http/websocket.h"

namespace weir::http {
namespace {

using h2::FieldList;
using h2::FieldSection;

// How long a client may go on sending a request that was answered.
constexpr int64_t kRestGraceMs = 100;
constexpr uint32_t kOwnLines = 4;  // :status, content-length, date and one to spare

uint32_t error_code_of(ResetReason reason) {
  switch (reason) {
    case ResetReason::kRefused:
      return NGHTTP2_REFUSED_STREAM;
    case ResetReason::kTimeout:
      return NGHTTP2_CANCEL;
    default:
      return NGHTTP2_INTERNAL_ERROR;
  }
}

}  // namespace

// ---- the response ----

H2ServerStream::H2ServerStream(H2Server& server) : h2::Stream(server), server_(server) {}

void H2ServerStream::recycle() {
  h2::Stream::recycle();
  events_ = nullptr;
  trailers_ = nullptr;
  head_begun_ = is_head_ = is_connect_ = upgrade_asked_ = no_body_ = false;
  head_bytes_received_ = head_bytes_sent_ = 0;
}

void H2ServerStream::send_informational(const ResponseHead& head) {
  if (events_ == nullptr) return;
  FieldList fields(head.headers.count() + kOwnLines);
  fields.add_status(head.status);
  fields.add_all(head.headers);
  server_.submit_informational(*this, fields);
}

// RFC 8441 5: what HTTP/1 accepts by 101 is accepted by 2xx.
bool H2ServerStream::tunnels(uint16_t status) const {
  return upgrade_asked_ && (status == 101 || (is_connect_ && status >= 200 && status < 300));
}

void H2ServerStream::send_head(const ResponseHead& head, bool end) {
  if (events_ == nullptr) return;
  const bool tunnel = tunnels(head.status);
  const uint16_t status = head.status == 101 ? 200 : head.status;
  no_body_ = is_head_ || status == 204 || status == 304;
  FieldList fields(head.headers.count() + kOwnLines);
  fields.add_status(status);
  if (tunnel) {
    head.headers.for_each([&](const Header& line) {
      if (line.name != kWebSocketAccept) fields.add_line(line);
    });
  } else {
    fields.add_all(head.headers);
  }
  char length[24];
  if (!tunnel && status != 204 && head.content_length >= 0 &&
      head.headers.has(Known::kContentLength)) {
    const char* const length_end = std::to_chars(length, length + 24, head.content_length).ptr;
    fields.add_copied("content-length", {length, static_cast<size_t>(length_end - length)});
  }
  if (server_.options_.send_date && !head.headers.has(Known::kDate))
    fields.add("date", server_.owner_.date());
  head_bytes_sent_ = static_cast<uint32_t>(fields.bytes());
  server_.submit_response(*this, fields, end);
  server_.follow_drain();
  if (end) events_ = nullptr;
}

void H2ServerStream::send_body(std::string_view bytes, bool end) {
  if (events_ == nullptr) return;
  send(no_body_ ? std::string_view() : bytes, end);
  if (end) events_ = nullptr;
}

void H2ServerStream::send_trailers(const HeaderMap& trailers) {
  if (events_ == nullptr) return;
  send_section(trailers);
  events_ = nullptr;
}

void H2ServerStream::reset(ResetReason reason) {
  if (events_ == nullptr) return;
  events_ = nullptr;
  if (server_.stopped()) return;
  reset_by_us_ = true;
  reset_with(error_code_of(reason));
}

void H2ServerStream::pause_reading(bool paused) {
  if (!server_.stopped()) pause(paused);
}

// The rest of a request that is answered is not wanted (RFC 9113 8.1), but there are clients that
// lose the answer when a reset comes together with it.
void H2ServerStream::on_sent() {
  if (!received_all_) stop_soon(kRestGraceMs);
}

// ---- the request ----

HeaderMap* H2ServerStream::begin_section(FieldSection::Kind& kind) {
  if (!head_begun_) {
    head_begun_ = true;
    kind = FieldSection::Kind::kRequest;
    events_ = &server_.owner_.begin_stream(server_, *this);
    return &events_->request_head().headers;
  }
  if (events_ == nullptr) return nullptr;
  kind = FieldSection::Kind::kTrailers;
  Arena& arena = events_->request_head().headers.arena();
  trailers_ = arena.make<HeaderMap>(arena);
  return trailers_;
}

bool H2ServerStream::finish_section(FieldSection& section, bool end, size_t wire_bytes,
                                    std::string_view& details) {
  if (head_received_) return finish_trailers(section, end, details);
  head_bytes_received_ = static_cast<uint32_t>(wire_bytes);
  return finish_head(section, end, details);
}

bool H2ServerStream::finish_head(FieldSection& section, bool end, std::string_view& details) {
  RequestHead& head = events_->request_head();
  if (!section.finish_request(head, server_.options_.allow_connect)) return false;
  is_head_ = head.method == Method::kHead;
  is_connect_ = head.method == Method::kConnect;
  upgrade_asked_ = is_connect_ || !head.upgrade.empty();
  if (upgrade_asked_) head.content_length = kUnknownLength;
  if (head.upgrade == "websocket") complete_handshake(head);
  if (end && head.content_length > 0) {
    details = "http2.body_shorter_than_content_length";
    return false;
  }
  if (end) {
    head.content_length = 0;
    note_received_all();
  }
  expect_body(head.content_length);
  head_received_ = true;
  events_->on_request_head(end);
  return true;
}

// An upstream that speaks HTTP/1 wants a key; one that speaks HTTP/2 does not get it.
void H2ServerStream::complete_handshake(RequestHead& head) {
  if (head.headers.has(kWebSocketKey)) return;
  net::Loop& loop = server_.loop();
  Arena& arena = head.headers.arena();
  head.headers.add(kWebSocketKey, make_websocket_key(arena, loop.random(), loop.random()));
}

bool H2ServerStream::finish_trailers(FieldSection& section, bool end, std::string_view& details) {
  if (!end) {
    details = "http2.trailers_without_end";
    return false;
  }
  if (body_incomplete()) {
    details = "http2.body_shorter_than_content_length";
    return false;
  }
  section.finish_trailers();
  receive_trailers(*trailers_);
  return true;
}

void H2ServerStream::deliver_body(std::string_view bytes, bool end) {
  events_->on_request_body(bytes, end);
}

void H2ServerStream::deliver_trailers(HeaderMap& trailers) {
  if (trailers.empty()) return events_->on_request_body({}, true);
  events_->on_request_trailers(trailers);
}

void H2ServerStream::tell_full(bool full) {
  events_->on_downstream_full(full);
}

void H2ServerStream::break_off(ResetReason reason, std::string_view details) {
  ServerStreamEvents* events = std::exchange(events_, nullptr);
  if (events == nullptr) return;
  if (!head_received_) return server_.owner_.abandon_stream(*events);
  server_.note_given_up();
  events->on_downstream_reset(reason, details);
}

void H2ServerStream::on_closed(uint32_t error_code) {
  if (events_ == nullptr) return;
  if (reset_by_peer_) {
    break_off(ResetReason::kStreamReset,
              error_code == NGHTTP2_REFUSED_STREAM ? "http2.remote_refuse" : "http2.remote_reset");
  } else {
    break_off(ResetReason::kProtocolError, "http2.protocol_error");
  }
}

// ---- the connection ----

H2Server::H2Server(net::Loop& loop, ServerConnectionOwner& owner, const H2Options& options,
                   stats::Shard& shard)
    : ServerConnection(loop, *this, owner),
      h2::Session(Side::kServer, ServerConnection::connection_, options, shard) {}

H2Server::~H2Server() = default;

void H2Server::start(Arrival arrival) {
  adopt(arrival);
  open();
  keep_received(arrival.received);
}

std::unique_ptr<h2::Stream> H2Server::make_stream() {
  return std::make_unique<H2ServerStream>(*this);
}

// What a client gave up in this turn still holds what it held: it counts until the turn is over.
void H2Server::note_given_up() {
  const int64_t turn = loop().now_ns();
  if (turn != given_up_ns_) given_up_ = 0;
  given_up_ns_ = turn;
  ++given_up_;
}

h2::Stream* H2Server::accept_stream(int32_t id) {
  const uint32_t held = given_up_ns_ == loop().now_ns() ? given_up_ : 0;
  if (stream_count() + held >= options_.max_concurrent_streams) return nullptr;
  ++requests_;
  const uint64_t most = options_.max_requests_per_connection;
  if (most > 0 && requests_ >= most) {
    note_cause(EndCause::kMaxRequests);
    announce_drain(options_.drain_timeout_ms);
  }
  return &add_stream(id);
}

// Its owner may want to be rid of connections.
void H2Server::follow_drain() {
  const Draining draining = owner_.draining();
  if (draining == Draining::kNo) return;
  if (draining == Draining::kDrain) note_cause(EndCause::kDrain);
  announce_drain(options_.drain_timeout_ms);
}

void H2Server::drain(int64_t grace_ms) {
  note_cause(EndCause::kDrain);
  if (grace_ms == 0) return finish_drain();
  announce_drain(std::min(grace_ms, options_.drain_timeout_ms));
}

void H2Server::on_over() {
  // Of what ends a session from within, only a head is waited for.
  if (over_reason_ == ResetReason::kTimeout) note_cause(EndCause::kLateHead);
  break_streams(over_reason_, over_details_);
  if (!stopped()) linger();
}

void H2Server::on_lost(ResetReason reason, std::string_view details) {
  if (stopped()) return;
  const bool by_peer = reason == ResetReason::kPeerReset || reason == ResetReason::kPeerClosed;
  ended_by_peer_ = by_peer && !over();
  break_streams(reason, details);
  // Whoever heard of it may have closed the connection.
  if (!stopped()) end_connection();
}

void H2Server::close() {
  on_lost(ResetReason::kLocal, "connection_closed_locally");
}

void H2Server::end_connection() {
  if (idle_for_too_long(now_ms())) note_cause(EndCause::kIdle);
  if (too_old(now_ms())) note_cause(EndCause::kMaxDuration);
  stop();
  ServerConnection::connection_.close();
  owner_.on_closed(*this);
}

}  // namespace weir::http
