#include "proxy/process_stats.h"

#include <algorithm>
#include <array>
#include <utility>

#include "proxy/base/memory_use.h"

namespace weir {
namespace {

struct LimitNames {
  const char* open;
  const char* remaining;
};
// In the order of `limits_of`.
constexpr std::array<LimitNames, 4> kLimitNames = {{{"cx_open", "remaining_cx"},
                                                    {"rq_pending_open", "remaining_pending"},
                                                    {"rq_open", "remaining_rq"},
                                                    {"rq_retry_open", "remaining_retries"}}};

std::array<const upstream::SharedLimit*, 4> limits_of(const upstream::ClusterLimits& limits) {
  return {&limits.connections, &limits.pending, &limits.requests, &limits.retries};
}

// As Envoy numbers them.
int64_t number_of(admin::ServerState state) {
  switch (state) {
    case admin::ServerState::kLive:
      return 0;
    case admin::ServerState::kDraining:
      return 1;
    case admin::ServerState::kPreInitializing:
      return 2;
    case admin::ServerState::kInitializing:
      return 3;
  }
  return 0;
}

}  // namespace

ProcessStats::ProcessStats(stats::Registry& stats)
    : stats_(stats),
      live_(stats.gauge("server.live")),
      state_(stats.gauge("server.state")),
      uptime_(stats.gauge("server.uptime")),
      concurrency_(stats.gauge("server.concurrency")),
      restart_epoch_(stats.gauge("server.hot_restart_epoch")),
      allocated_(stats.gauge("server.memory_allocated")),
      heap_(stats.gauge("server.memory_heap_size")),
      physical_(stats.gauge("server.memory_physical_size")) {}

void ProcessStats::look_at(const admin::ServerFacts& facts) {
  stats_.set(live_, facts.state == admin::ServerState::kLive ? 1 : 0);
  stats_.set(state_, number_of(facts.state));
  stats_.set(uptime_, facts.uptime_s);
  stats_.set(concurrency_, facts.concurrency);
  stats_.set(restart_epoch_, facts.restart_epoch);
  const MemoryUse memory = memory_use();
  stats_.set(allocated_, static_cast<int64_t>(memory.allocated));
  stats_.set(heap_, static_cast<int64_t>(memory.heap));
  stats_.set(physical_, static_cast<int64_t>(resident_bytes().value_or(0)));
}

void ProcessStats::look_at(const std::vector<const upstream::Cluster*>& clusters) {
  for (auto& [name, breakers] : breakers_) breakers.seen = false;
  for (const upstream::Cluster* cluster : clusters) {
    Breakers& breakers = breakers_[cluster->config->stat_name];
    if (breakers.config != cluster->config) make(*cluster, breakers);
    breakers.seen = true;
    auto breaker = breakers.all.begin();
    for (const upstream::ClusterLimits& limits : cluster->limits)
      for (const upstream::SharedLimit* limit : limits_of(limits)) look_at(*breaker++, *limit);
  }
  for (auto it = breakers_.begin(); it != breakers_.end();) {
    if (it->second.seen) {
      ++it;
      continue;
    }
    clear(it->second);
    it = breakers_.erase(it);
  }
}

void ProcessStats::make(const upstream::Cluster& cluster, Breakers& out) {
  clear(out);
  out.config = cluster.config;
  for (size_t priority = 0; priority < 2; ++priority) {
    const upstream::Thresholds& thresholds = cluster.config->thresholds[priority];
    const std::string prefix = "cluster." + cluster.config->stat_name + ".circuit_breakers." +
                               (priority == 0 ? "default." : "high.");
    for (const LimitNames& names : kLimitNames) {
      Breaker& breaker = out.all.emplace_back();
      breaker.open.id = stats_.gauge(prefix + names.open);
      if (thresholds.track_remaining)
        breaker.remaining = Gauge{.id = stats_.gauge(prefix + names.remaining)};
    }
    out.all.back().fixed = !thresholds.retry_budget_percent;
  }
}

// Whoever has these gauges from now on begins at 0.
void ProcessStats::clear(Breakers& breakers) {
  for (Breaker& breaker : breakers.all) {
    set(breaker.open, 0);
    if (breaker.remaining) set(*breaker.remaining, 0);
  }
  breakers.all.clear();
}

void ProcessStats::look_at(Breaker& breaker, const upstream::SharedLimit& limit) {
  if (!breaker.fixed) return;
  const uint32_t max = limit.max();
  const uint32_t held = limit.held();
  set(breaker.open, held >= max ? 1 : 0);
  if (breaker.remaining) set(*breaker.remaining, max - std::min(held, max));
}

void ProcessStats::set(Gauge& gauge, int64_t value) {
  if (std::exchange(gauge.value, value) != value) stats_.set(gauge.id, value);
}

}  // namespace weir
