#include "tests/harness/socket.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace weir::test {
namespace {

sockaddr_in loopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

void set_option(const Fd& socket, int level, int option) {
  const int on = 1;
  if (setsockopt(socket.get(), level, option, &on, sizeof on) != 0) die("setsockopt");
}

Fd new_socket(int flags) {
  Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0));
  if (!socket.open()) die("socket");
  return socket;
}

void bind_to_free_port(const Fd& socket) {
  const sockaddr_in address = loopback(0);
  if (bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    die("bind");
}

// Of a connection under way; a refusal, or silence for a second, is no success.
bool handshake_succeeds(const Fd& socket) {
  pollfd polled{socket.get(), POLLOUT, 0};
  int error = ECONNREFUSED;
  socklen_t length = sizeof error;
  return poll(&polled, 1, 1000) == 1 &&
         getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &length) == 0 && error == 0;
}

}  // namespace

void Fd::close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

Fd listen_on_loopback(int backlog) {
  Fd socket = new_socket(SOCK_NONBLOCK);
  bind_to_free_port(socket);
  if (listen(socket.get(), backlog) != 0) die("listen");
  return socket;
}

uint16_t local_port(const Fd& socket) {
  sockaddr_in address{};
  socklen_t length = sizeof address;
  if (getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &length) != 0)
    die("getsockname");
  return ntohs(address.sin_port);
}

Fd connect_to_loopback(uint16_t port) {
  Fd socket = new_socket(SOCK_NONBLOCK);
  set_option(socket, IPPROTO_TCP, TCP_NODELAY);
  const sockaddr_in address = loopback(port);
  const int status =
      connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  if (status == 0) return socket;
  if (errno != EINPROGRESS || !handshake_succeeds(socket)) return Fd();
  return socket;
}

Fd accept_connection(const Fd& listener) {
  Fd socket(accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (socket.open()) set_option(socket, IPPROTO_TCP, TCP_NODELAY);
  return socket;
}

ReservedPort::ReservedPort() : socket_(new_socket(0)) {
  set_option(socket_, SOL_SOCKET, SO_REUSEADDR);
  set_option(socket_, SOL_SOCKET, SO_REUSEPORT);
  bind_to_free_port(socket_);
  number_ = local_port(socket_);
}

void die(const std::string& what) {
  std::fprintf(stderr, "%s: %s\n", what.c_str(), std::strerror(errno));
  std::abort();
}

}  // namespace weir::test
