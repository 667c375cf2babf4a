#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace weir::http::h2 {

// Whether a client may still send HEADERS or DATA on a stream that nghttp2 has forgotten, which
// forgives everything (RFC 9113 5.1, 5.1.1). Only what was under way when we reset the stream is to
// be expected, and then dropped, within the connection's window.
// Bounded; no heap for a connection whose streams end well. One thread.
class ClosedStreams {
 public:
  enum class Verdict : uint8_t {
    kFine,        // it was under way
    kClosed,      // the client had said that nothing follows, or reset it
    kNeverBegun,  // and cannot be begun any more
  };

  // HEADERS came on a stream that was none before. True: it is a new one.
  bool note_begun(uint32_t id);
  // Neither it nor a later one has begun.
  bool idle(uint32_t id) const { return id > largest_; }
  // RST_STREAM goes out.
  void note_reset(uint32_t id);
  // A frame came on a stream that is none any more.
  Verdict judge(uint32_t id) const;

 private:
  // Ids of a client are odd: what lies between two of them was passed over.
  struct Gap {
    uint32_t first = 0;
    uint32_t last = 0;
  };
  static constexpr size_t kMaxResets = 256;

  std::vector<uint32_t> resets_;  // a ring once it is full
  size_t next_reset_ = 0;
  uint32_t forgotten_ = 0;  // of streams up to this one nothing is known
  uint32_t largest_ = 0;
  std::array<Gap, 2> gaps_;  // the latest
  size_t next_gap_ = 0;
};

}  // namespace weir::http::h2
