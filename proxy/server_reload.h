#pragma once

#include <cstdint>

#include "proxy/clusters.h"
#include "proxy/listeners.h"
#include "proxy/net/loop.h"
#include "proxy/workers.h"

namespace weir {

// Removes the clusters that the bootstrap no longer has, when no connection has a configuration any
// more that was replaced: until then its routes may lead there. Main thread.
class LeavingClusters : private net::Timer::Owner {
 public:
  struct Needs {
    net::Loop& loop;
    Workers& workers;
    Clusters& clusters;
    const Listeners& listeners;
    int64_t drain_ms;  // the time of connections whose configuration was replaced
  };
  explicit LeavingClusters(const Needs& needs) : needs_(needs) {}

  // The bootstrap's listeners were replaced, or wait for what they need.
  void watch();
  // They are about to be: until the next watch() nothing is removed.
  void pause();

 private:
  static constexpr int64_t kLookMs = 250;

  void on_timer(net::Timer& timer) override;
  void again();

  Needs needs_;
  uint64_t round_ = 0;
  net::Timer timer_{*this};
};

}  // namespace weir
