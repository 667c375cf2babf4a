#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "proxy/base/log.h"
#include "proxy/hot_restart_message.h"
#include "proxy/net/address.h"
#include "proxy/net/loop.h"

namespace weir::hot_restart {

// How a process was started.
struct Command {
  std::string directory;               // it runs in
  std::vector<std::string> arguments;  // the program first
};

// The side of the process that is to be replaced: answers its successor, and `weir upgrade`. Until
// a successor takes over nothing changes here, whatever it does or fails to do. Main thread.
class Host {
 public:
  struct Hooks {
    // The listening sockets at that address, which stay the process's; see Kind::kGetSockets.
    std::function<std::vector<int>(const std::string& listener, const net::Address& address)>
        sockets;
    std::function<Counters()> counters;  // all, since the process began
    // Nothing is accepted from now on; the process ends when its connections have, or after that.
    std::function<void(int64_t shutdown_ms)> take_over;
    std::function<Command()> command;
  };

  // Takes over a socket of bind_socket. `user`: nobody else is listened to.
  Host(net::Loop& loop, Logger& log, int socket, uint32_t epoch, uid_t user, Hooks hooks);
  ~Host();
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  // Successors may come from now on.
  Result<void> listen();
  bool taken_over() const { return heir_ != nullptr || heir_gone_; }
  // What was counted since the last time goes to whoever took over; now and every second.
  void send_counters();
  // The last counters, before the process ends; waits a second for them to be read at most.
  void finish();

 private:
  class Peer;
  class Ticker;
  class Door;
  static constexpr size_t kMaxPeers = 16;

  void accept_all();
  void answer(Peer& peer, const Message& request);
  void greet(Peer& peer, const Message& request);
  void send_sockets(Peer& peer, const Message& request);
  void send_command(Peer& peer);
  void hand_over(Peer& peer, int64_t shutdown_ms);
  void drop(Peer& peer);

  net::Loop& loop_;
  Logger& log_;
  uint32_t epoch_;
  uid_t user_;
  Hooks hooks_;
  std::unique_ptr<Door> door_;  // null: taken over
  std::vector<std::unique_ptr<Peer>> peers_;
  Peer* heir_ = nullptr;  // that took over
  bool heir_gone_ = false;
  std::unique_ptr<Ticker> ticker_;
  std::map<std::string, uint64_t> sent_;
};

}  // namespace weir::hot_restart
