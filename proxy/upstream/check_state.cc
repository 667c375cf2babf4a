#include "proxy/upstream/check_state.h"

#include <algorithm>
#include <utility>

namespace weir::upstream {

HealthChange CheckState::note(const HealthCheckConfig& config, CheckResult result, bool excludes) {
  HealthChange change =
      succeeded(result) ? succeed(config, result == CheckResult::kDegraded) : fail(config, result);
  if (excludes && !succeeded(result) && !excluded_) {
    excluded_ = true;
    change = HealthChange::kChanged;
  }
  // Whether it is healthy or not, it counts from now on.
  if (std::exchange(waits_, false)) change = HealthChange::kChanged;
  first_ = false;
  return change;
}

HealthChange CheckState::succeed(const HealthCheckConfig& config, bool degraded) {
  failures_ = 0;
  HealthChange change = HealthChange::kNone;
  if (failed_) {
    if (first_ || ++successes_ >= config.healthy_threshold) {
      failed_ = timed_out_ = excluded_ = false;
      change = HealthChange::kChanged;
    } else {
      change = HealthChange::kPending;
    }
  }
  if (std::exchange(degraded_, degraded) != degraded && change == HealthChange::kNone)
    change = HealthChange::kChanged;
  return change;
}

HealthChange CheckState::fail(const HealthCheckConfig& config, CheckResult result) {
  successes_ = 0;
  HealthChange change = HealthChange::kNone;
  if (!failed_) {
    const bool at_once = result == CheckResult::kFailed || result == CheckResult::kPassive;
    if (at_once || ++failures_ >= config.unhealthy_threshold) {
      failed_ = true;
      change = HealthChange::kChanged;
    } else {
      change = HealthChange::kPending;
    }
  }
  timed_out_ = failed_ && result == CheckResult::kTimeout;
  return change;
}

int64_t next_check_ms(const HealthCheckConfig& config, bool healthy, HealthChange change,
                      bool traffic, uint64_t random) {
  const bool edge = change == HealthChange::kPending;
  int64_t base_ms = 0;
  if (!traffic) {
    base_ms =
        healthy && !edge ? config.no_traffic_healthy_interval_ms : config.no_traffic_interval_ms;
  } else if (healthy) {
    base_ms = edge ? config.healthy_edge_interval_ms : config.interval_ms;
  } else {
    base_ms = edge ? config.unhealthy_edge_interval_ms : config.unhealthy_interval_ms;
  }
  const int64_t spread_ms = config.interval_jitter_percent * base_ms / 100;
  // Two independent numbers of one.
  const auto below = [](uint64_t number, int64_t limit) {
    return limit > 0 ? static_cast<int64_t>(number % static_cast<uint64_t>(limit)) : 0;
  };
  return std::max<int64_t>(1, base_ms + below(random & UINT32_MAX, spread_ms) +
                                  below(random >> 32, config.interval_jitter_ms));
}

}  // namespace weir::upstream
