#pragma once

#include <cstdint>
#include <string>
#include <utility>

namespace weir::test {

// An owned file descriptor.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd() { close(); }
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) {
      close();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }

  int get() const { return fd_; }
  bool open() const { return fd_ >= 0; }
  void close();

 private:
  int fd_ = -1;
};

// Sockets of 127.0.0.1. A failure of these ends the test program: nothing can be tested then.

// Non-blocking, listening on a free port.
Fd listen_on_loopback(int backlog = 512);
uint16_t local_port(const Fd& socket);

// Non-blocking and connected; not open when nobody listens there.
Fd connect_to_loopback(uint16_t port);

// A non-blocking accepted connection; not open when none waits.
Fd accept_connection(const Fd& listener);

// A port of 127.0.0.1 that stays ours until the object goes: bound but never listened on, such that
// a proxy that sets SO_REUSEADDR or SO_REUSEPORT can listen there while nobody else gets it.
// Connecting to a port that is only reserved is refused.
class ReservedPort {
 public:
  ReservedPort();
  uint16_t number() const { return number_; }

 private:
  Fd socket_;
  uint16_t number_ = 0;
};

// Ends the test program with `what` and the text of errno.
[[noreturn]] void die(const std::string& what);

}  // namespace weir::test
