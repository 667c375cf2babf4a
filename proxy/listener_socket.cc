#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "proxy/listener_compile.h"

namespace weir {
namespace {

void set_on(int fd, int level, int option) {
  const int on = 1;
  setsockopt(fd, level, option, &on, sizeof(on));
}

// A socket file that nobody listens on any more is in the way of binding.
void remove_stale(const net::Address& address) {
  const std::string path = address.text();
  if (address.family() != net::Address::Family::kUnix || path.starts_with("@")) return;
  struct stat info;
  if (stat(path.c_str(), &info) != 0 || !S_ISSOCK(info.st_mode)) return;
  const int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_storage to;
  const socklen_t length = address.to_sockaddr(to);
  const bool refused = connect(probe, reinterpret_cast<sockaddr*>(&to), length) != 0;
  close(probe);
  if (refused) unlink(path.c_str());
}

void set_options(int fd, const net::Address& address, const ListenerConfig& config) {
  if (!address.is_ip()) return;
  set_on(fd, SOL_SOCKET, SO_REUSEADDR);
  if (config.reuse_port) set_on(fd, SOL_SOCKET, SO_REUSEPORT);
  if (config.transparent) set_on(fd, SOL_IP, IP_TRANSPARENT);
  if (config.fast_open_queue > 0) {
    const int length = static_cast<int>(config.fast_open_queue);
    setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN, &length, sizeof(length));
  }
  if (config.freebind) set_on(fd, SOL_IP, IP_FREEBIND);
  if (address.family() == net::Address::Family::kIpv6) {
    const int only = config.v6_only ? 1 : 0;
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only));
  }
}

// Those of the configuration itself; false when one is refused.
bool set_own_options(int fd, const ListenerConfig& config, bool before_bind) {
  for (const SocketOption& option : config.socket_options) {
    if (option.before_bind != before_bind) continue;
    const auto length = static_cast<socklen_t>(option.value.size());
    if (setsockopt(fd, option.level, option.name, option.value.data(), length) != 0) return false;
  }
  return true;
}

}  // namespace

Result<int> open_socket(const net::Address& address, const ListenerConfig& config, bool listening) {
  remove_stale(address);
  sockaddr_storage to;
  const socklen_t length = address.to_sockaddr(to);
  const int fd = socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const auto failed = [&](const char* what) -> Result<int> {
    const std::string why = strerror(errno);
    if (fd >= 0) close(fd);
    return Error{"bind", "listener '" + config.name + "' cannot " + what + " " + address.text() +
                             ": " + why};
  };
  if (fd < 0) return failed("open a socket for");
  set_options(fd, address, config);
  if (!set_own_options(fd, config, true)) return failed("set the socket_options of");
  if (bind(fd, reinterpret_cast<sockaddr*>(&to), length) != 0) return failed("bind to");
  // Whether it listens already makes no difference to the kernel.
  if (!set_own_options(fd, config, false)) return failed("set the socket_options of");
  if (config.unix_mode != 0 && address.family() == net::Address::Family::kUnix)
    chmod(address.text().c_str(), config.unix_mode);
  if (listening && listen(fd, static_cast<int>(config.backlog)) != 0) return failed("listen on");
  return fd;
}

}  // namespace weir
