#pragma once

#include <string>
#include <vector>

#include "proxy/base/result.h"
#include "proxy/net/address.h"

namespace weir {

// The address that a socket is bound to.
net::Address bound_address(int fd);

// Whether a listening socket is what a listener of that name asks for at that address: its own
// address is that one, or, where the port is 0 and any will do, the names are the same.
bool socket_fits(int fd, const std::string& socket_name, const std::string& listener,
                 const net::Address& address);

// Listening sockets that the service manager opened (sd_listen_fds(3): LISTEN_PID, LISTEN_FDS,
// LISTEN_FDNAMES). Owns those that nobody has taken yet.
class ActivatedSockets {
 public:
  ActivatedSockets() = default;
  ~ActivatedSockets();
  ActivatedSockets(const ActivatedSockets&) = delete;
  ActivatedSockets& operator=(const ActivatedSockets&) = delete;

  // From the environment, whose variables go. Errors: variables that make no sense, a descriptor
  // that is no listening stream socket. None are there: fine.
  Result<void> read_environment();
  // `first`: the lowest descriptor. Names may be fewer.
  Result<void> adopt(int first, int count, const std::vector<std::string>& names);
  // Those that fit (socket_fits), now the caller's.
  std::vector<int> take(const std::string& listener, const net::Address& address);
  // Closes what is left and tells its addresses.
  std::vector<std::string> close_rest();

 private:
  struct Socket {
    int fd;
    std::string name;
  };
  std::vector<Socket> sockets_;
};

// Tells the service manager of a change, such as "READY=1" (sd_notify(3), NOTIFY_SOCKET). Nobody is
// there to be told: fine.
Result<void> tell_service_manager(const std::string& state);

}  // namespace weir
