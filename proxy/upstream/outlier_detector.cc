#include "proxy/upstream/outlier_detector.h"

#include <algorithm>
#include <cmath>
#include <string_view>
#include <utility>

namespace weir::upstream {
namespace {

// In the order of Ejection.
constexpr std::array<std::string_view, kEjectionKinds> kNames = {
    "consecutive_5xx",
    "consecutive_gateway_failure",
    "consecutive_local_origin_failure",
    "success_rate",
    "local_origin_success_rate",
    "failure_percentage",
    "failure_percentage_local_origin",
};

}  // namespace

OutlierStats::OutlierStats(stats::Registry& registry, const std::string& stat_name) {
  const std::string prefix = "cluster." + stat_name + ".outlier_detection.ejections_";
  const auto counter = [&](const std::string& name) { return registry.counter(prefix + name); };
  active = registry.gauge(prefix + "active");
  overflow = counter("overflow");
  enforced_total = counter("enforced_total");
  total = counter("total");
  consecutive_5xx = counter("consecutive_5xx");
  success_rate = counter("success_rate");
  for (size_t i = 0; i < kEjectionKinds; ++i) {
    detected[i] = counter("detected_" + std::string(kNames[i]));
    enforced[i] = counter("enforced_" + std::string(kNames[i]));
  }
}

OutlierDetector::OutlierDetector(std::shared_ptr<const OutlierConfig> config,
                                 stats::Registry& stats, const std::string& stat_name,
                                 Random random)
    : config_(std::move(config)),
      registry_(stats),
      stats_(stats, stat_name),
      random_(std::move(random)) {}

OutlierDetector::~OutlierDetector() = default;

void OutlierDetector::set_hosts(const Hosts& hosts) {
  std::map<std::string, Monitor> old;
  old.swap(monitors_);
  active_ = 0;
  for (const auto& [key, feedback] : hosts) {
    const auto known = old.find(key);
    Monitor& monitor = monitors_[key];
    if (known != old.end()) monitor = std::move(known->second);
    monitor.feedback = feedback;
    if (monitor.ejected) ++active_;
  }
  set_active();
}

void OutlierDetector::set_active() {
  registry_.set(stats_.active, static_cast<int64_t>(active_));
}

bool OutlierDetector::ejected(const std::string& key) const {
  const auto found = monitors_.find(key);
  return found != monitors_.end() && found->second.ejected;
}

double OutlierDetector::success_rate(const std::string& key, Origin origin) const {
  const auto found = monitors_.find(key);
  return found == monitors_.end() ? -1 : found->second.rates[static_cast<size_t>(origin)];
}

// ---- out ----

bool OutlierDetector::on_consecutive(const std::string& key, Ejection kind, int64_t now_ms) {
  const auto found = monitors_.find(key);
  if (found == monitors_.end() || found->second.ejected) return false;
  Monitor& monitor = found->second;
  if (kind == Ejection::kConsecutive5xx) registry_.main_shard().inc(stats_.consecutive_5xx);
  const bool ejected = eject(key, monitor, kind, now_ms);
  monitor.feedback->forget(kind);
  return ejected;
}

bool OutlierDetector::eject(const std::string& key, Monitor& monitor, Ejection kind,
                            int64_t now_ms) {
  stats::Shard& shard = registry_.main_shard();
  shard.inc(stats_.detected[static_cast<size_t>(kind)]);
  if (!may_eject_one_more()) {
    shard.inc(stats_.overflow);
    return false;
  }
  if (kind == Ejection::kConsecutive5xx || kind == Ejection::kSuccessRate) shard.inc(stats_.total);
  if (!is_enforced(kind)) return false;
  shard.inc(stats_.enforced_total);
  shard.inc(stats_.enforced[static_cast<size_t>(kind)]);
  monitor.ejected = true;
  monitor.ejected_ms = now_ms;
  lengthen(monitor);
  ++active_;
  set_active();
  newly_ejected_.push_back(key);
  return true;
}

bool OutlierDetector::may_eject_one_more() const {
  if (config_->always_eject_one && active_ == 0) return true;
  return (active_ + 1) * 100 <= config_->max_ejection_percent * monitors_.size();
}

bool OutlierDetector::is_enforced(Ejection kind) {
  return random_() % 100 < config_->enforced(kind);
}

// The next ejection is longer, up to the longest.
void OutlierDetector::lengthen(Monitor& monitor) {
  const int64_t base_ms = config_->base_ejection_ms;
  if (monitor.multiplier * base_ms < config_->max_ejection_ms + base_ms) ++monitor.multiplier;
  const int64_t jitter_ms = config_->max_ejection_jitter_ms;
  monitor.jitter_ms =
      jitter_ms > 0 ? static_cast<int64_t>(random_() % static_cast<uint64_t>(jitter_ms + 1)) : 0;
}

// ---- and back ----

// Who stays in for an interval is out for less the next time.
bool OutlierDetector::return_if_due(Monitor& monitor, int64_t now_ms) {
  if (!monitor.ejected) {
    if (monitor.multiplier > 0) --monitor.multiplier;
    return false;
  }
  const int64_t out_ms =
      std::min(config_->base_ejection_ms * monitor.multiplier, config_->max_ejection_ms);
  if (now_ms - monitor.ejected_ms < out_ms + monitor.jitter_ms) return false;
  let_return(monitor);
  return true;
}

void OutlierDetector::let_return(Monitor& monitor) {
  monitor.ejected = false;
  monitor.feedback->forget_all();
  --active_;
  set_active();
}

bool OutlierDetector::on_check_passed(const std::string& key) {
  const auto found = monitors_.find(key);
  if (!config_->uneject_on_check || found == monitors_.end() || !found->second.ejected)
    return false;
  let_return(found->second);
  return true;
}

// ---- comparisons ----

bool OutlierDetector::sweep(int64_t now_ms) {
  bool changed = false;
  for (auto& [key, monitor] : monitors_) {
    changed |= return_if_due(monitor, now_ms);
    for (const Origin origin : {Origin::kExternal, Origin::kLocal}) {
      monitor.windows[static_cast<size_t>(origin)] = monitor.feedback->take_window(origin);
      monitor.rates[static_cast<size_t>(origin)] = -1;
    }
  }
  changed |= compare(Origin::kExternal, now_ms);
  changed |= compare(Origin::kLocal, now_ms);
  return changed;
}

bool OutlierDetector::compare(Origin origin, int64_t now_ms) {
  const auto at = static_cast<size_t>(origin);
  std::vector<std::string> for_rates;
  std::vector<std::string> for_percentages;
  for (auto& [key, monitor] : monitors_) {
    const HostFeedback::Window& window = monitor.windows[at];
    if (monitor.ejected || window.total == 0) continue;
    const uint32_t least =
        std::min(config_->success_rate_volume, config_->failure_percentage_volume);
    if (window.total >= least) monitor.rates[at] = 100.0 * window.successes / window.total;
    if (window.total >= config_->success_rate_volume) for_rates.push_back(key);
    if (window.total >= config_->failure_percentage_volume) for_percentages.push_back(key);
  }
  bool changed = false;
  if (!for_rates.empty() && for_rates.size() >= config_->success_rate_min_hosts)
    changed |= compare_rates(for_rates, origin, now_ms);
  if (!for_percentages.empty() && for_percentages.size() >= config_->failure_percentage_min_hosts)
    changed |= compare_percentages(for_percentages, origin, now_ms);
  return changed;
}

// Who is further below the mean than so many standard deviations.
bool OutlierDetector::compare_rates(const std::vector<std::string>& keys, Origin origin,
                                    int64_t now_ms) {
  const auto rate = [&](const std::string& key) {
    return monitors_[key].rates[static_cast<size_t>(origin)];
  };
  double sum = 0;
  for (const std::string& key : keys) sum += rate(key);
  const double mean = sum / static_cast<double>(keys.size());
  double squares = 0;
  for (const std::string& key : keys) squares += (rate(key) - mean) * (rate(key) - mean);
  const double deviation = std::sqrt(squares / static_cast<double>(keys.size()));
  const double least = mean - config_->success_rate_stdev_factor * deviation;
  const Ejection kind =
      origin == Origin::kExternal ? Ejection::kSuccessRate : Ejection::kLocalOriginSuccessRate;
  bool changed = false;
  for (const std::string& key : keys) {
    if (rate(key) >= least) continue;
    registry_.main_shard().inc(stats_.success_rate);
    changed |= eject(key, monitors_[key], kind, now_ms);
  }
  return changed;
}

bool OutlierDetector::compare_percentages(const std::vector<std::string>& keys, Origin origin,
                                          int64_t now_ms) {
  const Ejection kind = origin == Origin::kExternal ? Ejection::kFailurePercentage
                                                    : Ejection::kLocalOriginFailurePercentage;
  bool changed = false;
  for (const std::string& key : keys) {
    Monitor& monitor = monitors_[key];
    const double failures = 100.0 - monitor.rates[static_cast<size_t>(origin)];
    if (monitor.ejected || failures < config_->failure_percentage_threshold) continue;
    changed |= eject(key, monitor, kind, now_ms);
  }
  return changed;
}

}  // namespace weir::upstream
