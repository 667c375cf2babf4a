#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "proxy/http/h2_options.h"

// What a peer may ask of one connection. Counted here, over the frames as they arrive, and not by
// the HTTP/2 library, whose bounds differ between its versions.
namespace weir::http::h2 {

enum class Flood : uint8_t {
  kNone,
  kEmptyFrames,
  kPriority,
  kWindowUpdate,
  kControl,  // PING, SETTINGS, RST_STREAM and frames of unknown types
  kContinuation,
  // No floods, and nghttp2 lets them pass: a PRIORITY of stream 0 (RFC 9113 6.3), or of a stream
  // that depends on itself (RFC 7540 5.3.1).
  kWrongPriority,
};

// Follows the frames of one direction of a connection and says when there are too many of a kind
// that costs the sender nothing. Sees bytes in pieces of any size. One connection, one thread.
class FrameCounter {
 public:
  // `preface_bytes` come before the first frame.
  FrameCounter(const H2Options& options, size_t preface_bytes)
      : options_(options), skip_(preface_bytes), tokens_(options.max_outbound_control_frames) {}

  struct Counted {
    Flood flood = Flood::kNone;  // the first one
    size_t bytes = 0;            // that were looked at
    uint32_t data_stream = 0;    // they end with the head of a DATA frame of this stream
  };
  // `to_data`: only up to where the payload of a DATA frame begins.
  Counted count(std::string_view bytes, int64_t now_ms, bool to_data);
  // What was sent makes more of the peer's frames plausible.
  void note_data_sent();
  void note_stream_opened() { ++streams_; }

 private:
  static constexpr size_t kHeaderBytes = 9;
  static constexpr size_t kDependencyBytes = 4;
  static constexpr int64_t kTokensPerSecond = 100;
  static constexpr uint32_t kMaxContinuations = 100;  // of one field section

  size_t length() const { return size_t{header_[0]} << 16 | size_t{header_[1]} << 8 | header_[2]; }
  size_t wanted_payload() const;
  bool take_frame(std::string_view& bytes);
  Flood on_frame();
  Flood on_priority();
  Flood on_payload_frame();
  Flood on_control_frame();
  Flood note_empty();
  void refill(int64_t now_ms);
  void give_tokens(uint32_t count);

  const H2Options& options_;
  size_t skip_;  // bytes before the next frame header
  int64_t tokens_;
  int64_t refilled_ms_ = 0;
  uint64_t priorities_ = 0;
  uint64_t window_updates_ = 0;
  uint64_t data_sent_ = 0;
  uint64_t streams_ = 0;
  uint32_t continuations_ = 0;
  uint32_t empty_in_a_row_ = 0;
  uint8_t header_[kHeaderBytes + kDependencyBytes];  // and what is looked at of the payload
  uint8_t have_ = 0;
};

// Streams that ended early by the peer's doing, against all: rapid resets (CVE-2023-44487) and
// resets that the peer provokes from us (CVE-2025-8671). Old streams weigh less and less.
class ResetCounter {
 public:
  explicit ResetCounter(const H2Options& options)
      : enough_(options.premature_reset_total_stream_count),
        young_ms_(options.premature_reset_min_stream_lifetime_ms) {}

  // True: it is too much.
  bool note_end(int64_t lifetime_ms, bool by_peer);

 private:
  uint32_t enough_;
  int64_t young_ms_;
  uint32_t streams_ = 0;
  uint32_t premature_ = 0;
};

// How many frames wait for the socket, told from how many bytes do: nothing says which frames the
// kernel took.
class OutboundCounter {
 public:
  // Before frames are added: what still waits of the earlier ones.
  void settle(size_t bytes_waiting);
  void add(size_t bytes, bool control);
  uint64_t frames() const { return frames_; }
  uint64_t control_frames() const { return control_; }

 private:
  uint64_t bytes_ = 0;
  uint64_t frames_ = 0;
  uint64_t control_ = 0;
};

}  // namespace weir::http::h2
