#include "proxy/http/h2_callbacks.h"

#include "proxy/http/h2_session.h"

namespace weir::http::h2 {
namespace {

// Bounds that FrameCounter and ResetCounter keep better: nghttp2's count per call and not per
// frame, or end a connection with the wrong error.
constexpr size_t kUnbounded = SIZE_MAX / 2;
// Of what we send, before compression; the peer's bound is its affair.
constexpr size_t kMaxSentSectionBytes = 1 << 20;
constexpr size_t kFrameHeaderBytes = 9;
// Each costs the decoder a microsecond or so.
constexpr uint32_t kMaxIgnoredLines = 1'000;

Stream* stream_of(nghttp2_session* from, int32_t id) {
  return static_cast<Stream*>(nghttp2_session_get_stream_user_data(from, id));
}

std::string_view text(const uint8_t* data, size_t bytes) {
  return {reinterpret_cast<const char*>(data), bytes};
}

nghttp2_option* make_option(uint32_t hpack_table_bytes, uint32_t max_acks) {
  nghttp2_option* option = nullptr;
  if (nghttp2_option_new(&option) != 0) return nullptr;
  nghttp2_option_set_no_auto_window_update(option, 1);
  nghttp2_option_set_no_closed_streams(option, 1);
  // FieldSection checks messages, and more strictly.
  nghttp2_option_set_no_http_messaging(option, 1);
  nghttp2_option_set_max_deflate_dynamic_table_size(option, hpack_table_bytes);
  nghttp2_option_set_max_send_header_block_length(option, kMaxSentSectionBytes);
  nghttp2_option_set_max_outbound_ack(option, max_acks);
  nghttp2_option_set_max_continuations(option, kUnbounded);
  nghttp2_option_set_stream_reset_rate_limit(option, kUnbounded, kUnbounded);
  return option;
}

}  // namespace

nghttp2_session* Callbacks::make_session(Session& session, bool server, uint32_t hpack_table_bytes,
                                         uint32_t max_acks, nghttp2_mem hooks) {
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_option* option = make_option(hpack_table_bytes, max_acks);
  if (option == nullptr || nghttp2_session_callbacks_new(&callbacks) != 0) {
    nghttp2_option_del(option);
    return nullptr;
  }
  nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
  nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
  nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
  nghttp2_session_callbacks_set_send_data_callback(callbacks, send_data);
  nghttp2_session* made = nullptr;
  if (server) {
    nghttp2_session_server_new3(&made, callbacks, &session, option, &hooks);
  } else {
    nghttp2_session_client_new3(&made, callbacks, &session, option, &hooks);
  }
  nghttp2_session_callbacks_del(callbacks);
  nghttp2_option_del(option);
  return made;
}

nghttp2_data_provider Callbacks::body_of(int32_t stream_id) {
  nghttp2_data_provider provider{};
  provider.source.fd = stream_id;
  provider.read_callback = read_body;
  return provider;
}

int Callbacks::on_begin_frame(nghttp2_session* /*from*/, const nghttp2_frame_hd* head, void* self) {
  Session& session = *static_cast<Session*>(self);
  if (session.stopped_) return NGHTTP2_ERR_CALLBACK_FAILURE;
  session.note_frame(head->type, head->stream_id);
  return 0;
}

int Callbacks::on_begin_headers(nghttp2_session* from, const nghttp2_frame* frame, void* self) {
  Session& session = *static_cast<Session*>(self);
  if (session.stopped_) return NGHTTP2_ERR_CALLBACK_FAILURE;
  session.ignored_lines_ = 0;
  if (frame->hd.type != NGHTTP2_HEADERS) {
    // A push: our SETTINGS say that there are none.
    session.terminate(NGHTTP2_PROTOCOL_ERROR, ResetReason::kProtocolError, "http2.protocol_error");
    return 0;
  }
  Stream* stream = nullptr;
  if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
    stream = session.accept_stream(frame->hd.stream_id);
    if (stream == nullptr) {
      nghttp2_submit_rst_stream(from, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
                                NGHTTP2_REFUSED_STREAM);
      session.note_refused();
      return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
  } else {
    stream = stream_of(from, frame->hd.stream_id);
  }
  FieldSection::Kind kind = FieldSection::Kind::kTrailers;
  HeaderMap* to = stream == nullptr ? nullptr : stream->begin_section(kind);
  if (to == nullptr) {
    session.shard_.inc(session.options_.stats.headers_cb_no_stream);
    return 0;
  }
  if (kind == FieldSection::Kind::kTrailers) session.shard_.inc(session.options_.stats.trailers);
  session.section_stream_ = stream;
  session.section_.begin(kind, *to,
                         {session.options_.max_header_count, session.options_.max_header_bytes});
  return 0;
}

int Callbacks::on_header(nghttp2_session* /*from*/, const nghttp2_frame* /*frame*/,
                         const uint8_t* name, size_t name_bytes, const uint8_t* value,
                         size_t value_bytes, uint8_t /*flags*/, void* self) {
  Session& session = *static_cast<Session*>(self);
  if (!session.section_.open()) return ignore_line(session);
  const auto verdict = session.section_.add(text(name, name_bytes), text(value, value_bytes));
  if (verdict == FieldSection::Verdict::kFine) return 0;
  session.section_.abandon();
  session.refuse_message(*session.section_stream_, session.section_.details(),
                         verdict == FieldSection::Verdict::kTooLarge);
  return 0;
}

// The rest of a refused section is decoded, because later ones depend on it; but not one that goes
// on for the work that it makes.
int Callbacks::ignore_line(Session& session) {
  if (++session.ignored_lines_ <= kMaxIgnoredLines) return 0;
  session.terminate(NGHTTP2_ENHANCE_YOUR_CALM, ResetReason::kOverflow, "http2.header_flood");
  return NGHTTP2_ERR_CALLBACK_FAILURE;
}

void Callbacks::on_headers_end(Session& session, const nghttp2_frame& frame) {
  const bool end = (frame.hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
  Stream* stream = stream_of(session.session_, frame.hd.stream_id);
  if (!session.section_.open()) {
    if (stream != nullptr && end) stream->note_received_all();
    return;
  }
  std::string_view details;
  const size_t wire_bytes = frame.hd.length + kFrameHeaderBytes;
  if (stream->finish_section(session.section_, end, wire_bytes, details)) return;
  session.section_.abandon();
  session.refuse_message(*stream, details.empty() ? session.section_.details() : details, false);
}

void Callbacks::on_data_end(Session& session, const nghttp2_frame& frame) {
  if ((frame.hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) return;
  Stream* stream = stream_of(session.session_, frame.hd.stream_id);
  if (stream == nullptr || stream->receive_end()) return;
  session.refuse_message(
      *stream,
      stream->head_received_ ? "http2.body_shorter_than_content_length" : "http2.body_before_head",
      false);
}

int Callbacks::on_frame(nghttp2_session* from, const nghttp2_frame* frame, void* self) {
  Session& session = *static_cast<Session*>(self);
  switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
      on_headers_end(session, *frame);
      break;
    case NGHTTP2_DATA:
      on_data_end(session, *frame);
      break;
    case NGHTTP2_RST_STREAM:
      session.shard_.inc(session.options_.stats.rx_reset);
      if (Stream* stream = stream_of(from, frame->hd.stream_id)) stream->reset_by_peer_ = true;
      break;
    case NGHTTP2_SETTINGS:
      if (session.check_windows() && (frame->hd.flags & NGHTTP2_FLAG_ACK) == 0) {
        session.settings_came_ = true;
        session.on_capacity();
      }
      break;
    case NGHTTP2_PING:
      if ((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0) session.ping_deadline_ms_ = INT64_MAX;
      break;
    case NGHTTP2_GOAWAY:
      session.on_goaway();
      break;
    default:
      break;
  }
  return session.stopped_ ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

// nghttp2 refuses what is beyond our limit by itself, before anybody hears of the stream.
int Callbacks::on_invalid_frame(nghttp2_session* /*from*/, const nghttp2_frame* frame, int error,
                                void* self) {
  Session& session = *static_cast<Session*>(self);
  if (frame->hd.type != NGHTTP2_HEADERS || error != NGHTTP2_ERR_REFUSED_STREAM) return 0;
  // Its RST_STREAM waits to be sent; more of the stream may come before.
  session.closed_streams_.note_reset(static_cast<uint32_t>(frame->hd.stream_id));
  session.note_refused();
  return 0;
}

int Callbacks::on_data(nghttp2_session* from, uint8_t /*flags*/, int32_t id, const uint8_t* data,
                       size_t bytes, void* self) {
  Session& session = *static_cast<Session*>(self);
  // The connection's window is never a stream's hostage; streams' own windows bound what is kept.
  nghttp2_session_consume_connection(from, bytes);
  Stream* stream = stream_of(from, id);
  if (stream == nullptr) {
    nghttp2_session_consume_stream(from, id, bytes);
  } else if (!stream->receive(text(data, bytes))) {
    session.refuse_message(
        *stream,
        stream->head_received_ ? "http2.body_longer_than_content_length" : "http2.body_before_head",
        false);
  }
  return session.stopped_ ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

int Callbacks::on_stream_close(nghttp2_session* from, int32_t id, uint32_t error_code, void* self) {
  Session& session = *static_cast<Session*>(self);
  if (Stream* stream = stream_of(from, id)) session.close_stream(*stream, error_code);
  return session.stopped_ ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

ssize_t Callbacks::read_body(nghttp2_session* from, int32_t id, uint8_t* /*to*/, size_t most,
                             uint32_t* flags, nghttp2_data_source* /*source*/, void* /*self*/) {
  Stream* stream = stream_of(from, id);
  if (stream == nullptr) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  return stream->next_payload(most, *flags);
}

int Callbacks::send_data(nghttp2_session* from, nghttp2_frame* frame, const uint8_t* header,
                         size_t bytes, nghttp2_data_source* /*source*/, void* self) {
  Session& session = *static_cast<Session*>(self);
  Stream* stream = stream_of(from, frame->hd.stream_id);
  if (stream == nullptr) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  session.wire_.write_copy(text(header, kFrameHeaderBytes));
  stream->outbox_.write(session.wire_, bytes);
  session.outbound_.add(kFrameHeaderBytes + bytes, false);
  session.frames_.note_data_sent();
  return 0;
}

}  // namespace weir::http::h2
