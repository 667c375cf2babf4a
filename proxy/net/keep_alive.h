#pragma once

#include <cstdint>
#include <optional>

namespace weir::net {

// config.core.v3.TcpKeepalive: when the kernel asks a silent peer whether it is still there. 0: the
// system's own value.
struct KeepAlive {
  uint32_t probes = 0;
  uint32_t time_s = 0;
  uint32_t interval_s = 0;
};

// Sets it for a socket, which may still be connecting. Nothing happens without a value, and on a
// socket that is not of TCP. The values are ones that the kernel takes (tcp(7)).
void set_keep_alive(const std::optional<KeepAlive>& keep_alive, int fd);

}  // namespace weir::net
