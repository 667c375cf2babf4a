#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "tests/bench/event_loop.h"

namespace weir::bench {

// The origin in HTTP/2 by prior knowledge (RFC 9113 section 3.3). It answers every request with 200
// and the same body; one of gRPC gets that body as one message, and its status in trailers.
class H2Origin final : public EventLoop::Handler {
 public:
  H2Origin(EventLoop& loop, uint16_t port, size_t body_bytes);
  void on_events(uint32_t events) override;

  const std::string& body(bool grpc) const { return grpc ? message_ : body_; }

 private:
  EventLoop& loop_;
  int listener_;
  std::string body_;
  std::string message_;  // the body behind the five bytes that frame a message of gRPC
};

}  // namespace weir::bench
