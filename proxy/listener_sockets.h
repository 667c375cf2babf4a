#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "proxy/base/result.h"
#include "proxy/listener_config.h"
#include "proxy/net/address.h"

namespace weir {

// For each worker the sockets that it accepts on: usually one for each address.
using WorkerSockets = std::vector<std::vector<int>>;

// Sockets that are open already at a listener's address, of the process before, of the service
// manager or of another listener; the caller's.
using OpenSockets =
    std::function<std::vector<int>(const std::string& listener, const net::Address& address)>;

void close_sockets(const WorkerSockets& sockets);
// Further descriptors of the same sockets; fewer, if there may be no more.
std::vector<int> copies_of(const std::vector<int>& sockets);
// Whether the kernel lets several sockets share this one's address.
bool shares_port(int fd);
// Whether connections come to it, or it is only bound.
bool listens(int fd);
// Those that are different sockets: a descriptor and its copy share one.
std::vector<int> distinct_sockets(const std::vector<int>& descriptors);

// Opens the listening sockets of all workers, or takes what is there already. No worker's queue is
// left out: where there are more sockets than workers, some have several; where there are fewer,
// further ones are opened, or, if the kernel does not share the address, all have copies. Main
// thread.
class ListenerSockets {
 public:
  // `inherited`: those that somebody else opened for this process.
  ListenerSockets(uint32_t workers, OpenSockets inherited)
      : workers_(workers), inherited_(std::move(inherited)) {}

  // `own`: those of this process's listeners. On an error none stays open.
  Result<WorkerSockets> open(const ListenerConfig& config, const OpenSockets& own = {});
  // The same, but new sockets only listen with listen_at: until then the kernel gives them no
  // connections that nobody would accept.
  Result<WorkerSockets> prepare(const ListenerConfig& config, const OpenSockets& own = {});
  // Those that prepare returned; while this process holds back it does nothing. On an error, which
  // may be of one of them only, they are the caller's still.
  Result<void> listen_at(const WorkerSockets& sockets);
  // Closes what prepare returned.
  void drop(const WorkerSockets& sockets);
  // Until listen_all new sockets are bound but do not listen, so that the kernel gives them no
  // connections that nobody would accept if this process did not come to serve.
  void hold_back() { holding_ = true; }
  Result<void> listen_all();

 private:
  struct Held {
    int fd;
    uint32_t backlog;
    std::string place;
  };

  Result<void> open_at(const net::Address& address, const ListenerConfig& config,
                       const OpenSockets& own, WorkerSockets& out);
  Result<void> share_out(const std::vector<int>& sockets, const net::Address& address,
                         const ListenerConfig& config, WorkerSockets& out);
  static Result<void> start(const Held& held);
  std::vector<Held> take_held(const WorkerSockets& sockets);
  void take_over(int fd, const net::Address& address, const ListenerConfig& config);
  Result<int> open_new(const net::Address& address, const ListenerConfig& config);

  uint32_t workers_;
  OpenSockets inherited_;
  bool holding_ = false;
  std::vector<Held> held_;
};

}  // namespace weir
