#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "proxy/drain_clock.h"
#include "proxy/greeter.h"
#include "proxy/http/server_connection.h"
#include "proxy/http_door.h"
#include "proxy/listener_config.h"

namespace weir {

class Worker;

// What the log says of a connection that matches no filter chain.
inline constexpr std::string_view kNoChainDetails = "filter_chain_not_found";

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
  // Takes over another set of chains: connections of those that are in both stay, those of the
  // others end with what they are doing, idle ones after the grace. `config` differs from the
  // present one in chains alone.
  void update(std::shared_ptr<const ListenerConfig> config, int64_t grace_ms);
  // Takes an accepted socket over.
  void admit(int fd, const net::Address& peer);
  // Connections end with what they are doing; idle ones after the grace.
  void drain(int64_t grace_ms);
  // Connections are asked to end as the clock says. Copied: an entrance may outlive its listener.
  void drain_by(const DrainClock& clock) { drain_clock_ = clock; }
  const DrainClock& drain_clock() const { return drain_clock_; }
  // Asks those whose turn has come; idle ones have the grace. True: there is more to come.
  bool drain_more(int64_t grace_ms);
  // Whether a response that begins now is its connection's last.
  bool ends_connection() const;
  // Those of TCP too.
  void close_all();
  // Gives up what is left of chains that are gone: what is idle, and what had its time. True: there
  // is more to come.
  bool sweep(int64_t now_ms);
  // That are open: on their way, or with their applications.
  size_t connections() const { return connections_; }
  // Whether some of them are, or may come to be, of chains that are gone.
  bool has_older_connections() const;

  // ---- from greeters and applications ----

  // The chain for a connection; null is counted.
  std::shared_ptr<const ChainConfig> choose(const Approach& approach);
  // Where every connection comes in; null when that differs.
  const net::Address* fixed_local() const { return local_ ? &*local_ : nullptr; }
  // The address that a socket was accepted on.
  net::Address local_of(int fd) const;
  // Gives a connection to its chain's application. Without `own_local` it gets the listener's.
  void enter(const std::shared_ptr<const ChainConfig>& chain, http::Arrival arrival,
             std::string server_name);
  // It hands its connection over, or gave it up.
  void dismiss(Greeter& greeter);
  // Whether the listener logs connections.
  bool logs() const { return config_->access_logs != nullptr; }
  // If so: one that ends now. `info` is whole but for its end and the clock's time.
  void log(http::StreamInfo& info);
  // If so: one that ends before an application got it; `info` says why.
  void log_unserved(http::StreamInfo info, const Approach& approach, int64_t accepted_ns);
  // A connection that was admitted, at that time of the loop's clock, is no more.
  void connection_closed(int64_t opened_ms);

 private:
  // A chain that is gone; its connections have until then.
  struct Leaving {
    std::shared_ptr<const ChainConfig> chain;
    int64_t close_at_ms;
  };

  bool count_in();
  void enter_plain(const std::shared_ptr<const ChainConfig>& chain, int fd,
                   const net::Address& peer);
  void greet(int fd, const net::Address& peer);
  void turn_away(int fd, const Approach& approach);
  HttpDoor& door_of(const std::shared_ptr<const ChainConfig>& chain,
                    const std::shared_ptr<const HcmConfig>& hcm);
  void let_go(const std::shared_ptr<const ChainConfig>& chain, int64_t grace_ms);
  bool sweep_one(const Leaving& leaving, int64_t now_ms);

  Worker& worker_;
  std::shared_ptr<const ListenerConfig> config_;
  std::shared_ptr<const ChainConfig> single_chain_;
  std::optional<net::Address> local_;
  DrainClock drain_clock_;
  size_t connections_ = 0;
  bool greets_;
  // Where HTTP comes in: opened with a chain's first connection.
  struct Door {
    std::shared_ptr<const ChainConfig> chain;
    std::unique_ptr<HttpDoor> door;
  };
  std::unordered_map<const ChainConfig*, Door> doors_;
  std::vector<Leaving> leaving_;
  std::vector<std::unique_ptr<Greeter>> greeters_;
};

}  // namespace weir
