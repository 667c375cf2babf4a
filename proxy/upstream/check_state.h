#pragma once

#include <cstdint>

#include "proxy/upstream/health_check_config.h"

namespace weir::upstream {

// How one check of an endpoint ended.
enum class CheckResult : uint8_t {
  kHealthy,
  kDegraded,   // healthy, but says that others are to be preferred (x-envoy-degraded)
  kFailed,     // it answers that it is not healthy: once is enough
  kRetriable,  // the same, with a status of retriable_statuses: the threshold counts
  kNetwork,    // no answer, because the connection failed or broke off
  kTimeout,    // no answer in time
  kPassive,    // a request's response said so (x-envoy-immediate-health-check-fail)
};
constexpr bool succeeded(CheckResult result) {
  return result == CheckResult::kHealthy || result == CheckResult::kDegraded;
}

// What a result does to the health: nothing, it brings a change nearer, or it changes it.
enum class HealthChange : uint8_t { kNone, kPending, kChanged };

// What the checks of one endpoint have shown. An endpoint is unhealthy until its first check, whose
// result counts at once in either direction; after that the thresholds do.
class CheckState {
 public:
  // `waits`: until the first check the endpoint is not counted (ignore_new_hosts_until_first_hc).
  explicit CheckState(bool waits = false) : waits_(waits) {}

  // `excludes`: the answer had x-envoy-immediate-health-check-fail.
  HealthChange note(const HealthCheckConfig& config, CheckResult result, bool excludes);

  bool checked() const { return !first_; }
  bool failed() const { return failed_; }
  bool timed_out() const { return timed_out_; }
  bool degraded() const { return degraded_; }
  bool waiting() const { return waits_; }      // for its first check
  bool excluded() const { return excluded_; }  // by its own word

 private:
  HealthChange succeed(const HealthCheckConfig& config, bool degraded);
  HealthChange fail(const HealthCheckConfig& config, CheckResult result);

  uint32_t successes_ = 0;  // in a row, while it is unhealthy
  uint32_t failures_ = 0;   // in a row, while it is healthy
  bool first_ = true;
  bool failed_ = true;
  bool timed_out_ = false;
  bool degraded_ = false;
  bool waits_;
  bool excluded_ = false;
};

// How long after a check the next one begins. `traffic`: the cluster has had connections. `random`:
// any number.
int64_t next_check_ms(const HealthCheckConfig& config, bool healthy, HealthChange change,
                      bool traffic, uint64_t random);

}  // namespace weir::upstream
