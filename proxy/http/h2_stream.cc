#include "proxy/http/h2_stream.h"

#include <algorithm>
#include <utility>

#include "proxy/http/h2_session.h"

namespace weir::http::h2 {
namespace {

// Shorter pieces are copied: a place in the list of pieces costs as much.
constexpr size_t kCopiedBytes = 1024;
// What a peer has to take within the flush timeout.
constexpr size_t kProgressBytes = 1024;

}  // namespace

// ---- bytes on their way out ----

void Outbox::add(std::string_view bytes) {
  if (bytes.empty()) return;
  if (views_count_ == kMaxViews) keep();
  views_[views_count_++] = bytes;
  views_bytes_ += bytes.size();
}

void Outbox::keep() {
  for (uint8_t i = 0; i < views_count_; ++i) held_.append(views_[i]);
  views_count_ = 0;
  views_bytes_ = 0;
}

void Outbox::clear() {
  held_.clear();
  views_count_ = 0;
  views_bytes_ = 0;
}

size_t Outbox::write_held(net::Connection& to, size_t bytes) {
  size_t left = bytes;
  while (left > 0 && !held_.empty()) {
    const std::string_view run = held_.front().substr(0, left);
    to.write_copy(run);
    left -= run.size();
    held_.consume(run.size());
  }
  return bytes - left;
}

void Outbox::write(net::Connection& to, size_t bytes) {
  bytes -= write_held(to, bytes);
  uint8_t done = 0;
  while (bytes > 0) {
    std::string_view& view = views_[done];
    const std::string_view part = view.substr(0, bytes);
    if (part.size() <= kCopiedBytes) {
      to.write_copy(part);
    } else {
      to.write(part);
    }
    bytes -= part.size();
    views_bytes_ -= part.size();
    view.remove_prefix(part.size());
    if (view.empty()) ++done;
  }
  if (done == 0) return;
  std::move(views_.begin() + done, views_.begin() + views_count_, views_.begin());
  views_count_ = static_cast<uint8_t>(views_count_ - done);
}

// ---- sending ----

Stream::Stream(Session& session) : session_(session), outbox_(session.loop().blocks()) {}

Stream::~Stream() = default;

void Stream::recycle() {
  id_ = 0;
  end_queued_ = end_sent_ = reset_by_us_ = reset_by_peer_ = malformed_ = false;
  head_received_ = received_all_ = false;
  outbox_.clear();
  count_pending();
  if (inbox_ != nullptr) session_.loop().give_buffer(std::move(inbox_));
  trailers_out_.clear();
  trailers_text_.clear();
  trailers_in_ = nullptr;
  body_left_ = kUnknownLength;
  window_owed_ = progress_bytes_ = 0;
  stop_at_ms_ = INT64_MAX;
  deferred_ = told_full_ = paused_ = end_kept_ = false;
}

void Stream::settle_later() {
  if (in_pump_list_) return;
  in_pump_list_ = true;
  session_.pump_list_.push_back(this);
}

void Stream::send(std::string_view bytes, bool end) {
  if (end_queued_ || (bytes.empty() && !end)) return;
  outbox_.add(bytes);
  // Inside of a pump, the flush that ends these views' life is already under way.
  if (session_.pumping_) outbox_.keep();
  end_queued_ = end;
  if (end) progress_ms_ = session_.now_ms();
  settle_later();
  session_.pump_soon();
}

void Stream::send_section(const HeaderMap& trailers) {
  if (end_queued_) return;
  trailers.for_each([this](const Header& line) { trailers_out_.push_back(line); });
  send({}, true);
  if (session_.pumping_) keep_unsent();
}

ssize_t Stream::next_payload(size_t most, uint32_t& flags) {
  const size_t size = outbox_.size();
  // Asked again when the socket keeps up.
  if (session_.full_) settle_later();
  if (session_.full_ || (size == 0 && !end_queued_)) {
    deferred_ = true;
    return NGHTTP2_ERR_DEFERRED;
  }
  if (told_full_ || pending_counted_ > 0) settle_later();
  note_progress(std::min(size, most));
  flags |= NGHTTP2_DATA_FLAG_NO_COPY;
  if (!end_queued_ || size > most) return static_cast<ssize_t>(std::min(size, most));
  flags |= NGHTTP2_DATA_FLAG_EOF;
  if (!trailers_out_.empty()) {
    flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    submit_trailers();
  }
  end_sent_ = true;
  session_.sent_list_.push_back(this);
  return static_cast<ssize_t>(size);
}

// A byte now and then is no progress (CVE-2026-49975).
void Stream::note_progress(size_t bytes) {
  progress_bytes_ += bytes;
  if (progress_bytes_ < kProgressBytes) return;
  progress_bytes_ = 0;
  progress_ms_ = session_.now_ms();
}

void Stream::resume() {
  if (!deferred_) return;
  deferred_ = false;
  nghttp2_session_resume_data(session_.session_, id_);
}

void Stream::submit_trailers() {
  FieldList fields(static_cast<uint32_t>(trailers_out_.size()));
  for (const Header& line : trailers_out_) fields.add_line(line);
  nghttp2_submit_trailer(session_.session_, id_, fields.data(), fields.size());
}

// What no window allowed to go, as long as the views are valid.
void Stream::keep_unsent() {
  outbox_.keep();
  if (!trailers_out_.empty() && !end_sent_ && trailers_text_.empty()) keep_trailers();
}

void Stream::keep_trailers() {
  size_t bytes = 0;
  for (const Header& line : trailers_out_) bytes += line.name.size() + line.value.size();
  trailers_text_.reserve(bytes);
  const auto keep = [this](std::string_view& text) {
    const size_t at = trailers_text_.size();
    trailers_text_ += text;
    text = std::string_view(trailers_text_).substr(at);
  };
  for (Header& line : trailers_out_) {
    keep(line.name);
    keep(line.value);
  }
}

void Stream::count_pending() {
  const size_t now = outbox_.held();
  if (now == pending_counted_) return;
  session_.shard_.add(session_.options_.stats.pending_send_bytes,
                      static_cast<int64_t>(now) - static_cast<int64_t>(pending_counted_));
  pending_counted_ = now;
}

void Stream::after_pump() {
  keep_unsent();
  count_pending();
  if (session_.full_ && deferred_ && (outbox_.size() > 0 || end_queued_)) settle_later();
  if (!listened_to()) return;
  const size_t share = session_.stream_share();
  if (!told_full_ && outbox_.held() > share) {
    told_full_ = true;
    tell_full(true);
  } else if (told_full_ && outbox_.held() <= share / 2) {
    told_full_ = false;
    tell_full(false);
  }
}

void Stream::reset_with(uint32_t error_code) {
  outbox_.clear();
  count_pending();
  trailers_out_.clear();
  end_queued_ = true;
  session_.shard_.inc(session_.options_.stats.tx_reset);
  nghttp2_submit_rst_stream(session_.session_, NGHTTP2_FLAG_NONE, id_, error_code);
  session_.pump_soon();
}

void Stream::stop_soon(int64_t after_ms) {
  stop_at_ms_ = session_.now_ms() + after_ms;
  session_.stop_streams_at(stop_at_ms_);
}

bool Stream::flush_overdue(int64_t now_ms) const {
  const int64_t most = session_.options_.stream_flush_timeout_ms;
  // One that nghttp2 does not know yet waits for SETTINGS, and not for windows.
  return most > 0 && id_ != 0 && end_queued_ && !end_sent_ && !reset_by_us_ &&
         now_ms >= progress_ms_ + most;
}

// ---- receiving ----

void Stream::give_window(size_t bytes) {
  if (id_ == 0 || bytes == 0) return;
  nghttp2_session_consume_stream(session_.session_, id_, bytes);
  session_.pump_soon();
}

bool Stream::receive(std::string_view bytes) {
  if (!head_received_) return false;
  if (body_left_ != kUnknownLength) {
    if (static_cast<int64_t>(bytes.size()) > body_left_) return false;
    body_left_ -= static_cast<int64_t>(bytes.size());
  }
  // The window of what nobody wants stays closed.
  if (!listened_to()) return true;
  if (paused_ || inbox_ != nullptr) {
    if (inbox_ == nullptr) inbox_ = session_.loop().take_buffer();
    inbox_->append(bytes);
    return true;
  }
  deliver_body(bytes, false);
  if (paused_) {
    window_owed_ += bytes.size();
  } else {
    give_window(bytes.size());
  }
  return true;
}

void Stream::note_received_all() {
  if (received_all_) return;
  received_all_ = true;
  --session_.receiving_;
}

bool Stream::receive_end() {
  if (!head_received_ || body_incomplete()) return false;
  note_received_all();
  if (!listened_to()) return true;
  if (paused_ || inbox_ != nullptr) {
    end_kept_ = true;
  } else {
    deliver_body({}, true);
  }
  return true;
}

void Stream::receive_trailers(HeaderMap& trailers) {
  note_received_all();
  if (!listened_to()) return;
  if (paused_ || inbox_ != nullptr) {
    end_kept_ = true;
    trailers_in_ = &trailers;
  } else {
    deliver_trailers(trailers);
  }
}

void Stream::pause(bool paused) {
  paused_ = paused;
  if (paused) return;
  give_window(std::exchange(window_owed_, 0));
  if (inbox_ != nullptr || end_kept_) session_.deliver_kept_soon();
}

void Stream::deliver_kept(bool all) {
  const int32_t id = id_;
  while (inbox_ != nullptr && (all || !paused_) && listened_to()) {
    const std::string_view run = inbox_->front();
    deliver_body(run, false);
    session_.loop().flush();
    // The flush may have ended the stream, or another turn of it may have begun.
    if (id_ != id || inbox_ == nullptr) return;
    inbox_->consume(run.size());
    if (!all) give_window(run.size());
    if (inbox_->empty()) session_.loop().give_buffer(std::move(inbox_));
  }
  if (!end_kept_ || (paused_ && !all) || inbox_ != nullptr || !listened_to()) return;
  end_kept_ = false;
  if (HeaderMap* trailers = std::exchange(trailers_in_, nullptr)) {
    deliver_trailers(*trailers);
  } else {
    deliver_body({}, true);
  }
}

}  // namespace weir::http::h2
