#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>

#include "proxy/net/address.h"

namespace weir::net {

// A plain blocking socket with a time limit on everything, for the other end of what is tested.
// Owns its descriptor.
class RawSocket {
 public:
  static constexpr int kPatienceMs = 10'000;

  RawSocket() = default;
  explicit RawSocket(int fd) : fd_(fd) {}
  RawSocket(RawSocket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  RawSocket& operator=(RawSocket&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~RawSocket() { close(); }

  // A connected pair: this end, and a non-blocking one whose descriptor `other` gets.
  static RawSocket pair(int type, int& other) {
    int fds[2];
    if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds) != 0) std::abort();
    fcntl(fds[1], F_SETFL, O_NONBLOCK);
    other = fds[1];
    return RawSocket(fds[0]);
  }

  // Listens on a free port of 127.0.0.1.
  static RawSocket listen() {
    RawSocket out(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(out.fd_, reinterpret_cast<sockaddr*>(&at), sizeof(at)) != 0) std::abort();
    if (::listen(out.fd_, 64) != 0) std::abort();
    return out;
  }

  static RawSocket connect(const Address& to) {
    RawSocket out(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_storage at;
    const socklen_t length = to.to_sockaddr(at);
    if (::connect(out.fd_, reinterpret_cast<sockaddr*>(&at), length) != 0) std::abort();
    const int one = 1;
    setsockopt(out.fd_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return out;
  }

  Address address() const {
    sockaddr_storage at;
    socklen_t length = sizeof(at);
    if (getsockname(fd_, reinterpret_cast<sockaddr*>(&at), &length) != 0) return {};
    return Address::from_sockaddr(reinterpret_cast<sockaddr*>(&at), length);
  }

  RawSocket accept() {
    wait(POLLIN);
    return RawSocket(accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC));
  }

  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      wait(POLLOUT);
      const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n < 0 && errno != EAGAIN) return;
      if (n > 0) bytes.remove_prefix(static_cast<size_t>(n));
    }
  }

  // What one read gives within `patience_ms`. Empty: the end, an error, or nothing came.
  std::string receive_some(int patience_ms = kPatienceMs) {
    if (!wait(POLLIN, patience_ms)) return {};
    std::string bytes(1 << 16, '\0');
    const ssize_t n = recv(fd_, bytes.data(), bytes.size(), 0);
    last_error_ = n < 0 ? errno : 0;
    bytes.resize(n > 0 ? static_cast<size_t>(n) : 0);
    return bytes;
  }
  // `count` bytes, or fewer when the end or the time limit comes first.
  std::string receive(size_t count) {
    std::string all;
    while (all.size() < count) {
      const std::string some = receive_some();
      if (some.empty()) break;
      all += some;
    }
    return all;
  }
  // Up to the peer's end.
  std::string receive_all() { return receive(SIZE_MAX); }
  int last_error() const { return last_error_; }

  void shutdown() { ::shutdown(fd_, SHUT_WR); }
  void reset() {
    const linger off{1, 0};
    setsockopt(fd_, SOL_SOCKET, SO_LINGER, &off, sizeof(off));
    close();
  }
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  int fd() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  bool wait(short events, int patience_ms = kPatienceMs) const {
    pollfd p{fd_, events, 0};
    return poll(&p, 1, patience_ms) > 0;
  }

  int fd_ = -1;
  int last_error_ = 0;
};

}  // namespace weir::net
