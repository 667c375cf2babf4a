#include "proxy/http/h2_client.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "proxy/http/websocket.h"

namespace weir::http {
namespace {

using h2::FieldList;
using h2::FieldSection;

constexpr uint32_t kOwnLines = 8;  // pseudo headers, te, content-length and one to spare
// 1xx heads before the final one: each costs memory of the request.
constexpr uint8_t kMaxInformational = 100;

// gRPC wants it (and gRPC's filters may have come without); nothing but trailers may be asked for.
bool accepts_trailers(const HeaderMap& headers) {
  return list_has_token(headers.get(Known::kTe), "trailers") ||
         headers.get(Known::kContentType).starts_with("application/grpc");
}

void add_pseudo(FieldList& fields, const RequestHead& head) {
  const std::string_view scheme = head.scheme.empty() ? std::string_view("http") : head.scheme;
  if (!head.upgrade.empty()) {
    // RFC 8441 4
    fields.add(":method", "CONNECT");
    fields.add(":protocol", head.upgrade);
  } else {
    fields.add(":method", head.method_text);
    if (head.method == Method::kConnect) return fields.add(":authority", head.authority);
  }
  fields.add(":scheme", scheme);
  fields.add(":authority", head.authority);
  fields.add(":path", head.path);
}

}  // namespace

// ---- the request ----

H2ClientStream::H2ClientStream(H2Client& client) : h2::Stream(client), client_(client) {}

void H2ClientStream::recycle() {
  h2::Stream::recycle();
  events_ = nullptr;
  head_ = nullptr;
  trailers_ = nullptr;
  if (std::exchange(held_back_, nullptr) != nullptr) std::erase(client_.upgrades_, this);
  upgrade_ = websocket_key_ = {};
  head_bytes_sent_ = 0;
  informational_ = 0;
  is_head_ = is_connect_ = held_back_end_ = false;
}

// No server hears of an extended CONNECT before it said that it may (RFC 8441 3): to one that does
// not know it this is a malformed request, which may end the connection of others.
void H2ClientStream::send_head(const RequestHead& head, bool end) {
  if (events_ == nullptr) return;
  if (head.upgrade.empty() || client_.allows_extended_connect()) return submit_head(head, end);
  held_back_ = &head;
  held_back_end_ = end;
  client_.upgrades_.push_back(this);
  if (client_.settings_came()) client_.call_back_later();
}

void H2ClientStream::settle_upgrade() {
  const RequestHead& head = *std::exchange(held_back_, nullptr);
  if (client_.allows_extended_connect()) return submit_head(head, held_back_end_);
  break_off(ResetReason::kProtocolError, "http2.extended_connect_not_allowed");
  if (!client_.stopped()) client_.drop_stream(*this);
}

void H2ClientStream::submit_head(const RequestHead& head, bool end) {
  is_head_ = head.method == Method::kHead;
  is_connect_ = head.method == Method::kConnect;
  upgrade_ = head.upgrade;
  if (!upgrade_.empty()) websocket_key_ = head.headers.get(kWebSocketKey);
  FieldList fields(head.headers.count() + kOwnLines);
  add_pseudo(fields, head);
  head.headers.for_each([&](const Header& line) {
    if (upgrade_.empty() || line.name != kWebSocketKey) fields.add_line(line);
  });
  if (accepts_trailers(head.headers)) fields.add("te", "trailers");
  char length[24];
  if (upgrade_.empty() && head.content_length >= 0 && head.headers.has(Known::kContentLength)) {
    const char* const length_end = std::to_chars(length, length + 24, head.content_length).ptr;
    fields.add_copied("content-length", {length, static_cast<size_t>(length_end - length)});
  }
  head_bytes_sent_ = static_cast<uint32_t>(fields.bytes());
  client_.submit_request(*this, fields, end);
}

void H2ClientStream::send_body(std::string_view bytes, bool end) {
  if (events_ != nullptr) send(bytes, end);
}

void H2ClientStream::send_trailers(const HeaderMap& trailers) {
  if (events_ != nullptr) send_section(trailers);
}

void H2ClientStream::reset(ResetReason reason) {
  events_ = nullptr;
  if (client_.stopped()) return;
  if (id_ == 0) return client_.drop_stream(*this);
  reset_by_us_ = true;
  reset_with(reason == ResetReason::kProtocolError ? NGHTTP2_PROTOCOL_ERROR : NGHTTP2_CANCEL);
}

void H2ClientStream::pause_reading(bool paused) {
  if (!client_.stopped()) pause(paused);
}

// ---- the response ----

HeaderMap* H2ClientStream::begin_section(FieldSection::Kind& kind) {
  if (events_ == nullptr) return nullptr;
  if (!head_received_) {
    kind = FieldSection::Kind::kResponse;
    head_ = &events_->fresh_response_head();
    return &head_->headers;
  }
  kind = FieldSection::Kind::kTrailers;
  Arena& arena = events_->trailer_arena();
  trailers_ = arena.make<HeaderMap>(arena);
  return trailers_;
}

bool H2ClientStream::finish_section(FieldSection& section, bool end, size_t wire_bytes,
                                    std::string_view& details) {
  if (head_received_) return finish_trailers(section, end, details);
  head_->wire_bytes = static_cast<uint32_t>(wire_bytes);
  return finish_head(section, end, details);
}

bool H2ClientStream::note_informational(bool end, std::string_view& details) {
  if (end) details = "http2.informational_response_with_end";
  if (++informational_ > kMaxInformational) details = "http2.too_many_informational_responses";
  if (!details.empty()) return false;
  events_->on_informational();
  return true;
}

// The other way round of what send_head did.
void H2ClientStream::accept_upgrade(ResponseHead& head) {
  head.status = 101;
  head.headers.set(Known::kUpgrade, upgrade_);
  if (!websocket_key_.empty() && equals_ignore_case(upgrade_, "websocket"))
    head.headers.set(kWebSocketAccept, websocket_accept(head.headers.arena(), websocket_key_));
  head.content_length = kUnknownLength;
}

bool H2ClientStream::finish_head(FieldSection& section, bool end, std::string_view& details) {
  ResponseHead& head = *head_;
  if (!section.finish_response(head)) return false;
  if (head.status < 200) return note_informational(end, details);
  head_received_ = true;
  const bool accepted = head.status < 300;
  if (accepted && !upgrade_.empty()) {
    accept_upgrade(head);
  } else if (is_head_ || head.status == 204 || head.status == 304) {
    expect_body(0);
  } else if (!(accepted && is_connect_)) {
    expect_body(head.content_length);
  }
  if (!end) {
    events_->on_response_head(false);
    return true;
  }
  if (body_incomplete()) {
    details = "http2.body_shorter_than_content_length";
    return false;
  }
  note_received_all();
  let_go().on_response_head(true);
  return true;
}

bool H2ClientStream::finish_trailers(FieldSection& section, bool end, std::string_view& details) {
  if (!end) details = "http2.trailers_without_end";
  if (body_incomplete()) details = "http2.body_shorter_than_content_length";
  if (!details.empty()) return false;
  section.finish_trailers();
  receive_trailers(*trailers_);
  return true;
}

ClientStreamEvents& H2ClientStream::let_go() {
  ClientStreamEvents& events = *std::exchange(events_, nullptr);
  if (!end_queued_ && !client_.stopped()) {
    // An answer to half a request: the other half is not wanted.
    reset_by_us_ = true;
    reset_with(NGHTTP2_NO_ERROR);
  }
  events.on_stream_over();
  return events;
}

void H2ClientStream::deliver_body(std::string_view bytes, bool end) {
  if (end) return let_go().on_response_body(bytes, true);
  events_->on_response_body(bytes, false);
}

void H2ClientStream::deliver_trailers(HeaderMap& trailers) {
  ClientStreamEvents& events = let_go();
  if (trailers.empty()) return events.on_response_body({}, true);
  events.on_response_trailers(trailers);
}

void H2ClientStream::tell_full(bool full) {
  events_->on_upstream_full(full);
}

void H2ClientStream::break_off(ResetReason reason, std::string_view details) {
  if (ClientStreamEvents* events = std::exchange(events_, nullptr))
    events->on_upstream_reset(reason, details);
}

void H2ClientStream::on_closed(uint32_t error_code) {
  if (events_ == nullptr) return;
  // Also what a GOAWAY says was not processed (RFC 9113 8.7).
  if (error_code == NGHTTP2_REFUSED_STREAM)
    return break_off(ResetReason::kRefused, "http2.remote_refuse");
  if (reset_by_peer_) return break_off(ResetReason::kStreamReset, "http2.remote_reset");
  break_off(ResetReason::kProtocolError, "http2.protocol_error");
}

// ---- the connection ----

H2Client::H2Client(net::Loop& loop, H2ClientOwner& owner, const H2Options& options,
                   stats::Shard& shard)
    : h2::Session(Side::kClient, connection_, options, shard),
      connection_(loop, *this),
      owner_(owner) {}

H2Client::~H2Client() = default;

int H2Client::connect(const net::Address& to, const net::Address* bind_to, size_t buffer_limit,
                      std::unique_ptr<net::TlsSession> tls) {
  connection_.set_limit(buffer_limit);
  return connection_.connect(to, bind_to, std::move(tls));
}

void H2Client::adopt(net::Socket socket, size_t buffer_limit) {
  connection_.set_limit(buffer_limit);
  connection_.adopt(std::move(socket));
  connected_ = true;
  open();
}

void H2Client::on_connected(int error) {
  if (error == 0) {
    connected_ = true;
    open();
  }
  owner_.on_connected(*this, error);
}

std::unique_ptr<h2::Stream> H2Client::make_stream() {
  return std::make_unique<H2ClientStream>(*this);
}

uint32_t H2Client::max_streams() const {
  if (session_ == nullptr) return options_.max_concurrent_streams;
  const uint32_t theirs =
      nghttp2_session_get_remote_settings(session_, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
  return std::min(theirs, options_.max_concurrent_streams);
}

bool H2Client::may_open() const {
  return connected_ && !draining_ && !stopped() && !over() && stream_count() < max_streams() &&
         nghttp2_session_check_request_allowed(session_) != 0;
}

ClientStream* H2Client::open_stream(ClientStreamEvents& events) {
  if (!may_open()) return nullptr;
  ping_if_silent();
  auto& stream = static_cast<H2ClientStream&>(add_stream(0));
  stream.events_ = &events;
  ++requests_;
  const uint64_t most = options_.max_requests_per_connection;
  if (most > 0 && requests_ >= most) draining_ = true;
  return &stream;
}

bool H2Client::allows_extended_connect() const {
  return nghttp2_session_get_remote_settings(session_, NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) ==
         1;
}

void H2Client::settle_upgrades() {
  while (!stopped() && !upgrades_.empty()) {
    H2ClientStream& stream = *upgrades_.back();
    upgrades_.pop_back();
    stream.settle_upgrade();
  }
}

void H2Client::on_capacity() {
  if (settings_came()) settle_upgrades();
  if (stopped()) return;
  if (draining_ && stream_count() == 0) return close();
  owner_.on_stream_capacity(*this);
}

void H2Client::on_goaway() {
  draining_ = true;
  owner_.on_stream_capacity(*this);
}

void H2Client::drain() {
  draining_ = true;
  if (stream_count() == 0) close();
}

// GOAWAY, if any, is still to be sent: what ends the connection comes after this turn's writes.
void H2Client::on_over() {
  draining_ = true;
  call_back_later();
}

void H2Client::on_called_back() {
  if (over()) return on_lost(over_reason_, over_details_);
  settle_upgrades();
}

void H2Client::on_lost(ResetReason reason, std::string_view details) {
  if (stopped()) return;
  stop();
  connection_.close();
  owner_.on_closed(*this);
  break_streams(reason, details);
}

void H2Client::close() {
  on_lost(ResetReason::kLocal, "connection_closed_locally");
}

}  // namespace weir::http
