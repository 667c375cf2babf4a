#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "proxy/net/loop.h"
#include "proxy/stats/registry.h"
#include "proxy/upstream/check_state.h"
#include "proxy/upstream/cluster_config.h"

namespace weir::upstream {

// The names under `cluster.<name>.health_check.`.
struct HealthCheckStats {
  HealthCheckStats(stats::Registry& registry, const std::string& stat_name);

  stats::CounterId attempt, success, failure, network_failure, passive_failure, verify_cluster;
  stats::GaugeId healthy, degraded;
};

// Checks the endpoints of one cluster again and again, each by itself. Main thread.
class HealthChecker {
 public:
  // A result came, after which find(key) says how the endpoint stands. May call set_targets, or
  // have the checker retired.
  using Told = std::function<void(const std::string& key, CheckResult, HealthChange)>;

  // `cluster` has a health check. Destroyed outside of its own calls: Loop::retire it.
  HealthChecker(net::Loop& loop, stats::Registry& stats,
                std::shared_ptr<const ClusterConfig> cluster, Told told);
  ~HealthChecker();
  HealthChecker(const HealthChecker&) = delete;
  HealthChecker& operator=(const HealthChecker&) = delete;

  // These endpoints are checked from now on, but for those whose health_check_config says not to.
  // Those that were checked before keep their state.
  void set_targets(const HostSet& hosts);
  // No further check and no further call.
  void stop();

  // Whether each endpoint was checked at least once.
  bool round_over() const { return unchecked_ == 0; }
  // Null: it is not checked.
  const CheckState* find(const std::string& key) const;
  // Since when it is healthy, on the loop's clock; 0: it is not, or is not checked.
  int64_t healthy_since_ms(const std::string& key) const;
  // A request's response said that it is to be taken for unhealthy.
  void fail_passively(const std::string& key);

 private:
  class Session;

  void count(CheckResult result);
  // An endpoint's part of the gauges changes.
  void tally(const CheckState& before, const CheckState& after);
  void add_to_gauges(int healthy, int degraded);
  bool has_traffic();

  net::Loop& loop_;
  stats::Registry& registry_;
  std::shared_ptr<const ClusterConfig> cluster_;
  HealthCheckStats stats_;
  Told told_;
  std::unordered_map<std::string, std::unique_ptr<Session>> sessions_;
  size_t unchecked_ = 0;
  bool traffic_ = false;
};

}  // namespace weir::upstream
