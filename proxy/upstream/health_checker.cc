#include "proxy/upstream/health_checker.h"

#include <unordered_set>
#include <utility>

#include "proxy/upstream/health_probe.h"

namespace weir::upstream {

HealthCheckStats::HealthCheckStats(stats::Registry& registry, const std::string& stat_name) {
  const std::string prefix = "cluster." + stat_name + ".health_check.";
  attempt = registry.counter(prefix + "attempt");
  success = registry.counter(prefix + "success");
  failure = registry.counter(prefix + "failure");
  network_failure = registry.counter(prefix + "network_failure");
  passive_failure = registry.counter(prefix + "passive_failure");
  verify_cluster = registry.counter(prefix + "verify_cluster");
  healthy = registry.gauge(prefix + "healthy");
  degraded = registry.gauge(prefix + "degraded");
}

namespace {

ProbeTarget target_of(const ClusterConfig& cluster, const Endpoint& endpoint) {
  ProbeTarget target;
  target.address = endpoint.address;
  target.hostname = endpoint.hostname;
  target.transport = endpoint.transport;
  const std::string& host = cluster.health_check->host;
  target.host = host.empty() ? cluster.name : host;
  if (endpoint.check == nullptr) return target;
  if (endpoint.check->address) target.address = *endpoint.check->address;
  if (endpoint.check->port != 0) target.address = target.address.with_port(endpoint.check->port);
  if (!endpoint.check->hostname.empty()) target.host = endpoint.check->hostname;
  return target;
}

bool is_checked(const Endpoint& endpoint) {
  return endpoint.check == nullptr || !endpoint.check->disabled;
}

}  // namespace

// ---- one endpoint ----

class HealthChecker::Session : private ProbeEvents, private net::Timer::Owner {
 public:
  Session(HealthChecker& checker, std::string key, ProbeTarget target)
      : checker_(checker),
        key_(std::move(key)),
        target_(std::move(target)),
        state_(checker.cluster_->ignores_new_hosts),
        probe_(make_probe({checker.loop_, checker.cluster_, checker.registry_.main_shard(),
                           checker.stats_.verify_cluster},
                          *this)),
        interval_(*this),
        deadline_(*this) {}

  // The first check: at once, or spread over a while.
  void start() {
    const int64_t jitter_ms = check().initial_jitter_ms;
    const uint64_t random = checker_.loop_.random();
    const int64_t wait_ms =
        jitter_ms > 0 ? static_cast<int64_t>(random % static_cast<uint64_t>(jitter_ms)) : 0;
    interval_.set(checker_.loop_.timers(), checker_.loop_.now_ms() + wait_ms);
  }
  void stop() {
    interval_.cancel();
    deadline_.cancel();
    checking_ = false;
    stopped_ = true;
    probe_->abandon();
  }

  void set_target(ProbeTarget target) { target_ = std::move(target); }
  const CheckState& state() const { return state_; }
  int64_t healthy_since_ms() const { return healthy_since_ms_; }

  void fail_passively() { note(CheckResult::kPassive, true); }

 private:
  const HealthCheckConfig& check() const { return *checker_.cluster_->health_check; }

  void on_timer(net::Timer& timer) override {
    if (&timer == &interval_) return begin();
    checking_ = false;
    probe_->abandon();
    conclude(CheckResult::kTimeout, false);
  }

  void begin() {
    checking_ = true;
    checker_.registry_.main_shard().inc(checker_.stats_.attempt);
    deadline_.set(checker_.loop_.timers(), checker_.loop_.now_ms() + check().timeout_ms);
    probe_->start(target_);
  }

  void on_probed(CheckResult result, bool excludes) override {
    if (!std::exchange(checking_, false)) return;
    deadline_.cancel();
    conclude(result, excludes);
  }

  void conclude(CheckResult result, bool excludes) {
    const HealthChange change = note(result, excludes);
    if (stopped_) return;
    net::Loop& loop = checker_.loop_;
    interval_.set(loop.timers(),
                  loop.now_ms() + next_check_ms(check(), succeeded(result), change,
                                                checker_.has_traffic(), loop.random()));
  }

  // What is told may stop this session.
  HealthChange note(CheckResult result, bool excludes) {
    const CheckState before = state_;
    const HealthChange change = state_.note(check(), result, excludes);
    if (before.failed() && !state_.failed()) healthy_since_ms_ = checker_.loop_.now_ms();
    if (state_.failed()) healthy_since_ms_ = 0;
    checker_.count(result);
    checker_.tally(before, state_);
    checker_.told_(key_, result, change);
    return change;
  }

  HealthChecker& checker_;
  const std::string key_;
  ProbeTarget target_;
  CheckState state_;
  std::unique_ptr<HealthProbe> probe_;
  net::Timer interval_;  // to the next check
  net::Timer deadline_;  // of the present one
  int64_t healthy_since_ms_ = 0;
  bool checking_ = false;
  bool stopped_ = false;
};

// ---- all of them ----

HealthChecker::HealthChecker(net::Loop& loop, stats::Registry& stats,
                             std::shared_ptr<const ClusterConfig> cluster, Told told)
    : loop_(loop),
      registry_(stats),
      cluster_(std::move(cluster)),
      stats_(stats, cluster_->stat_name),
      told_(std::move(told)) {
  add_to_gauges(0, 0);
}

HealthChecker::~HealthChecker() {
  stop();
}

void HealthChecker::set_targets(const HostSet& hosts) {
  std::unordered_map<std::string, std::unique_ptr<Session>> old;
  old.swap(sessions_);
  for (const Endpoint& endpoint : hosts.endpoints) {
    const std::string& key = endpoint_key(endpoint);
    if (!is_checked(endpoint) || sessions_.contains(key)) continue;
    ProbeTarget target = target_of(*cluster_, endpoint);
    if (const auto known = old.find(key); known != old.end()) {
      known->second->set_target(std::move(target));
      sessions_.emplace(key, std::move(known->second));
      old.erase(known);
      continue;
    }
    auto session = std::make_unique<Session>(*this, key, std::move(target));
    ++unchecked_;
    session->start();
    sessions_.emplace(key, std::move(session));
  }
  for (auto& [key, session] : old) {
    session->stop();
    if (!session->state().checked()) --unchecked_;
    tally(session->state(), CheckState());
    // It may be the one that is just telling.
    loop_.retire(std::move(session));
  }
}

void HealthChecker::stop() {
  if (sessions_.empty()) return;
  set_targets(HostSet());
}

const CheckState* HealthChecker::find(const std::string& key) const {
  const auto found = sessions_.find(key);
  return found == sessions_.end() ? nullptr : &found->second->state();
}

int64_t HealthChecker::healthy_since_ms(const std::string& key) const {
  const auto found = sessions_.find(key);
  return found == sessions_.end() ? 0 : found->second->healthy_since_ms();
}

void HealthChecker::fail_passively(const std::string& key) {
  const auto found = sessions_.find(key);
  if (found != sessions_.end()) found->second->fail_passively();
}

// ---- what is counted ----

void HealthChecker::count(CheckResult result) {
  stats::Shard& shard = registry_.main_shard();
  shard.inc(succeeded(result) ? stats_.success : stats_.failure);
  if (result == CheckResult::kNetwork || result == CheckResult::kTimeout)
    shard.inc(stats_.network_failure);
  if (result == CheckResult::kPassive) shard.inc(stats_.passive_failure);
}

void HealthChecker::tally(const CheckState& before, const CheckState& after) {
  add_to_gauges(int{!after.failed()} - int{!before.failed()},
                int{after.degraded()} - int{before.degraded()});
  if (!before.checked() && after.checked()) --unchecked_;
}

// Several checkers may have one name: of a cluster and of its next version, and of those that a
// control plane orders (HDS).
void HealthChecker::add_to_gauges(int healthy, int degraded) {
  registry_.main_shard().add(stats_.healthy, healthy);
  registry_.main_shard().add(stats_.degraded, degraded);
}

// Whether a request has ever needed a connection of this cluster.
bool HealthChecker::has_traffic() {
  if (!traffic_)
    traffic_ = registry_.value("cluster." + cluster_->stat_name + ".upstream_cx_total") > 0;
  return traffic_;
}

}  // namespace weir::upstream
