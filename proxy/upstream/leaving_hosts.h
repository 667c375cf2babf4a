#pragma once

#include <cstddef>
#include <memory>
#include <unordered_map>
#include <vector>

#include "proxy/net/loop.h"
#include "proxy/upstream/endpoint.h"

namespace weir::upstream {

class Host;

// One worker's hosts that are in their cluster's set no more. They end what is idle, a few hosts
// per turn of the loop, so that thousands that leave at once hold nobody up; and they go when the
// last request is over. One loop.
class LeavingHosts : private net::Timer::Owner {
 public:
  explicit LeavingHosts(net::Loop& loop);
  ~LeavingHosts() override;

  // Followed by work(), once for all that are added.
  void add(std::unique_ptr<Host> host);
  void work();

  // One of that address, which comes back; null when there is none, or when it has not begun to
  // drain yet.
  std::unique_ptr<Host> take(const net::Address& address);
  // A request on it is over.
  void check(Host& host);
  // Whether they could all be destroyed, at little cost.
  bool unused() const;

 private:
  static constexpr size_t kHostsPerTurn = 256;
  static constexpr int64_t kSweepMs = 500;

  void on_timer(net::Timer& timer) override;
  void sweep();

  net::Loop& loop_;
  net::Timer timer_{*this};
  std::vector<std::unique_ptr<Host>> fresh_;  // have not begun to drain
  std::unordered_multimap<net::Address, std::unique_ptr<Host>, AddressHash> draining_;
};

}  // namespace weir::upstream
