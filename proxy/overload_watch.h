#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "config/bootstrap.h"
#include "config/diagnostic.h"
#include "proxy/net/loop.h"
#include "proxy/overload.h"
#include "proxy/stats/registry.h"

namespace weir {

// envoy.config.overload.v3.OverloadManager, compiled. Immutable.
struct OverloadConfig {
  struct Monitor {
    std::string name;
    uint64_t max_bytes = 0;  // of memory; 0: the pressure stands in a file
    std::string path = {};
  };
  // The share grows from 0 at one pressure to 1 at the other; with both the same it jumps.
  struct Trigger {
    size_t monitor = 0;
    double from = 0;
    double to = 0;
  };
  struct Action {
    std::string name;
    OverloadShare Overload::*share = nullptr;  // null: memory is given back to the system
    std::vector<Trigger> triggers;
  };

  int64_t interval_ms = 1000;
  uint64_t max_connections = 0;  // over all listeners; 0: no limit
  std::vector<Monitor> monitors;
  std::vector<Action> actions;

  // Of a bootstrap; one that has no overload manager gives a config without monitors. What is wrong
  // or not supported is in the diagnostics.
  static std::shared_ptr<const OverloadConfig> compile(const config::Bootstrap& bootstrap,
                                                       config::Diagnostics& diagnostics);
};

// Looks at what may become short, and tells the workers what to do without. Statistics are Envoy's:
// `overload.<monitor>.pressure`, `.failed_updates`, `overload.<action>.active`, `.scale_percent`.
// Main thread.
class OverloadWatch : private net::Timer::Owner {
 public:
  OverloadWatch(net::Loop& loop, stats::Registry& stats, Overload& overload)
      : loop_(loop), stats_(stats), overload_(overload), timer_(*this) {}

  // In place of the config before, which ends what it had ordered.
  void set(std::shared_ptr<const OverloadConfig> config);

 private:
  struct MonitorState {
    double pressure = 0;
    stats::GaugeId percent;
    stats::CounterId failed;
  };
  struct ActionState {
    stats::GaugeId active;
    stats::GaugeId percent;
  };

  void on_timer(net::Timer& timer) override;
  void look();
  void decide();
  double share_of(const OverloadConfig::Action& action) const;
  void shrink_heap();

  net::Loop& loop_;
  stats::Registry& stats_;
  Overload& overload_;
  net::Timer timer_;
  std::shared_ptr<const OverloadConfig> config_;  // null: none yet
  std::vector<MonitorState> monitors_;            // one for each of the config
  std::vector<ActionState> actions_;
  int64_t shrunk_ms_ = INT64_MIN / 2;
};

}  // namespace weir
