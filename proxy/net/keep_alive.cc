#include "proxy/net/keep_alive.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace weir::net {
namespace {

void set(int fd, int level, int option, uint32_t value) {
  const int number = static_cast<int>(value);
  if (number != 0) setsockopt(fd, level, option, &number, sizeof(number));
}

}  // namespace

void set_keep_alive(const std::optional<KeepAlive>& keep_alive, int fd) {
  if (!keep_alive) return;
  set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set(fd, IPPROTO_TCP, TCP_KEEPCNT, keep_alive->probes);
  set(fd, IPPROTO_TCP, TCP_KEEPIDLE, keep_alive->time_s);
  set(fd, IPPROTO_TCP, TCP_KEEPINTVL, keep_alive->interval_s);
}

}  // namespace weir::net
