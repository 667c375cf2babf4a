#include "proxy/listener_sockets.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>
#include <utility>

#include "proxy/activated_sockets.h"
#include "proxy/listener_compile.h"

namespace weir {

bool shares_port(int fd) {
  int on = 0;
  socklen_t length = sizeof(on);
  return getsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, &length) == 0 && on != 0;
}

bool listens(int fd) {
  int on = 0;
  socklen_t length = sizeof(on);
  return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &length) == 0 && on != 0;
}

void close_sockets(const WorkerSockets& sockets) {
  for (const auto& of_worker : sockets)
    for (int fd : of_worker) close(fd);
}

std::vector<int> copies_of(const std::vector<int>& sockets) {
  std::vector<int> out;
  for (int fd : sockets)
    if (const int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0); copy >= 0) out.push_back(copy);
  return out;
}

std::vector<int> distinct_sockets(const std::vector<int>& descriptors) {
  std::set<ino_t> known;
  std::vector<int> out;
  for (int fd : descriptors) {
    struct stat info;
    if (fstat(fd, &info) == 0 && known.insert(info.st_ino).second) out.push_back(fd);
  }
  return out;
}

Result<WorkerSockets> ListenerSockets::open(const ListenerConfig& config, const OpenSockets& own) {
  WorkerSockets out(workers_);
  if (!config.bind_to_port) return out;
  const size_t held_before = held_.size();
  for (const net::Address& address : config.addresses) {
    Result<void> opened = open_at(address, config, own, out);
    if (opened) continue;
    close_sockets(out);
    held_.resize(held_before);
    return opened.error();
  }
  return out;
}

Result<WorkerSockets> ListenerSockets::prepare(const ListenerConfig& config,
                                               const OpenSockets& own) {
  const bool held_back = std::exchange(holding_, true);
  Result<WorkerSockets> sockets = open(config, own);
  holding_ = held_back;
  return sockets;
}

Result<void> ListenerSockets::open_at(const net::Address& address, const ListenerConfig& config,
                                      const OpenSockets& own, WorkerSockets& out) {
  std::vector<int> sockets;
  if (inherited_) sockets = inherited_(config.name, address);
  if (own && sockets.empty()) sockets = own(config.name, address);
  if (!sockets.empty()) {
    for (int fd : sockets) take_over(fd, address, config);
    return share_out(sockets, address, config, out);
  }
  const Result<int> first = open_new(address, config);
  if (!first) return first.error();
  return share_out({*first}, address, config, out);
}

Result<void> ListenerSockets::share_out(const std::vector<int>& sockets,
                                        const net::Address& address, const ListenerConfig& config,
                                        WorkerSockets& out) {
  for (size_t i = 0; i < sockets.size(); ++i) out[i % workers_].push_back(sockets[i]);
  // Where any port would do, the first socket has chosen.
  const net::Address chosen = address.is_ip() ? bound_address(sockets[0]) : address;
  const bool several = config.reuse_port && address.is_ip() && shares_port(sockets[0]);
  for (size_t i = sockets.size(); i < workers_; ++i) {
    const Result<int> further =
        several ? open_new(chosen, config)
                : Result<int>(fcntl(sockets[i % sockets.size()], F_DUPFD_CLOEXEC, 0));
    if (!further) return further.error();
    out[i].push_back(*further);
  }
  return {};
}

// What was prepared and is taken over before it listens goes on to wait.
void ListenerSockets::take_over(int fd, const net::Address& address, const ListenerConfig& config) {
  if (holding_ && !listens(fd)) {
    held_.push_back({fd, config.backlog, address.text()});
  } else {
    listen(fd, static_cast<int>(config.backlog));
  }
}

Result<int> ListenerSockets::open_new(const net::Address& address, const ListenerConfig& config) {
  Result<int> fd = open_socket(address, config, !holding_);
  if (fd && holding_) held_.push_back({*fd, config.backlog, address.text()});
  return fd;
}

Result<void> ListenerSockets::listen_all() {
  holding_ = false;
  Result<void> done;
  for (const Held& held : std::exchange(held_, {}))
    if (done) done = start(held);
  return done;
}

Result<void> ListenerSockets::listen_at(const WorkerSockets& sockets) {
  if (holding_) return {};
  Result<void> done;
  for (const Held& held : take_held(sockets))
    if (done) done = start(held);
  return done;
}

void ListenerSockets::drop(const WorkerSockets& sockets) {
  take_held(sockets);
  close_sockets(sockets);
}

Result<void> ListenerSockets::start(const Held& held) {
  if (listen(held.fd, static_cast<int>(held.backlog)) == 0) return {};
  return Error{"bind", "cannot listen on " + held.place + ": " + strerror(errno)};
}

std::vector<ListenerSockets::Held> ListenerSockets::take_held(const WorkerSockets& sockets) {
  const auto is_other = [&](const Held& held) {
    return std::none_of(sockets.begin(), sockets.end(), [&](const std::vector<int>& some) {
      return std::find(some.begin(), some.end(), held.fd) != some.end();
    });
  };
  const auto begin = std::stable_partition(held_.begin(), held_.end(), is_other);
  std::vector<Held> taken(std::make_move_iterator(begin), std::make_move_iterator(held_.end()));
  held_.erase(begin, held_.end());
  return taken;
}

}  // namespace weir
