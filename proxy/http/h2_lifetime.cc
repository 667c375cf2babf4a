// The deadlines of an HTTP/2 connection, and how it ends.
#include <algorithm>
#include <utility>

#include "proxy/http/h2_session.h"

namespace weir::http::h2 {
namespace {

constexpr uint32_t kPercent = 100;
// How much of what a peer still sends is read, so that it gets to see why it was refused.
constexpr size_t kLingerBytes = 4 << 20;
// After so long without a stream a connection gives back what streams left to be used again.
constexpr int64_t kTrimMs = 5'000;

}  // namespace

// ---- the end ----

void Session::announce_drain(int64_t final_after_ms) {
  if (drain_announced_ || over_) return;
  drain_announced_ = true;
  shard_.inc(options_.stats.goaway_sent);
  nghttp2_submit_shutdown_notice(session_);
  drain_final_ms_ = now_ms() + final_after_ms;
  pump_soon();
  arm();
}

void Session::finish_drain() {
  if (drain_finished_ || over_) return;
  drain_announced_ = drain_finished_ = true;
  drain_final_ms_ = INT64_MAX;
  shard_.inc(options_.stats.goaway_sent);
  nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE,
                        nghttp2_session_get_last_proc_stream_id(session_), NGHTTP2_NO_ERROR,
                        nullptr, 0);
  pump_soon();
}

void Session::terminate(uint32_t error_code, ResetReason reason, std::string_view details) {
  if (over_) return;
  over_reason_ = reason;
  over_details_ = details;
  shard_.inc(options_.stats.goaway_sent);
  nghttp2_session_terminate_session(session_, error_code);
  pump_soon();
}

void Session::linger() {
  linger_left_ = kLingerBytes;
  linger_end_ms_ = now_ms() + std::max<int64_t>(options_.delayed_close_timeout_ms, 1);
  wire_.shutdown_when_sent();
  arm();
}

// The peer still takes what was written: the time to close begins anew.
void Session::on_progress() {
  if (linger_end_ms_ == INT64_MAX || stopped_) return;
  linger_end_ms_ = now_ms() + std::max<int64_t>(options_.delayed_close_timeout_ms, 1);
  arm();
}

void Session::stop() {
  stopped_ = true;
  timer_.cancel();
  shard_.add(options_.stats.streams_active, -static_cast<int64_t>(streams_.size()));
  for (const auto& stream : streams_)
    shard_.add(options_.stats.pending_send_bytes,
               -static_cast<int64_t>(std::exchange(stream->pending_counted_, 0)));
}

// ---- deadlines ----

int64_t Session::next_deadline() {
  int64_t at = std::min({drain_final_ms_, linger_end_ms_, section_deadline_ms_, stop_at_ms_,
                         ping_at_ms_, ping_deadline_ms_});
  if (over_) return at;
  if (options_.max_connection_duration_ms > 0 && !drain_announced_)
    at = std::min(at, opened_ms_ + options_.max_connection_duration_ms);
  if (streams_.empty()) {
    if (!spare_.empty()) at = std::min(at, idle_since_ms_ + kTrimMs);
    if (options_.idle_timeout_ms > 0) at = std::min(at, idle_since_ms_ + options_.idle_timeout_ms);
  } else if (options_.stream_flush_timeout_ms > 0) {
    at = std::min(at, now_ms() + std::max<int64_t>(options_.stream_flush_timeout_ms / 2, 1));
  }
  return at;
}

void Session::arm() {
  const int64_t at = next_deadline();
  if (at != INT64_MAX) timer_.set(loop().timers(), at);
}

void Session::on_timer(net::Timer& /*timer*/) {
  if (stopped_) return;
  const int64_t now = now_ms();
  if (now >= linger_end_ms_) return on_lost(ResetReason::kLocal, "delayed_close");
  if (streams_.empty() && now >= idle_since_ms_ + kTrimMs) trim();
  if (!over_) {
    if (now >= section_deadline_ms_) {
      section_deadline_ms_ = INT64_MAX;
      terminate(NGHTTP2_ENHANCE_YOUR_CALM, ResetReason::kTimeout, "request_header_timeout");
    }
    if (!check_ping(now)) return;
    check_flush_timeouts(now);
    if (now >= stop_at_ms_) check_stops(now);
    if (!stopped_ && !check_age(now) && now >= drain_final_ms_) finish_drain();
  }
  if (!stopped_) arm();
  loop().flush();
}

bool Session::idle_for_too_long(int64_t now) const {
  return streams_.empty() && options_.idle_timeout_ms > 0 &&
         now >= idle_since_ms_ + options_.idle_timeout_ms;
}

bool Session::too_old(int64_t now) const {
  return options_.max_connection_duration_ms > 0 &&
         now >= opened_ms_ + options_.max_connection_duration_ms;
}

// True: its time is over.
bool Session::check_age(int64_t now) {
  if (idle_for_too_long(now)) {
    finish_drain();
    return true;
  }
  if (drain_announced_ || !too_old(now)) return false;
  if (side_ == Side::kServer) {
    announce_drain(options_.drain_timeout_ms);
  } else {
    on_goaway();
  }
  return true;
}

// A peer that does not take its answer holds a stream that nobody watches any more.
void Session::check_flush_timeouts(int64_t now) {
  each_stream([&](Stream& stream) {
    if (stopped_ || !stream.flush_overdue(now)) return;
    shard_.inc(options_.stats.tx_flush_timeout);
    stream.reset_by_us_ = true;
    stream.reset_with(NGHTTP2_CANCEL);
    if (stream.listened_to()) stream.break_off(ResetReason::kTimeout, "http2.flush_timeout");
  });
}

void Session::stop_streams_at(int64_t at_ms) {
  if (at_ms >= stop_at_ms_) return;
  stop_at_ms_ = at_ms;
  arm();
}

void Session::check_stops(int64_t now) {
  stop_at_ms_ = INT64_MAX;
  each_stream([&](Stream& stream) {
    if (stream.stop_at_ms_ > now) {
      stop_at_ms_ = std::min(stop_at_ms_, stream.stop_at_ms_);
    } else {
      stream.stop_at_ms_ = INT64_MAX;
      stream.reset_by_us_ = true;
      stream.reset_with(NGHTTP2_NO_ERROR);
    }
  });
}

void Session::trim() {
  std::vector<std::unique_ptr<Stream>>().swap(spare_);
  std::vector<std::unique_ptr<Stream>>().swap(streams_);
  std::vector<Stream*>().swap(pump_list_);
  std::vector<Stream*>().swap(settling_);
  std::vector<Stream*>().swap(sent_list_);
  memory_.release();
}

// ---- PING ----

int64_t Session::next_ping_ms(int64_t now) {
  const int64_t interval = options_.keep_alive.interval_ms;
  const auto most =
      static_cast<uint64_t>(interval) * options_.keep_alive.interval_jitter_percent / kPercent;
  const uint64_t jitter = most == 0 ? 0 : loop().random() % (most + 1);
  return now + interval + static_cast<int64_t>(jitter);
}

void Session::send_ping(int64_t now) {
  nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr);
  if (ping_deadline_ms_ == INT64_MAX && options_.keep_alive.timeout_ms > 0)
    ping_deadline_ms_ = now + options_.keep_alive.timeout_ms;
  pump_soon();
}

// False: the peer does not answer, and the session is no more.
bool Session::check_ping(int64_t now) {
  if (now >= ping_deadline_ms_) {
    shard_.inc(options_.stats.keepalive_timeout);
    on_lost(ResetReason::kTimeout, "http2.ping_timeout");
    return false;
  }
  if (now < ping_at_ms_) return true;
  ping_at_ms_ = next_ping_ms(now);
  if (ping_deadline_ms_ == INT64_MAX) send_ping(now);
  return true;
}

void Session::ping_if_silent() {
  const int64_t silence = options_.keep_alive.connection_idle_interval_ms;
  if (silence == 0 || now_ms() < activity_ms_ + silence || ping_deadline_ms_ != INT64_MAX) return;
  send_ping(now_ms());
  arm();
}

}  // namespace weir::http::h2
