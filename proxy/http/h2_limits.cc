#include "proxy/http/h2_limits.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <cstring>

namespace weir::http::h2 {
namespace {

constexpr uint8_t kEndStream = 0x1;
constexpr uint8_t kPadded = 0x8;

bool may_be_padded(uint8_t type) {
  return type == NGHTTP2_DATA || type == NGHTTP2_HEADERS;
}

// Four bytes, without the bit that says something else (RFC 9113 4.1, 6.3).
uint32_t stream_at(const uint8_t* bytes) {
  return (uint32_t{bytes[0]} & 0x7f) << 24 | uint32_t{bytes[1]} << 16 | uint32_t{bytes[2]} << 8 |
         uint32_t{bytes[3]};
}

}  // namespace

// Up to where the next frame is known. False: too few bytes.
bool FrameCounter::take_frame(std::string_view& bytes) {
  while (!bytes.empty()) {
    if (skip_ > 0) {
      const size_t n = std::min(skip_, bytes.size());
      skip_ -= n;
      bytes.remove_prefix(n);
      continue;
    }
    const size_t payload = have_ < kHeaderBytes ? 0 : wanted_payload();
    const size_t want = kHeaderBytes + payload;
    const size_t n = std::min(want - have_, bytes.size());
    std::memcpy(header_ + have_, bytes.data(), n);
    have_ = static_cast<uint8_t>(have_ + n);
    bytes.remove_prefix(n);
    if (have_ < want) return false;
    if (payload < wanted_payload()) continue;
    skip_ = length() - payload;
    have_ = 0;
    return true;
  }
  return false;
}

FrameCounter::Counted FrameCounter::count(std::string_view bytes, int64_t now_ms, bool to_data) {
  refill(now_ms);
  Counted out;
  std::string_view left = bytes;
  while (out.data_stream == 0 && take_frame(left)) {
    const Flood flood = on_frame();
    if (out.flood == Flood::kNone) out.flood = flood;
    if (to_data && header_[3] == NGHTTP2_DATA) out.data_stream = stream_at(header_ + 5);
  }
  out.bytes = bytes.size() - left.size();
  return out;
}

// How many bytes behind the header tell something: the pad length, or on whom a stream depends.
size_t FrameCounter::wanted_payload() const {
  if (may_be_padded(header_[3]) && (header_[4] & kPadded) != 0) return length() > 0 ? 1 : 0;
  return header_[3] == NGHTTP2_PRIORITY && length() >= kDependencyBytes ? kDependencyBytes : 0;
}

Flood FrameCounter::on_priority() {
  const uint32_t stream = stream_at(header_ + 5);
  if (stream == 0) return Flood::kWrongPriority;
  if (wanted_payload() > 0 && stream_at(header_ + kHeaderBytes) == stream)
    return Flood::kWrongPriority;
  ++priorities_;
  return priorities_ > options_.max_inbound_priority_frames_per_stream * (1 + streams_)
             ? Flood::kPriority
             : Flood::kNone;
}

Flood FrameCounter::on_frame() {
  switch (header_[3]) {
    case NGHTTP2_DATA:
    case NGHTTP2_HEADERS:
    case NGHTTP2_CONTINUATION:
      return on_payload_frame();
    case NGHTTP2_PRIORITY:
      return on_priority();
    case NGHTTP2_WINDOW_UPDATE:
      ++window_updates_;
      return window_updates_ >
                     5 + 2 * (streams_ +
                              options_.max_inbound_window_update_frames_per_data_frame_sent *
                                  data_sent_)
                 ? Flood::kWindowUpdate
                 : Flood::kNone;
    default:
      return on_control_frame();
  }
}

Flood FrameCounter::on_payload_frame() {
  const uint8_t flags = header_[4];
  const bool padded = header_[3] != NGHTTP2_CONTINUATION && (flags & kPadded) != 0;
  const size_t overhead = padded && length() > 0 ? 1u + header_[kHeaderBytes] : 0;
  if (header_[3] == NGHTTP2_CONTINUATION) {
    if (++continuations_ > kMaxContinuations) return Flood::kContinuation;
  } else {
    continuations_ = 0;
    give_tokens(2);
  }
  const bool ends = header_[3] != NGHTTP2_CONTINUATION && (flags & kEndStream) != 0;
  if (length() <= overhead && !ends) return note_empty();
  empty_in_a_row_ = 0;
  return Flood::kNone;
}

Flood FrameCounter::note_empty() {
  ++empty_in_a_row_;
  return empty_in_a_row_ > options_.max_consecutive_inbound_frames_with_empty_payload
             ? Flood::kEmptyFrames
             : Flood::kNone;
}

Flood FrameCounter::on_control_frame() {
  if (tokens_ == 0) return Flood::kControl;
  --tokens_;
  return Flood::kNone;
}

void FrameCounter::note_data_sent() {
  ++data_sent_;
  give_tokens(1);
}

void FrameCounter::give_tokens(uint32_t count) {
  tokens_ = std::min<int64_t>(tokens_ + count, options_.max_outbound_control_frames);
}

void FrameCounter::refill(int64_t now_ms) {
  const int64_t due = (now_ms - refilled_ms_) * kTokensPerSecond / 1000;
  if (due <= 0) return;
  refilled_ms_ = now_ms;
  give_tokens(static_cast<uint32_t>(std::min<int64_t>(due, UINT32_MAX)));
}

// ---- resets ----

bool ResetCounter::note_end(int64_t lifetime_ms, bool by_peer) {
  // More than twice the number that counts says nothing about now.
  if (streams_ >= 2 * std::max(enough_, 1u)) {
    streams_ /= 2;
    premature_ /= 2;
  }
  ++streams_;
  if (by_peer && lifetime_ms < young_ms_) ++premature_;
  return streams_ >= enough_ && premature_ * 2 > streams_;
}

// ---- frames that wait ----

void OutboundCounter::settle(size_t bytes_waiting) {
  if (bytes_waiting >= bytes_) return;
  frames_ = frames_ * bytes_waiting / bytes_;
  control_ = control_ * bytes_waiting / bytes_;
  bytes_ = bytes_waiting;
}

void OutboundCounter::add(size_t bytes, bool control) {
  bytes_ += bytes;
  ++frames_;
  if (control) ++control_;
}

}  // namespace weir::http::h2
