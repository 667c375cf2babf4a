#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "proxy/greeter.h"
#include "proxy/http/server_connection.h"
#include "proxy/http_door.h"
#include "proxy/listener_config.h"

namespace weir {

class Worker;

// One configuration of a listener on one worker: leads each accepted connection to the application
// of its chain, and counts them until they end. A listener whose configuration is replaced gets
// another entrance; the old one stays until its last connection is gone. One loop.
class Entrance {
 public:
  Entrance(Worker& worker, std::shared_ptr<const ListenerConfig> config);
  ~Entrance();
  Entrance(const Entrance&) = delete;
  Entrance& operator=(const Entrance&) = delete;

  const ListenerConfig& config() const { return *config_; }
  // Takes an accepted socket over.
  void admit(int fd, const net::Address& peer);
  // Connections end with what they are doing; idle ones after the grace.
  void drain(int64_t grace_ms);
  void close_all();
  // That are open: on their way, or with their applications.
  size_t connections() const { return connections_; }

  // ---- from greeters and applications ----

  // The chain for a connection; null is counted.
  const ChainConfig* choose(const Approach& approach);
  // Where every connection comes in; null when that differs.
  const net::Address* fixed_local() const { return local_ ? &*local_ : nullptr; }
  // The address that a socket was accepted on.
  net::Address local_of(int fd) const;
  // Gives a connection to its chain's application. Without `own_local` it gets the listener's.
  void enter(const ChainConfig& chain, http::Arrival arrival, std::string server_name);
  // It hands its connection over, or gave it up.
  void dismiss(Greeter& greeter);
  // A connection that was admitted is no more.
  void connection_closed();

 private:
  void set_up(int fd, const net::Address& peer) const;
  void greet(int fd, const net::Address& peer);
  HttpDoor& door_of(const ChainConfig& chain);

  Worker& worker_;
  std::shared_ptr<const ListenerConfig> config_;
  const ChainConfig* single_chain_;
  std::optional<net::Address> local_;
  size_t connections_ = 0;
  bool greets_;
  std::vector<std::unique_ptr<HttpDoor>> doors_;  // one per chain, the default's last; null for TCP
  std::vector<std::unique_ptr<Greeter>> greeters_;
};

}  // namespace weir
