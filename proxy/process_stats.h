#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "proxy/admin/hooks.h"
#include "proxy/stats/registry.h"
#include "proxy/upstream/cluster.h"

namespace weir {

// Gauges that nobody counts as things happen, because there is something to look at: the process
// (`server.`), and the circuit breakers of clusters. They are set when somebody is about to read
// the metrics. Main thread.
class ProcessStats {
 public:
  explicit ProcessStats(stats::Registry& stats);

  void look_at(const admin::ServerFacts& facts);
  // All clusters that there are. Of a limit above 16 per worker, a breaker counts as open when
  // somebody may be refused, which is from 15/16 of it on.
  void look_at(const std::vector<const upstream::Cluster*>& clusters);

 private:
  // A gauge that stays unused until it has been something else than 0.
  struct Gauge {
    stats::GaugeId id;
    int64_t value = 0;
  };
  // Of one limit; what is left of it only with track_remaining.
  struct Breaker {
    bool fixed = true;  // a retry budget has no limit to compare with
    Gauge open;
    std::optional<Gauge> remaining;
  };
  struct Breakers {
    std::shared_ptr<const upstream::ClusterConfig> config;  // that they are made for
    bool seen = false;
    std::vector<Breaker> all;
  };

  void make(const upstream::Cluster& cluster, Breakers& out);
  void set(Gauge& gauge, int64_t value);
  void look_at(Breaker& breaker, const upstream::SharedLimit& limit);
  void clear(Breakers& breakers);

  stats::Registry& stats_;
  stats::GaugeId live_, state_, uptime_, concurrency_, restart_epoch_, allocated_, heap_, physical_;
  std::map<std::string, Breakers> breakers_;  // by the cluster's name among the metrics
};

}  // namespace weir
