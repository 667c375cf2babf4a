#include "proxy/http/h2_session.h"

#include <algorithm>
#include <utility>

#include "proxy/http/h2_callbacks.h"

namespace weir::http::h2 {
namespace {

constexpr int kMaxReadsPerEvent = 32;
// A stream that does not take its bytes keeps at most about this much of the other side's.
constexpr size_t kMaxStreamShare = 64 * 1024;
constexpr size_t kMaxSpareStreams = 128;

bool is_control_frame(uint8_t type) {
  return type == NGHTTP2_PING || type == NGHTTP2_SETTINGS || type == NGHTTP2_RST_STREAM;
}

// Of a frame's header (RFC 9113 4.1).
uint32_t stream_of_frame(const uint8_t* header) {
  return uint32_t{header[5]} << 24 | uint32_t{header[6]} << 16 | uint32_t{header[7]} << 8 |
         uint32_t{header[8]};
}

}  // namespace

Session::Session(Side side, net::Connection& wire, const H2Options& options, stats::Shard& shard)
    : options_(options),
      shard_(shard),
      wire_(wire),
      timer_(*this),
      frames_(options, side == Side::kServer ? NGHTTP2_CLIENT_MAGIC_LEN : 0),
      resets_(options),
      side_(side) {}

Session::~Session() {
  nghttp2_session_del(session_);
}

void Session::open() {
  session_ = Callbacks::make_session(*this, side_ == Side::kServer, options_.hpack_table_size,
                                     options_.max_outbound_control_frames, memory_.hooks());
  wire_.gather_turns(true);
  opened_ms_ = idle_since_ms_ = activity_ms_ = now_ms();
  if (options_.keep_alive.interval_ms > 0) ping_at_ms_ = next_ping_ms(opened_ms_);
  submit_settings();
  pump_soon();
  arm();
}

void Session::submit_settings() {
  std::vector<nghttp2_settings_entry> entries;
  const auto add = [&](int32_t id, uint32_t value) { entries.push_back({id, value}); };
  if (side_ == Side::kServer) {
    add(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, options_.max_concurrent_streams);
    if (options_.allow_connect) add(NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1);
  } else {
    add(NGHTTP2_SETTINGS_ENABLE_PUSH, 0);
  }
  add(NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, options_.hpack_table_size);
  add(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, options_.initial_stream_window_bytes);
  add(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<uint32_t>(options_.max_header_bytes));
  // Streams take turns; a tree of priorities is work that only the peer profits from.
  add(NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1);
  for (const H2Setting& setting : options_.custom_settings) {
    const auto same = [&](const auto& entry) { return entry.settings_id == setting.id; };
    const auto at = std::find_if(entries.begin(), entries.end(), same);
    if (at == entries.end()) {
      add(setting.id, setting.value);
    } else {
      at->value = setting.value;
    }
  }
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, entries.data(), entries.size());
  nghttp2_session_set_local_window_size(
      session_, NGHTTP2_FLAG_NONE, 0,
      static_cast<int32_t>(options_.initial_connection_window_bytes));
}

// ---- reading ----

void Session::keep_received(std::string_view bytes) {
  if (bytes.empty()) return;
  kept_ = loop().take_buffer();
  kept_->append(bytes);
  wire_.request_resume();
}

void Session::take_kept() {
  std::unique_ptr<Buffer> kept = std::move(kept_);
  kept->for_each([&](std::string_view run) {
    if (!stopped_) feed(run);
  });
  loop().flush();
  loop().give_buffer(std::move(kept));
}

void Session::deliver_kept_soon() {
  delivery_wanted_ = true;
  wire_.request_resume();
}

// False: the session is no more.
bool Session::deliver_kept() {
  delivery_wanted_ = false;
  each_stream([this](Stream& stream) {
    if (!stopped_) stream.deliver_kept();
  });
  if (!stopped_) loop().flush();
  return !stopped_;
}

void Session::call_back_later() {
  callback_wanted_ = true;
  wire_.request_resume();
}

void Session::on_readable() {
  if (callback_wanted_) {
    callback_wanted_ = false;
    on_called_back();
    loop().flush();
    if (stopped_) return;
  }
  if (kept_ != nullptr) take_kept();
  if (stopped_ || (delivery_wanted_ && !deliver_kept())) return;
  for (int i = 0; i < kMaxReadsPerEvent; ++i) {
    char* const scratch = loop().read_scratch();
    const net::Connection::Read read = wire_.read(scratch, net::Loop::kReadBytes);
    if (read.bytes == 0) return lose(false);
    if (read.bytes == -2 || (read.bytes < 0 && write_failed_)) return lose(true);
    if (read.bytes < 0) return;
    const auto bytes = static_cast<size_t>(read.bytes);
    if (over_) {
      if (!drop(bytes)) return;
    } else {
      feed({scratch, bytes});
    }
    loop().flush(read.more);
    if (stopped_) return;
    if (!read.more && !awaits_more()) return;
  }
  // Others have their turn; this one is not forgotten.
  wire_.pause_reading(false);
}

void Session::feed(std::string_view bytes) {
  activity_ms_ = now_ms();
  size_t counted = 0;
  size_t received = 0;
  while (counted < bytes.size()) {
    const FrameCounter::Counted part =
        frames_.count(bytes.substr(counted), activity_ms_, side_ == Side::kServer);
    if (part.flood != Flood::kNone) return on_flood(part.flood);
    counted += part.bytes;
    // nghttp2 does not tell of DATA that it drops. It is looked at before nghttp2 knows that the
    // frame is there, because the frame may be what ends the stream.
    const size_t end = part.data_stream == 0 ? counted : counted - 1;
    if (!receive(bytes.substr(received, end - received))) return;
    received = end;
    if (part.data_stream != 0) note_data(part.data_stream);
  }
  if (!receive(bytes.substr(received))) return;
  if (!section_.open()) {
    section_deadline_ms_ = INT64_MAX;
  } else if (options_.request_headers_timeout_ms > 0 && section_deadline_ms_ == INT64_MAX) {
    section_deadline_ms_ = activity_ms_ + options_.request_headers_timeout_ms;
    arm();
  }
  // Acknowledgements, windows and resets are nghttp2's own to send.
  pump_soon();
}

// False: nothing more can be received.
bool Session::receive(std::string_view bytes) {
  if (bytes.empty()) return true;
  if (settings_begun_) note_windows();
  feeding_ = true;
  const ssize_t used = nghttp2_session_mem_recv(
      session_, reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  feeding_ = false;
  if (stopped_) return false;
  if (used < 0) on_receive_error(used);
  return used >= 0;
}

void Session::on_receive_error(ssize_t error) {
  if (error == NGHTTP2_ERR_FLOODED) {
    shard_.inc(options_.stats.outbound_control_flood);
    return terminate(NGHTTP2_ENHANCE_YOUR_CALM, ResetReason::kOverflow, "http2.control_flood");
  }
  terminate(error == NGHTTP2_ERR_NOMEM ? NGHTTP2_INTERNAL_ERROR : NGHTTP2_PROTOCOL_ERROR,
            ResetReason::kProtocolError, "http2.protocol_error");
}

void Session::on_flood(Flood flood) {
  const H2Stats& stats = options_.stats;
  switch (flood) {
    case Flood::kEmptyFrames:
      shard_.inc(stats.inbound_empty_frames_flood);
      break;
    case Flood::kPriority:
      shard_.inc(stats.inbound_priority_frames_flood);
      break;
    case Flood::kWindowUpdate:
      shard_.inc(stats.inbound_window_update_frames_flood);
      break;
    case Flood::kContinuation:
      shard_.inc(stats.too_many_header_frames);
      break;
    case Flood::kWrongPriority:
      return terminate(NGHTTP2_PROTOCOL_ERROR, ResetReason::kProtocolError, "http2.protocol_error");
    default:
      shard_.inc(stats.inbound_control_frames_flood);
      break;
  }
  terminate(NGHTTP2_ENHANCE_YOUR_CALM, ResetReason::kOverflow, "http2.inbound_flood");
}

// A frame begins to come.
void Session::note_frame(uint8_t type, int32_t stream_id) {
  if (type == NGHTTP2_SETTINGS) return note_windows();
  if (type != NGHTTP2_HEADERS || side_ == Side::kClient || !may_judge(stream_id)) return;
  const auto id = static_cast<uint32_t>(stream_id);
  if (!closed_streams_.note_begun(id)) judge_closed(id);
}

// DATA is about to come.
void Session::note_data(uint32_t id) {
  // Before HEADERS it is nghttp2's to refuse.
  if (may_judge(static_cast<int32_t>(id)) && !closed_streams_.idle(id)) judge_closed(id);
}

// Stream 0 and even ones are nghttp2's to refuse.
bool Session::may_judge(int32_t stream_id) const {
  return !over_ && !drain_finished_ && stream_id % 2 != 0 &&
         nghttp2_session_find_stream(session_, stream_id) == nullptr;
}

void Session::judge_closed(uint32_t id) {
  using Verdict = ClosedStreams::Verdict;
  const Verdict verdict = closed_streams_.judge(id);
  if (verdict == Verdict::kFine) return;
  terminate(verdict == Verdict::kClosed ? NGHTTP2_STREAM_CLOSED : NGHTTP2_PROTOCOL_ERROR,
            ResetReason::kProtocolError, "http2.frame_on_closed_stream");
}

// SETTINGS begin to come, or go on: what the windows are before they change. Nothing is sent until
// all that was read is looked at, so this holds until `check_windows`.
void Session::note_windows() {
  settings_begun_ = true;
  initial_window_ =
      nghttp2_session_get_remote_settings(session_, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE);
  largest_window_ = 0;
  for (const auto& stream : streams_)
    largest_window_ = std::max(
        largest_window_, nghttp2_session_get_stream_remote_window_size(session_, stream->id_));
}

// nghttp2 resets the streams whose windows SETTINGS made too large; RFC 9113 6.9.2 wants more.
// False: the connection ends.
bool Session::check_windows() {
  settings_begun_ = false;
  const int64_t now =
      nghttp2_session_get_remote_settings(session_, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE);
  if (now - initial_window_ + largest_window_ <= NGHTTP2_MAX_WINDOW_SIZE) return true;
  terminate(NGHTTP2_FLOW_CONTROL_ERROR, ResetReason::kProtocolError, "http2.window_overflow");
  return false;
}

void Session::lose(bool reset) {
  const bool server = side_ == Side::kServer;
  if (reset)
    return on_lost(ResetReason::kPeerReset,
                   server ? "downstream_remote_reset" : "upstream_remote_reset");
  on_lost(ResetReason::kPeerClosed,
          server ? "downstream_remote_disconnect" : "upstream_remote_disconnect");
}

// False: enough, and the session is no more.
bool Session::drop(size_t bytes) {
  linger_left_ -= std::min(bytes, linger_left_);
  if (linger_left_ > 0) return true;
  lose(false);
  return false;
}

void Session::on_write_error(int /*error*/) {
  // What came before the peer closed is read first, later, because the scratch may be in use now.
  write_failed_ = true;
  wire_.request_resume();
}

void Session::on_full(bool full) {
  full_ = full;
  if (!full && !pump_list_.empty()) pump_soon();
}

// ---- writing ----

void Session::on_pump() {
  if (stopped_) return;
  // Somebody flushes while nghttp2 is at work on what came: frames are written afterwards.
  if (feeding_) return keep_all_unsent();
  if (!over_ && outbound_flood())
    terminate(NGHTTP2_ENHANCE_YOUR_CALM, ResetReason::kOverflow, "http2.outbound_flood");
  pumping_ = true;
  if (!full_) {
    for (Stream* stream : pump_list_) stream->resume();
  }
  bool fine = true;
  do {
    fine = write_frames();
  } while (fine && !stopped_ && finish_sent_streams());
  if (!stopped_) settle_streams();
  pumping_ = false;
  if (stopped_) return;
  if (!fine) return on_lost(ResetReason::kLocal, "http2.internal_error");
  end_if_over();
}

// False: nghttp2 cannot go on.
bool Session::write_frames() {
  for (;;) {
    const uint8_t* data = nullptr;
    const ssize_t bytes = nghttp2_session_mem_send(session_, &data);
    if (bytes <= 0) return bytes == 0;
    outbound_.add(static_cast<size_t>(bytes), is_control_frame(data[3]));
    if (data[3] == NGHTTP2_RST_STREAM && side_ == Side::kServer)
      closed_streams_.note_reset(stream_of_frame(data));
    wire_.write_copy({reinterpret_cast<const char*>(data), static_cast<size_t>(bytes)});
  }
}

// True: there is more to write.
bool Session::finish_sent_streams() {
  if (sent_list_.empty()) return false;
  for (Stream* stream : sent_list_) stream->on_sent();
  sent_list_.clear();
  return true;
}

// What still waits for the socket must not be many frames, however small they are.
bool Session::outbound_flood() {
  outbound_.settle(wire_.bytes_waiting());
  if (outbound_.control_frames() > options_.max_outbound_control_frames) {
    shard_.inc(options_.stats.outbound_control_flood);
    return true;
  }
  if (outbound_.frames() <= options_.max_outbound_frames) return false;
  shard_.inc(options_.stats.outbound_flood);
  return true;
}

void Session::settle_streams() {
  settling_.swap(pump_list_);
  for (Stream* stream : settling_) stream->in_pump_list_ = false;
  for (Stream* stream : settling_) {
    if (stopped_) break;
    stream->after_pump();
  }
  settling_.clear();
}

void Session::keep_all_unsent() {
  for (Stream* stream : pump_list_) stream->keep_unsent();
}

void Session::end_if_over() {
  if (over_ || nghttp2_session_want_read(session_) != 0 ||
      nghttp2_session_want_write(session_) != 0)
    return;
  over_ = true;
  on_over();
}

size_t Session::stream_share() const {
  return std::min<size_t>(wire_.limit(), kMaxStreamShare);
}

// ---- streams ----

Stream& Session::add_stream(int32_t id) {
  std::unique_ptr<Stream> stream;
  if (spare_.empty()) {
    stream = make_stream();
  } else {
    stream = std::move(spare_.back());
    spare_.pop_back();
  }
  stream->slot_ = static_cast<uint32_t>(streams_.size());
  stream->begun_ms_ = now_ms();
  ++receiving_;
  frames_.note_stream_opened();
  shard_.add(options_.stats.streams_active, 1);
  Stream& added = *streams_.emplace_back(std::move(stream));
  added.id_ = id;
  if (id != 0) nghttp2_session_set_stream_user_data(session_, id, &added);
  if (streams_.size() == 1) arm();
  return added;
}

// Takes the stream out of every list; it is used again for another one. Somebody further up the
// stack may still be about to look at it: it stays until the turn is over.
void Session::drop_stream(Stream& stream) {
  if (section_stream_ == &stream) {
    section_.abandon();
    section_stream_ = nullptr;
  }
  stream.note_received_all();
  if (stream.in_pump_list_) std::erase(pump_list_, &stream);
  stream.in_pump_list_ = false;
  if (!sent_list_.empty()) std::erase(sent_list_, &stream);
  shard_.add(options_.stats.streams_active, -1);
  const uint32_t slot = stream.slot_;
  std::unique_ptr<Stream> gone = std::move(streams_[slot]);
  if (slot + 1 < streams_.size()) {
    streams_[slot] = std::move(streams_.back());
    streams_[slot]->slot_ = slot;
  }
  streams_.pop_back();
  gone->recycle();
  if (spare_.size() < kMaxSpareStreams) {
    spare_.push_back(std::move(gone));
  } else {
    loop().retire(std::move(gone));
  }
  if (!streams_.empty()) return;
  idle_since_ms_ = now_ms();
  arm();
}

// A whole response of which a part still waits for a slow client: it must not end with the stream.
bool Session::keeps_answer(const Stream& stream) const {
  return side_ == Side::kClient && stream.end_kept_;
}

void Session::close_stream(Stream& stream, uint32_t error_code) {
  const bool by_peer = stream.reset_by_peer_ || stream.malformed_ ||
                       (error_code != NGHTTP2_NO_ERROR && !stream.reset_by_us_);
  const int64_t lifetime_ms = now_ms() - stream.begun_ms_;
  if (keeps_answer(stream)) stream.deliver_kept(/*all=*/true);
  if (stopped_) return;
  stream.on_closed(error_code);
  if (stopped_) return;
  drop_stream(stream);
  note_end(lifetime_ms, by_peer);
  on_capacity();
}

void Session::note_end(int64_t lifetime_ms, bool by_peer) {
  if (side_ == Side::kClient || !resets_.note_end(lifetime_ms, by_peer) || over_) return;
  shard_.inc(options_.stats.premature_resets_flood);
  terminate(NGHTTP2_ENHANCE_YOUR_CALM, ResetReason::kOverflow, "http2.premature_resets");
}

void Session::note_refused() {
  note_end(0, true);
}

void Session::submit_response(Stream& stream, const FieldList& fields, bool end) {
  const nghttp2_data_provider body = Callbacks::body_of(stream.id_);
  nghttp2_submit_response(session_, stream.id_, fields.data(), fields.size(),
                          end ? nullptr : &body);
  pump_soon();
  if (!end) return;
  stream.end_queued_ = stream.end_sent_ = true;
  sent_list_.push_back(&stream);
}

void Session::submit_request(Stream& stream, const FieldList& fields, bool end) {
  const nghttp2_data_provider body = Callbacks::body_of(0);
  stream.id_ = nghttp2_submit_request(session_, nullptr, fields.data(), fields.size(),
                                      end ? nullptr : &body, &stream);
  pump_soon();
  if (end) stream.end_queued_ = stream.end_sent_ = true;
}

void Session::submit_informational(Stream& stream, const FieldList& fields) {
  nghttp2_submit_headers(session_, NGHTTP2_FLAG_NONE, stream.id_, nullptr, fields.data(),
                         fields.size(), nullptr);
  pump_soon();
}

// What came is no HTTP: nothing of it goes on (RFC 9113 8.1.1).
void Session::refuse_message(Stream& stream, std::string_view details, bool too_large) {
  shard_.inc(too_large ? options_.stats.header_overflow : options_.stats.rx_messaging_error);
  stream.malformed_ = true;
  if (options_.invalid_message_ends_connection && !too_large)
    return terminate(NGHTTP2_PROTOCOL_ERROR, ResetReason::kProtocolError, details);
  stream.reset_with(too_large ? NGHTTP2_ENHANCE_YOUR_CALM : NGHTTP2_PROTOCOL_ERROR);
  stream.break_off(ResetReason::kProtocolError, details);
}

void Session::break_streams(ResetReason reason, std::string_view details) {
  each_stream([&](Stream& stream) {
    if (keeps_answer(stream)) stream.deliver_kept(/*all=*/true);
    if (stream.listened_to()) stream.break_off(reason, details);
  });
}

}  // namespace weir::http::h2
