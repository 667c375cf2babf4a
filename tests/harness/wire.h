#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/harness/socket.h"

namespace weir::test {

using Milliseconds = std::chrono::milliseconds;
inline constexpr Milliseconds kPatience{5000};

// One TCP connection of a test: what has arrived and was not yet looked at, and what still has to
// be written. Nothing here blocks; Exchange moves the bytes.
class Wire {
 public:
  explicit Wire(Fd socket) : socket_(std::move(socket)) {}

  void send(std::string_view bytes) { output_ += bytes; }
  // From now on every write carries a single byte.
  void split_writes() { split_ = true; }
  void finish_sending() { finish_ = true; }  // shuts the sending side once all is written
  void close() { socket_.close(); }
  void reset();  // closes with RST

  const std::string& input() const { return input_; }
  void consume(size_t bytes) { input_.erase(0, bytes); }

  bool open() const { return socket_.open(); }
  // The peer has closed, or the connection broke.
  bool ended() const { return ended_ || !socket_.open(); }
  bool was_reset() const { return was_reset_; }
  bool sent_all() const { return sent_ == output_.size(); }

 private:
  friend class Exchange;

  int fd() const { return socket_.get(); }
  short wanted() const;
  void on_ready(short events);
  void read_some();
  void write_some();

  Fd socket_;
  std::string input_;
  std::string output_;
  size_t sent_ = 0;  // of output_
  bool split_ = false;
  bool finish_ = false;
  bool finished_ = false;
  bool ended_ = false;
  bool was_reset_ = false;
};

// Moves the bytes of many connections until something is true. One thread.
class Exchange {
 public:
  using Wires = std::vector<Wire*>;

  // `wires` tells which connections there are now; `accept` is called when a listener has
  // connections waiting. Both are asked anew on every turn.
  Exchange(std::function<Wires()> wires, std::vector<const Fd*> listeners,
           std::function<void(size_t listener)> accept)
      : wires_(std::move(wires)), listeners_(std::move(listeners)), accept_(std::move(accept)) {}

  // Says whether `done` became true in time.
  bool run_until(const std::function<bool()>& done, Milliseconds patience = kPatience);
  void run_for(Milliseconds time) {
    run_until([] { return false; }, time);
  }

 private:
  void turn(Milliseconds wait);

  std::function<Wires()> wires_;
  std::vector<const Fd*> listeners_;
  std::function<void(size_t)> accept_;
};

}  // namespace weir::test
