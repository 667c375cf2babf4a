#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "proxy/chain_match.h"
#include "proxy/net/connection.h"
#include "proxy/net/loop.h"
#include "proxy/net/timer_wheel.h"

namespace weir {

class Entrance;
class Worker;
struct ChainConfig;

// One accepted connection on its way to its chain, where something has to be read of it first: what
// the listener filters look for, and TLS's handshake. What filters look at stays in the socket, for
// whoever comes next; so a client that says nothing costs this object and no buffer, for at most
// the two timeouts. One loop; owned by its entrance.
class Greeter : private net::Watch::Owner,
                private net::Connection::Owner,
                private net::Timer::Owner {
 public:
  Greeter(Worker& worker, Entrance& entrance, int fd, const net::Address& peer);
  ~Greeter() override;

  void start();
  // Who has not begun to speak is not waited for, unless there is a grace; others go on.
  void drain(int64_t grace_ms);
  void close() { give_up({}); }

  uint32_t slot = 0;  // the entrance's

 private:
  enum class Peek : uint8_t { kBytes, kNothing, kEnded };

  // Watch::Owner
  void on_ready(uint8_t ready) override;
  // Connection::Owner, during the handshake
  void on_connected(int error) override;
  void on_readable() override {}
  void on_full(bool /*full*/) override {}
  void on_write_error(int error) override;
  void on_timer(net::Timer& timer) override;

  void run_filters();
  bool run_next_filter(std::string_view& bytes);
  Peek peek(std::string_view& bytes);
  void wait(std::string_view bytes);
  void give_up(std::string_view details, uint32_t flags = 0);
  void log(std::string_view details, uint32_t flags);
  void refuse();
  void ended();
  void filters_passed();
  void start_handshake();
  void hand_over(net::Socket socket);
  void stop_filters();

  Worker& worker_;
  Entrance& entrance_;
  Approach approach_;
  net::Watch watch_;
  net::Timer timer_;
  std::unique_ptr<net::Connection> handshake_;  // null before
  std::shared_ptr<const ChainConfig> chain_;    // null until it is chosen
  int64_t accepted_ns_;
  int fd_;  // -1: given away
  uint32_t next_filter_ = 0;
  bool watching_ = false;
  bool peer_closed_ = false;
  bool heard_ = false;  // it sent a byte
};

}  // namespace weir
