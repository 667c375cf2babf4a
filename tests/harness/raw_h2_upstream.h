#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "tests/harness/socket.h"

namespace weir::test {

// An HTTP/2 server by hand, in the clear and in a thread of its own. It never opens a window, and
// answers each request by the bytes that it is told to.
class RawH2Upstream {
 public:
  // What to send for the request of that number, from 0, on that stream. Called in the thread.
  using Answer = std::function<std::string(int number, uint32_t stream)>;

  explicit RawH2Upstream(Answer answer);
  ~RawH2Upstream();
  RawH2Upstream(const RawH2Upstream&) = delete;
  RawH2Upstream& operator=(const RawH2Upstream&) = delete;

  uint16_t port() const { return port_; }
  int requests() const { return requests_; }  // heads that have come

  static std::string ok(uint32_t stream);  // 200, without a body
  static std::string reset(uint32_t stream, uint32_t code);
  // For a cluster that speaks HTTP/2 to it.
  static std::string protocol_options();

 private:
  struct Connection {
    Fd socket;
    std::string input;
    bool past_preface = false;
  };

  void run();
  bool serve(Connection& connection);
  void take_frames(Connection& connection);
  void on_frame(Connection& connection, uint8_t type, uint8_t flags, uint32_t stream);

  Answer answer_;
  Fd listener_;
  uint16_t port_;
  std::vector<Connection> connections_;
  std::atomic<int> requests_ = 0;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

}  // namespace weir::test
