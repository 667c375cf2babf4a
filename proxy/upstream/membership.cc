#include "proxy/upstream/membership.h"

#include <algorithm>
#include <functional>
#include <utility>

namespace weir::upstream {

Membership::Membership(stats::Registry& stats, const std::string& stat_name) : stats_(stats) {
  const std::string prefix = "cluster." + stat_name + ".membership_";
  change_ = stats.counter(prefix + "change");
  total_ = stats.gauge(prefix + "total");
  healthy_ = stats.gauge(prefix + "healthy");
  degraded_ = stats.gauge(prefix + "degraded");
  excluded_ = stats.gauge(prefix + "excluded");
}

void Membership::note(const HostSet& hosts) {
  const auto count = [&](Health health) {
    return std::count_if(hosts.endpoints.begin(), hosts.endpoints.end(),
                         [health](const Endpoint& one) { return one.health == health; });
  };
  stats_.set(total_, static_cast<int64_t>(hosts.endpoints.size()));
  stats_.set(healthy_, count(Health::kHealthy));
  stats_.set(degraded_, count(Health::kDegraded));
  stats_.set(excluded_, count(Health::kExcluded));
  // Whichever order they come in.
  size_t who = 0;
  for (const Endpoint& endpoint : hosts.endpoints)
    who += std::hash<std::string>()(endpoint_key(endpoint));
  if (std::exchange(who_, who) != who) stats_.main_shard().inc(change_);
}

}  // namespace weir::upstream
