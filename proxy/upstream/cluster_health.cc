#include "proxy/upstream/cluster_health.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

namespace weir::upstream {

std::unique_ptr<ClusterHealth> ClusterHealth::make(net::Loop& loop, stats::Registry& stats,
                                                   std::shared_ptr<const ClusterConfig> config,
                                                   Events events) {
  if (config->health_check == nullptr && config->outlier == nullptr) return nullptr;
  return std::unique_ptr<ClusterHealth>(
      new ClusterHealth(loop, stats, std::move(config), std::move(events)));
}

ClusterHealth::ClusterHealth(net::Loop& loop, stats::Registry& stats,
                             std::shared_ptr<const ClusterConfig> config, Events events)
    : loop_(loop),
      config_(std::move(config)),
      events_(std::move(events)),
      timer_(*this),
      sweep_timer_(*this) {
  box_ = std::make_shared<FeedbackBox>(
      loop, [this](const std::string& key, FeedbackBox::Note note) { taken(key, note); });
  if (config_->outlier != nullptr) {
    outliers_ = std::make_unique<OutlierDetector>(config_->outlier, stats, config_->stat_name,
                                                  [&loop] { return loop.random(); });
    sweep_timer_.set(loop.timers(), loop.now_ms() + config_->outlier->interval_ms);
  }
  if (config_->health_check == nullptr) return;
  checker_ = std::make_unique<HealthChecker>(
      loop, stats, config_,
      [this](const std::string& key, CheckResult result, HealthChange change) {
        checked(key, result, change);
      });
}

ClusterHealth::~ClusterHealth() {
  stop();
}

void ClusterHealth::stop() {
  box_->close();
  timer_.cancel();
  sweep_timer_.cancel();
  if (checker_ != nullptr) checker_->stop();
}

bool ClusterHealth::ready() const {
  return started() && (checker_ == nullptr || checker_->round_over());
}

// ---- endpoints come and go ----

void ClusterHealth::set_hosts(std::shared_ptr<const HostSet> source) {
  if (source == source_) return;
  keep_healthy_ones(*source);
  source_ = std::move(source);
  merge();
  if (!told_ready_) settle_soon();
}

// Who passes its checks may still be at work: what a source forgets is not gone. Outlier detection
// has no say in this, as in Envoy.
void ClusterHealth::keep_healthy_ones(const HostSet& source) {
  std::unordered_set<std::string> named;
  for (const Endpoint& endpoint : source.endpoints) named.insert(endpoint_key(endpoint));
  std::vector<Kept> kept;
  for (const Endpoint& endpoint : merged_.endpoints) {
    if (endpoint.logical || named.contains(endpoint_key(endpoint)) || !is_kept(endpoint)) continue;
    const bool known = endpoint.locality < merged_.localities.size();
    kept.push_back({endpoint, known ? merged_.localities[endpoint.locality] : LocalityInfo()});
  }
  kept_ = std::move(kept);
}

bool ClusterHealth::is_kept(const Endpoint& endpoint) const {
  if (config_->removes_regardless_of_health || endpoint.health == Health::kUnhealthy) return false;
  const CheckState* state = state_of(endpoint_key(endpoint));
  return state != nullptr && !state->failed();
}

const CheckState* ClusterHealth::state_of(const std::string& key) const {
  return checker_ == nullptr ? nullptr : checker_->find(key);
}

void ClusterHealth::drop_failed_ones() {
  const size_t dropped =
      std::erase_if(kept_, [this](const Kept& one) { return !is_kept(one.endpoint); });
  if (dropped == 0) return;
  merge();
  dirty_ = true;
}

namespace {

uint32_t index_of(const LocalityInfo& wanted, std::vector<LocalityInfo>& localities) {
  const auto found =
      std::find_if(localities.begin(), localities.end(), [&](const LocalityInfo& one) {
        return one.locality == wanted.locality && one.priority == wanted.priority;
      });
  if (found != localities.end()) return static_cast<uint32_t>(found - localities.begin());
  localities.push_back(wanted);
  return static_cast<uint32_t>(localities.size() - 1);
}

}  // namespace

void ClusterHealth::merge() {
  merged_ = *source_;
  for (const Kept& one : kept_) {
    Endpoint kept = one.endpoint;
    kept.locality = index_of(one.locality, merged_.localities);
    merged_.endpoints.push_back(std::move(kept));
  }
  hosts_ = nullptr;
  if (checker_ != nullptr) checker_->set_targets(merged_);
  note_places();
}

void ClusterHealth::note_places() {
  std::unordered_map<std::string, Place> old;
  old.swap(places_);
  for (size_t i = 0; i < merged_.endpoints.size(); ++i) {
    const Endpoint& endpoint = merged_.endpoints[i];
    const std::string& key = endpoint_key(endpoint);
    Place& place = places_[key];
    place.address = endpoint.address;
    place.configured = endpoint.health;
    place.kept = i >= source_->endpoints.size();
    const auto known = old.find(key);
    if (place.feedback == nullptr && known != old.end())
      place.feedback = std::move(known->second.feedback);
    if (place.feedback == nullptr)
      place.feedback = std::make_shared<HostFeedback>(box_, key, config_->outlier);
  }
  if (outliers_ == nullptr) return;
  OutlierDetector::Hosts hosts;
  for (const auto& [key, place] : places_) hosts.emplace(key, place.feedback);
  outliers_->set_hosts(hosts);
}

// ---- what is found out about them ----

void ClusterHealth::checked(const std::string& key, CheckResult result, HealthChange change) {
  if (change == HealthChange::kChanged) {
    hosts_ = nullptr;
    dirty_ = true;
    if (checker_->find(key)->failed()) failed_.push_back(key);
  }
  if (told_ready_ ? change == HealthChange::kChanged : ready()) settle_soon();
  if (outliers_ != nullptr && succeeded(result) && outliers_->on_check_passed(key))
    outliers_changed();
}

void ClusterHealth::taken(const std::string& key, FeedbackBox::Note note) {
  if (note == FeedbackBox::Note::kImmediateFailure) {
    if (checker_ != nullptr) checker_->fail_passively(key);
    return;
  }
  const Ejection kind = note == FeedbackBox::Note::k5xx ? Ejection::kConsecutive5xx
                        : note == FeedbackBox::Note::kGatewayFailure
                            ? Ejection::kConsecutiveGatewayFailure
                            : Ejection::kConsecutiveLocalOriginFailure;
  if (outliers_->on_consecutive(key, kind, loop_.now_ms())) outliers_changed();
}

void ClusterHealth::sweep() {
  sweep_timer_.set(loop_.timers(), loop_.now_ms() + config_->outlier->interval_ms);
  if (outliers_->sweep(loop_.now_ms())) outliers_changed();
}

void ClusterHealth::outliers_changed() {
  hosts_ = nullptr;
  dirty_ = true;
  for (std::string& key : outliers_->take_ejected()) failed_.push_back(std::move(key));
  settle_soon();
}

// Many may change at a time: workers get them together.
void ClusterHealth::settle_soon() {
  if (!timer_.armed()) timer_.set(loop_.timers(), loop_.now_ms());
}

void ClusterHealth::on_timer(net::Timer& timer) {
  if (&timer == &sweep_timer_) return sweep();
  drop_failed_ones();
  if (!told_ready_) {
    if (!ready()) return;
    told_ready_ = true;
    dirty_ = false;
    failed_.clear();
    return events_.ready();
  }
  std::vector<net::Address> failed;
  for (const std::string& key : std::exchange(failed_, {}))
    if (const auto place = places_.find(key); place != places_.end())
      failed.push_back(place->second.address);
  if (std::exchange(dirty_, false)) events_.changed(failed);
}

// ---- what comes of it ----

std::shared_ptr<const HostSet> ClusterHealth::hosts() {
  if (hosts_ != nullptr) return hosts_;
  HostSet out = merged_;
  std::unordered_map<const Endpoint*, Shown> shown;
  for (size_t i = 0; i < out.endpoints.size(); ++i) {
    const Endpoints::Shared& source = merged_.endpoints.shared(i);
    out.endpoints.replace(i, as_shown(*source));
    shown.emplace(source.get(), Shown{source, out.endpoints.shared(i)});
  }
  shown_ = std::move(shown);
  hosts_ = std::make_shared<const HostSet>(std::move(out));
  return hosts_;
}

// An endpoint with what is known of it; the same object as before if that is the same.
Endpoints::Shared ClusterHealth::as_shown(const Endpoint& source) {
  const std::string& key = endpoint_key(source);
  const Health health = health_of(source);
  const std::shared_ptr<HostFeedback>& feedback = places_[key].feedback;
  // Slow start counts from when an endpoint became fit.
  const int64_t added_ms = checker_ == nullptr
                               ? source.added_ms
                               : std::max(source.added_ms, checker_->healthy_since_ms(key));
  if (const auto before = shown_.find(&source); before != shown_.end()) {
    const Endpoint& known = *before->second.shown;
    if (known.health == health && known.feedback == feedback && known.added_ms == added_ms)
      return before->second.shown;
  }
  Endpoint out = source;
  out.health = health;
  out.feedback = feedback;
  out.added_ms = added_ms;
  return std::make_shared<const Endpoint>(std::move(out));
}

Health ClusterHealth::health_of(const Endpoint& endpoint) const {
  const std::string& key = endpoint_key(endpoint);
  const CheckState* state = state_of(key);
  if (state != nullptr && (state->waiting() || state->excluded())) return Health::kExcluded;
  if (state != nullptr && state->failed()) return Health::kUnhealthy;
  if (outliers_ != nullptr && outliers_->ejected(key)) return Health::kUnhealthy;
  return state != nullptr && state->degraded() && endpoint.health == Health::kHealthy
             ? Health::kDegraded
             : endpoint.health;
}

HealthFlags ClusterHealth::flags(const Endpoint& endpoint) const {
  HealthFlags out;
  const std::string& key = endpoint_key(endpoint);
  if (const auto place = places_.find(key); place != places_.end()) {
    out.configured = place->second.configured;
    out.awaits_removal = place->second.kept;
  }
  if (outliers_ != nullptr) {
    out.failed_outlier = outliers_->ejected(key);
    out.success_rate = outliers_->success_rate(key, HostFeedback::Origin::kExternal);
    out.local_origin_success_rate = outliers_->success_rate(key, HostFeedback::Origin::kLocal);
  }
  const CheckState* state = state_of(key);
  if (state == nullptr) return out;
  out.failed_active = state->failed();
  out.timed_out = state->timed_out();
  out.degraded_active = state->degraded();
  out.waits_for_check = state->waiting();
  out.excluded = state->excluded();
  return out;
}

}  // namespace weir::upstream
