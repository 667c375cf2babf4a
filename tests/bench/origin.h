#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "tests/bench/event_loop.h"

namespace weir::bench {

// The origin server: answers every request, whatever it is, with 200 and the same body. It reads
// only as much of a request as is needed to find its end.
class Origin final : public EventLoop::Handler {
 public:
  Origin(EventLoop& loop, uint16_t port, size_t body_bytes);
  void on_events(uint32_t events) override;

  const std::string& response() const { return response_; }
  // The response as a file in memory: large ones are sent from there without a copy.
  int response_file() const { return response_file_; }

 private:
  EventLoop& loop_;
  int listener_;
  std::string response_;
  int response_file_;
};

// The end of a message's head in `bytes` (the position behind the empty line), or 0.
size_t head_end(const char* bytes, size_t count);
// Content-Length in a head; 0 when there is none.
size_t content_length(const char* head, size_t bytes);

}  // namespace weir::bench
