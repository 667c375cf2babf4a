#include "proxy/activated_sockets.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <utility>

namespace weir {
namespace {

constexpr int kFirst = 3;  // SD_LISTEN_FDS_START
constexpr int kMost = 4096;
constexpr char kUnnamed[] = "unknown";  // as sd_listen_fds_with_names has it

int socket_option(int fd, int option) {
  int value = 0;
  socklen_t length = sizeof(value);
  return getsockopt(fd, SOL_SOCKET, option, &value, &length) == 0 ? value : -1;
}

bool parse(const char* text, int& out) {
  const std::string_view view(text);
  const auto [end, error] = std::from_chars(view.data(), view.data() + view.size(), out);
  return error == std::errc() && end == view.data() + view.size();
}

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> out;
  while (!text.empty()) {
    const size_t colon = text.find(':');
    out.emplace_back(text.substr(0, colon));
    text = colon == text.npos ? std::string_view() : text.substr(colon + 1);
  }
  return out;
}

}  // namespace

net::Address bound_address(int fd) {
  sockaddr_storage bound;
  socklen_t length = sizeof(bound);
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &length) != 0) return {};
  return net::Address::from_sockaddr(reinterpret_cast<sockaddr*>(&bound), length);
}

bool socket_fits(int fd, const std::string& socket_name, const std::string& listener,
                 const net::Address& address) {
  const net::Address bound = bound_address(fd);
  if (bound == address) return true;
  return address.is_ip() && address.port() == 0 && socket_name == listener &&
         bound.with_port(0) == address;
}

ActivatedSockets::~ActivatedSockets() {
  close_rest();
}

Result<void> ActivatedSockets::read_environment() {
  const char* const pid_text = std::getenv("LISTEN_PID");
  const char* const count_text = std::getenv("LISTEN_FDS");
  const char* const names_text = std::getenv("LISTEN_FDNAMES");
  const std::vector<std::string> names = split(names_text == nullptr ? "" : names_text);
  int pid = 0;
  int count = 0;
  const bool there = pid_text != nullptr && count_text != nullptr;
  const bool sane =
      there && parse(pid_text, pid) && parse(count_text, count) && count >= 0 && count <= kMost;
  for (const char* name : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}) unsetenv(name);
  if (!there) return {};
  if (!sane) return Error{"activation", "LISTEN_PID and LISTEN_FDS are not two numbers"};
  // Left by somebody for another process: an inherited environment.
  if (pid != getpid()) return {};
  return adopt(kFirst, count, names);
}

Result<void> ActivatedSockets::adopt(int first, int count, const std::vector<std::string>& names) {
  for (int i = 0; i < count; ++i) {
    const int fd = first + i;
    if (socket_option(fd, SO_ACCEPTCONN) != 1 || socket_option(fd, SO_TYPE) != SOCK_STREAM)
      return Error{"activation", "descriptor " + std::to_string(fd) +
                                     " of LISTEN_FDS is no listening stream socket"};
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    const auto place = static_cast<size_t>(i);
    sockets_.push_back({fd, place < names.size() ? names[place] : kUnnamed});
  }
  return {};
}

std::vector<int> ActivatedSockets::take(const std::string& listener, const net::Address& address) {
  std::vector<int> out;
  std::erase_if(sockets_, [&](const Socket& one) {
    if (!socket_fits(one.fd, one.name, listener, address)) return false;
    out.push_back(one.fd);
    return true;
  });
  return out;
}

std::vector<std::string> ActivatedSockets::close_rest() {
  std::vector<std::string> out;
  for (const Socket& one : std::exchange(sockets_, {})) {
    out.push_back(bound_address(one.fd).text());
    close(one.fd);
  }
  return out;
}

Result<void> tell_service_manager(const std::string& state) {
  const char* const where = std::getenv("NOTIFY_SOCKET");
  if (where == nullptr || *where == '\0') return {};
  const Result<net::Address> address = net::Address::unix_path(where);
  if (!address) return address.error();
  sockaddr_storage to;
  const socklen_t length = address->to_sockaddr(to);
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const ssize_t sent = sendto(fd, state.data(), state.size(), MSG_NOSIGNAL,
                              reinterpret_cast<sockaddr*>(&to), length);
  const std::string why = strerror(errno);
  if (fd >= 0) close(fd);
  if (sent >= 0) return {};
  return Error{"notify", "cannot tell the service manager at NOTIFY_SOCKET: " + why};
}

}  // namespace weir
