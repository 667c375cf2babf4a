#pragma once

#include <poll.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/http/testing/h2_frames.h"
#include "proxy/net/testing/raw_socket.h"

namespace weir::http::h2::testing {

// The other end of an HTTP/2 connection, frame by frame, with a time limit on everything.
class Peer {
 public:
  static constexpr int kPatienceMs = 5'000;

  explicit Peer(net::RawSocket socket) : socket_(std::move(socket)) {}

  net::RawSocket& socket() { return socket_; }
  void send(std::string_view bytes) { socket_.send(bytes); }
  void send_split(std::string_view bytes) {
    for (const char& c : bytes) socket_.send({&c, 1});
  }

  // The next frame that `wanted` likes; others before it are kept in `seen`. A frame of type 0xff
  // when none comes.
  Frame wait_for(const std::function<bool(const Frame&)>& wanted, int patience_ms = kPatienceMs) {
    const auto limit = std::chrono::steady_clock::now() + std::chrono::milliseconds(patience_ms);
    while (true) {
      Frame frame;
      while (reader_.next(frame)) {
        seen.push_back(frame);
        if (wanted(frame)) return frame;
      }
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
          limit - std::chrono::steady_clock::now());
      pollfd at{socket_.fd(), POLLIN, 0};
      if (poll(&at, 1, std::max(0, static_cast<int>(left.count()))) <= 0) break;
      const std::string bytes = socket_.receive_some();
      if (bytes.empty()) {
        ended = true;
        break;
      }
      received += bytes.size();
      reader_.add(bytes);
      if (wants_preface_) wants_preface_ = !reader_.take_preface();
    }
    Frame none;
    none.type = 0xff;
    return none;
  }
  Frame wait_for(uint8_t type) {
    return wait_for([type](const Frame& frame) { return frame.type == type; });
  }
  // A time is no number, so that none is taken for a stream.
  Frame wait_for(uint8_t type, std::chrono::milliseconds patience) {
    return wait_for([type](const Frame& frame) { return frame.type == type; },
                    static_cast<int>(patience.count()));
  }
  Frame wait_for(uint8_t type, uint32_t stream) {
    return wait_for(
        [=](const Frame& frame) { return frame.type == type && frame.stream == stream; });
  }
  // All DATA of one stream, up to its end.
  std::string body(uint32_t stream) {
    std::string all;
    wait_for([&](const Frame& frame) {
      if (frame.stream != stream) return false;
      if (frame.type == kData) all += frame.payload;
      return frame.type == kRstStream ||
             ((frame.type == kData || frame.type == kHeaders) && frame.ends());
    });
    return all;
  }
  // Whether the connection ends, and not only pauses.
  bool closes(int patience_ms = kPatienceMs) {
    wait_for([](const Frame&) { return false; }, patience_ms);
    return ended;
  }
  // Everything sent so far was looked at: PING is answered after it.
  bool sync() {
    const std::string mark = "sync" + number(++marks_, 4);
    send(ping(mark));
    return wait_for([&](const Frame& frame) {
             return frame.type == kPing && (frame.flags & kAck) != 0 && frame.payload == mark;
           }).type == kPing;
  }
  // The first RST_STREAM or GOAWAY; type 0xff: none. An answer to PING may overtake them, a second
  // one does not.
  Frame first_error() {
    Frame found;
    for (const char* mark : {"the mark", "the end."}) {
      send(ping(mark));
      found = wait_for([&](const Frame& at) {
        return at.type == kRstStream || at.type == kGoaway ||
               (at.type == kPing && at.payload == mark);
      });
      if (found.type != kPing) return found;
    }
    found.type = 0xff;
    return found;
  }
  // A server's end: the client's preface comes first.
  void expect_preface() { wants_preface_ = true; }

  std::vector<Frame> seen;
  size_t received = 0;
  bool ended = false;

 private:
  net::RawSocket socket_;
  FrameReader reader_;
  uint32_t marks_ = 0;
  bool wants_preface_ = false;
};

}  // namespace weir::http::h2::testing
