#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/harness/socket.h"
#include "tests/harness/strict_http.h"
#include "tests/harness/wire.h"

namespace weir::test {

// What an upstream does with requests for a path. Written as a chain:
//   upstream.on("/slow").delay(300ms).respond(200, "late");
//   upstream.on("/cut").respond(200, body).only(5).then_reset();
class Behaviour {
 public:
  Behaviour& delay(Milliseconds time) { return delay_ = time, *this; }
  Behaviour& respond(int status, std::string body = "") {
    return status_ = status, body_ = std::move(body), *this;
  }
  // A body of so many bytes, made while it is sent.
  Behaviour& large_body(uint64_t bytes) { return large_bytes_ = bytes, *this; }
  // Sends only the first bytes of the whole response, head included.
  Behaviour& only(uint64_t bytes) { return only_bytes_ = bytes, *this; }
  // The body in writes of one byte each, with a pause between them.
  Behaviour& drip(Milliseconds pause) { return drip_ = pause, *this; }
  Behaviour& then_close() { return end_ = End::kClose, *this; }
  Behaviour& then_reset() { return end_ = End::kReset, *this; }
  Behaviour& header(const std::string& line) { return headers_ += line + "\r\n", *this; }
  // Answers without waiting for the request's body, and never reads on.
  Behaviour& stop_reading() { return reads_ = false, *this; }
  Behaviour& never_respond() { return silent_ = true, *this; }

 private:
  friend class TestUpstream;
  enum class End { kKeep, kClose, kReset };

  std::string head() const;

  Milliseconds delay_{0};
  int status_ = 200;
  std::string body_ = "ok";
  uint64_t large_bytes_ = 0;
  uint64_t only_bytes_ = UINT64_MAX;
  Milliseconds drip_{0};
  End end_ = End::kKeep;
  std::string headers_;
  bool reads_ = true;
  bool silent_ = false;
};

// An HTTP/1 server with faults, in a thread of its own. Behaviours are set before the requests
// come; the counters may be read at any time.
class TestUpstream {
 public:
  TestUpstream();
  ~TestUpstream();
  TestUpstream(const TestUpstream&) = delete;
  TestUpstream& operator=(const TestUpstream&) = delete;

  uint16_t port() const { return port_; }
  // The behaviour for this exact path; a path without one is answered with 200 "ok".
  Behaviour& on(const std::string& path);

  int requests() const { return requests_; }        // whole ones
  int connections() const { return connections_; }  // ever accepted
  int open_connections() const { return open_; }
  int unfinished() const { return unfinished_; }  // requests that broke off
  uint64_t bytes_sent() const { return bytes_sent_; }
  uint64_t bytes_received() const { return bytes_received_; }
  std::string last_request() const;

  void close_all();  // every connection, with FIN
  void stop();       // and the listener: connections are refused from now on

 private:
  struct Connection;
  using Clock = std::chrono::steady_clock;

  void run();
  void accept_all();
  void poll_once();
  void serve(Connection& connection);
  bool read_request(Connection& connection);
  void begin_response(Connection& connection, const Message& request);
  void write_response(Connection& connection);
  void end_response(Connection& connection);

  Fd listener_;
  uint16_t port_;
  mutable std::mutex mutex_;  // behaviours_, last_request_
  std::map<std::string, Behaviour> behaviours_;
  std::string last_request_;
  std::vector<std::unique_ptr<Connection>> connections_list_;  // the thread's own
  std::atomic<int> requests_{0};
  std::atomic<int> connections_{0};
  std::atomic<int> open_{0};
  std::atomic<int> unfinished_{0};
  std::atomic<uint64_t> bytes_sent_{0};
  std::atomic<uint64_t> bytes_received_{0};
  std::atomic<bool> close_all_{false};
  std::atomic<bool> stop_{false};
  std::atomic<bool> end_{false};
  std::thread thread_;
};

}  // namespace weir::test
