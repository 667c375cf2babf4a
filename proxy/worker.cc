#include "proxy/worker.h"

#include <time.h>

#include <algorithm>

#include "proxy/request.h"

namespace weir {

Worker::Worker(uint32_t index, stats::Shard& stats, int64_t drain_ms)
    : stats_(stats), index_(index), drain_ms_(drain_ms) {}

Worker::~Worker() = default;

void Worker::start() {
  thread_ = std::thread([this] { loop_.run(); });
}

void Worker::join() {
  if (thread_.joinable()) thread_.join();
}

// ---- clusters ----

upstream::WorkerCluster* Worker::cluster(std::string_view name) {
  if (last_cluster_ != nullptr && last_cluster_->config().name == name) return last_cluster_;
  const auto found = clusters_.find(name);
  if (found == clusters_.end()) return nullptr;
  return last_cluster_ = found->second.get();
}

void Worker::set_cluster(const PublishedCluster& published) {
  last_cluster_ = nullptr;
  auto& place = clusters_[published.cluster->config->name];
  auto next = std::make_unique<upstream::WorkerCluster>(published.cluster, published.plan,
                                                        published.hosts, loop_, stats_);
  if (place != nullptr) {
    next->take_drop_counts(*place);
    place->drain();
    old_clusters_.push_back(std::move(place));
    sweep_later();
  }
  place = std::move(next);
}

void Worker::remove_cluster(const std::string& name) {
  last_cluster_ = nullptr;
  const auto found = clusters_.find(name);
  if (found == clusters_.end()) return;
  found->second->drain();
  old_clusters_.push_back(std::move(found->second));
  clusters_.erase(found);
  sweep_later();
}

void Worker::update_hosts(const std::string& name, std::shared_ptr<const upstream::HostSet> hosts,
                          std::shared_ptr<const upstream::BalancerPlan> plan) {
  if (upstream::WorkerCluster* found = cluster(name))
    found->update(std::move(plan), std::move(hosts));
}

void Worker::hosts_failed(const std::string& name, const std::vector<net::Address>& failed) {
  upstream::WorkerCluster* found = cluster(name);
  if (found == nullptr) return;
  found->drain_hosts(failed);
  if (!found->config().closes_on_failure) return;
  // From the end, because one that closes is replaced by the last one.
  for (size_t i = relays_.size(); i > 0; --i) {
    if (i > relays_.size()) continue;
    TcpRelay& relay = *relays_[i - 1];
    const upstream::Host* host = relay.host();
    if (host != nullptr && &host->cluster() == found &&
        std::find(failed.begin(), failed.end(), host->endpoint().address) != failed.end())
      relay.close();
  }
}

void Worker::report(std::map<std::string, std::vector<HostReport>>& into) const {
  for (const auto& [name, cluster] : clusters_) {
    std::vector<HostReport>* reports = nullptr;
    for (const auto& host : cluster->worker_hosts()) {
      if (host == nullptr) continue;
      if (reports == nullptr) reports = &into[name];
      reports->push_back({host->shared_endpoint(), host->index, host->counters, host->connections(),
                          host->attached});
    }
  }
}

// ---- listeners ----

void Worker::set_listener(std::shared_ptr<const ListenerConfig> config, std::vector<int> sockets) {
  auto& place = listeners_[config->name];
  if (place != nullptr && sockets.empty()) {
    place->replace(std::move(config));
    return;
  }
  if (place != nullptr) {
    place->stop_accepting(true);
    place->hand_over_entrance();
  }
  place = std::make_unique<WorkerListener>(*this, std::move(config), std::move(sockets));
}

void Worker::remove_listener(const std::string& name) {
  const auto found = listeners_.find(name);
  if (found == listeners_.end()) return;
  found->second->stop_accepting(true);
  found->second->hand_over_entrance();
  listeners_.erase(found);
}

void Worker::retire_entrance(std::unique_ptr<Entrance> entrance) {
  entrance->drain(drain_ms_);
  old_entrances_.push_back({std::move(entrance), loop_.now_ms() + drain_ms_});
  sweep_later();
}

void Worker::sweep_later() {
  if (!sweep_timer_.armed()) sweep_timer_.set(loop_.timers(), loop_.now_ms() + kSweepMs);
}

void Worker::on_timer(net::Timer& timer) {
  if (&timer == &drain_timer_) return drain_tick();
  sweep();
}

// What was replaced goes when nothing needs it any more, or when its time is over.
void Worker::sweep() {
  const int64_t now_ms = loop_.now_ms();
  bool more = false;
  for (auto& [name, listener] : listeners_) more |= listener->sweep(now_ms);
  std::erase_if(old_entrances_, [&](OldEntrance& old) {
    if (now_ms >= old.close_at_ms) old.entrance->close_all();
    if (old.entrance->connections() > 0) return false;
    loop_.retire(std::move(old.entrance));
    return true;
  });
  // A few at a time: thousands that were replaced at once would hold requests up.
  constexpr size_t kClustersPerTurn = 128;
  size_t most = kClustersPerTurn;
  std::erase_if(old_clusters_, [&](auto& cluster) {
    if (most == 0 || !cluster->unused()) return false;
    --most;
    loop_.retire(std::move(cluster));
    return true;
  });
  if (most == 0) return sweep_timer_.set(loop_.timers(), now_ms + 1);
  if (more || !old_entrances_.empty() || !old_clusters_.empty()) sweep_later();
}

bool Worker::has_relays(const Entrance& entrance, const TcpProxyConfig* only) const {
  return std::any_of(relays_.begin(), relays_.end(), [&](const auto& relay) {
    return &relay->entrance() == &entrance && (only == nullptr || &relay->config() == only);
  });
}

void Worker::close_relays(const Entrance& entrance, const TcpProxyConfig* only) {
  // From the end, because one that closes is replaced by the last one.
  for (size_t i = relays_.size(); i > 0; --i) {
    if (i > relays_.size()) continue;
    TcpRelay& relay = *relays_[i - 1];
    if (&relay.entrance() == &entrance && (only == nullptr || &relay.config() == only))
      relay.close();
  }
}

// ---- draining ----

template <class Visit>
void Worker::each_listener(Which which, Visit visit) {
  for (auto& [name, listener] : listeners_)
    if (which == Which::kAll || listener->config().inbound) visit(*listener);
}

void Worker::stop_listeners(Which which, bool take_waiting) {
  each_listener(which, [&](WorkerListener& one) { one.stop_accepting(take_waiting); });
}

void Worker::begin_drain(Which which, int64_t time_ms, DrainStrategy strategy) {
  idle_grace_ms_ = std::min(kIdleGraceMs, std::max(time_ms, kLastGraceMs));
  each_listener(which, [&](WorkerListener& one) { one.begin_drain(time_ms, strategy); });
  drain_tick();
}

// A connection that came last may have its request on the way: it gets a moment.
void Worker::drain() {
  draining_ = true;
  stop_listeners(Which::kAll, true);
  for (auto& [name, listener] : listeners_) listener->drain(kLastGraceMs);
  for (auto& old : old_entrances_) old.entrance->drain(kLastGraceMs);
  drain_timer_.set(loop_.timers(), loop_.now_ms() + kLastGraceMs);
}

void Worker::drain_tick() {
  if (draining_) {
    for (auto& [name, listener] : listeners_) listener->drain(0);
    for (auto& old : old_entrances_) old.entrance->drain(0);
    return;
  }
  bool more = false;
  for (auto& [name, listener] : listeners_) more |= listener->drain_more(idle_grace_ms_);
  if (more) drain_timer_.set(loop_.timers(), loop_.now_ms() + kDrainTickMs);
}

void Worker::close_connections() {
  for (auto& [name, listener] : listeners_) listener->close_connections();
  for (auto& old : old_entrances_) old.entrance->close_all();
  while (!relays_.empty()) relays_.back()->close();
}

size_t Worker::connections() const {
  size_t sum = 0;
  for (const auto& [name, listener] : listeners_) sum += listener->connections();
  for (const auto& old : old_entrances_) sum += old.entrance->connections();
  return sum;
}

bool Worker::has_older_connections() const {
  const auto in_use = [](const OldEntrance& old) { return old.entrance->connections() > 0; };
  const auto has_older = [](const auto& item) { return item.second->has_older_connections(); };
  return std::any_of(old_entrances_.begin(), old_entrances_.end(), in_use) ||
         std::any_of(listeners_.begin(), listeners_.end(), has_older);
}

// ---- requests ----

Request& Worker::take_request() {
  if (free_requests_.empty()) {
    requests_.push_back(std::make_unique<Request>(*this));
    return *requests_.back();
  }
  Request& request = *free_requests_.back();
  free_requests_.pop_back();
  return request;
}

void Worker::take_back(Request& request) {
  request.recycle();
  free_requests_.push_back(&request);
}

void Worker::log(const http::AccessLogs& logs, const http::FormatInput& input) {
  logs.log(input, index_, loop_.random(), log_scratch_);
}

namespace {

// Moves an object out of a list of objects that know their own places.
template <class T>
std::unique_ptr<T> take_out(std::vector<std::unique_ptr<T>>& list, uint32_t slot) {
  std::unique_ptr<T> out = std::move(list[slot]);
  if (slot + 1 < list.size()) {
    list[slot] = std::move(list.back());
    list[slot]->slot = slot;
  }
  list.pop_back();
  return out;
}

}  // namespace

Shadow& Worker::add_shadow(std::unique_ptr<Shadow> shadow) {
  shadow->slot = static_cast<uint32_t>(shadows_.size());
  shadows_.push_back(std::move(shadow));
  return *shadows_.back();
}

void Worker::remove_shadow(Shadow& shadow) {
  loop_.retire(take_out(shadows_, shadow.slot));
}

void Worker::add_relay(std::unique_ptr<TcpRelay> relay) {
  relay->slot = static_cast<uint32_t>(relays_.size());
  relays_.push_back(std::move(relay));
}

void Worker::remove_relay(TcpRelay& relay) {
  loop_.retire(take_out(relays_, relay.slot));
}

std::string_view Worker::date() {
  const int64_t second = loop_.wall_us() / 1'000'000;
  if (second != date_second_) {
    date_second_ = second;
    const time_t at = static_cast<time_t>(second);
    tm parts;
    gmtime_r(&at, &parts);
    strftime(date_, sizeof(date_), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  }
  return {date_, 29};
}

}  // namespace weir
