#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "proxy/hot_restart_message.h"
#include "proxy/net/address.h"
#include "proxy/net/loop.h"

namespace weir::hot_restart {

// The successor's side: what a new process asks of the one that it replaces. It asks while it
// starts, and waits for each answer; from `follow` on it only listens. Main thread.
class Parent : private net::Watch::Owner {
 public:
  // Connects to the process of the epoch before. `user`: whom it has to belong to. Errors:
  // "no-parent" when there is none; else what speaks against going on.
  static Result<std::unique_ptr<Parent>> meet(uint32_t base_id, uint32_t epoch, int64_t timeout_ms,
                                              uid_t user);
  // Takes a connected socket over; `greet` comes first.
  explicit Parent(int socket) : socket_(socket) {}
  ~Parent() override;
  Parent(const Parent&) = delete;
  Parent& operator=(const Parent&) = delete;

  Result<void> greet(uint32_t epoch);
  uint64_t process_id() const { return process_id_; }
  // Its sockets at that address, now the caller's too; see Kind::kGetSockets.
  Result<std::vector<int>> sockets(const std::string& listener, const net::Address& address);
  // It stops to accept, and ends when its connections have, or after that time.
  Result<void> take_over(int64_t shutdown_ms);
  // What it counted, and goes on to count, until it ends; without `counted` that is dropped.
  void follow(net::Loop& loop, std::function<void(const Counters&)> counted);
  // Whether it has ended, so that nothing more comes.
  bool ended() const { return socket_ < 0; }

 private:
  void on_ready(uint8_t ready) override;
  Result<Message> ask(const Message& request, Kind wanted);

  int socket_;
  uint64_t process_id_ = 0;
  net::Watch watch_;
  std::function<void(const Counters&)> counted_;
};

}  // namespace weir::hot_restart
