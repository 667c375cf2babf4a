#include "proxy/assignments.h"

#include <ctime>

#include "envoy/config/endpoint/v3/endpoint.pb.h"
#include "proxy/base/duration.h"

namespace weir {

using envoy::config::endpoint::v3::ClusterLoadAssignment;
using xds::ResourceType;

namespace {

// Nobody waits for ever for what is known, as initial_fetch_timeout 0 would have it.
constexpr int64_t kMaxRefreshMs = 15'000;

}  // namespace

Assignments::Assignments(net::Loop& loop, ResourceReader& reader, Events events)
    : loop_(loop),
      reader_(reader),
      events_(std::move(events)),
      handlers_([this](auto& source, auto& update) { return apply(source, update); },
                [this](auto& source, auto, auto& name) { absent(source, name); },
                [this](auto& source, auto, auto& names) { unchanged(source, names); }) {}

// ---- who asks ----

void Assignments::use(const std::string& cluster, xds::Source& source, const std::string& service,
                      int64_t initial_fetch_timeout_ms) {
  const Key key{&source, service};
  const auto old = by_cluster_.find(cluster);
  if (old != by_cluster_.end() && old->second == key)
    return ask_again(cluster, key, initial_fetch_timeout_ms);
  drop(cluster);
  by_cluster_[cluster] = key;
  entries_[key].clusters.insert(cluster);
  handlers_.attach(source, ResourceType::kEndpoint);
  source.subscribe(ResourceType::kEndpoint, service, initial_fetch_timeout_ms);
  publish_known(entries_[key], cluster);
}

void Assignments::ask_again(const std::string& cluster, const Key& key, int64_t timeout_ms) {
  Entry& entry = entries_[key];
  const bool known = entry.last.content != nullptr;
  if (!known && !entry.absent) return;  // the first one is still to come
  entry.waiting.insert(cluster);
  if (known && timeout_ms == 0) timeout_ms = kMaxRefreshMs;
  key.first->refresh(ResourceType::kEndpoint, key.second, timeout_ms);
}

void Assignments::publish_known(const Entry& entry, const std::string& cluster) {
  if (entry.last.content == nullptr) {
    if (entry.absent) events_.absent(cluster);
    return;
  }
  ClusterLoadAssignment assignment;
  config::Diagnostics diagnostics;
  if (!reader_.read(*entry.last.content, assignment, diagnostics)) return;
  // What was right for one cluster may not be for another, or for its new version.
  HostSetPtr hosts = events_.compile(cluster, assignment, diagnostics);
  if (hosts == nullptr) return events_.absent(cluster);
  if (entry.stale)
    hosts = std::make_shared<const upstream::HostSet>(upstream::without_endpoints(*hosts));
  events_.publish(cluster, std::move(hosts));
}

void Assignments::drop(const std::string& cluster) {
  const auto found = by_cluster_.find(cluster);
  if (found == by_cluster_.end()) return;
  const Key key = found->second;
  by_cluster_.erase(found);
  key.first->unsubscribe(ResourceType::kEndpoint, key.second);
  Entry& entry = entries_[key];
  entry.clusters.erase(cluster);
  entry.waiting.erase(cluster);
  if (entry.clusters.empty()) entries_.erase(key);
}

// ---- what comes ----

std::vector<xds::Rejection> Assignments::apply(xds::Source& source, const xds::Update& update) {
  return apply_each(
      entries_, source, update, [&](const std::string& name) { absent(source, name); },
      [&](Entry& entry, const xds::Resource& resource) {
        return apply_one({&source, resource.name}, entry, resource);
      });
}

// All clusters, or none: nothing is half applied.
std::string Assignments::apply_one(const Key& key, Entry& entry, const xds::Resource& resource) {
  ClusterLoadAssignment assignment;
  config::Diagnostics diagnostics;
  const auto refuse = [&] {
    for (const std::string& cluster : entry.clusters) events_.came(cluster, false);
    return error_text(diagnostics);
  };
  if (!reader_.read(*resource.content, assignment, diagnostics)) return refuse();
  std::vector<std::pair<std::string, HostSetPtr>> compiled;
  for (const std::string& cluster : entry.clusters) {
    HostSetPtr hosts = events_.compile(cluster, assignment, diagnostics);
    if (hosts == nullptr) return refuse();
    compiled.emplace_back(cluster, std::move(hosts));
  }
  entry.last = resource;
  entry.absent = false;
  entry.waiting.clear();
  entry.updated_s = std::time(nullptr);
  entry.stale_after_ms = to_ms(assignment.policy().endpoint_stale_after());
  begin_lease(key, entry);
  for (auto& [cluster, hosts] : compiled) {
    events_.came(cluster, true);
    events_.publish(cluster, std::move(hosts));
  }
  return {};
}

void Assignments::unchanged(xds::Source& source, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    const Key key{&source, name};
    const auto found = entries_.find(key);
    if (found == entries_.end() || found->second.last.content == nullptr) continue;
    Entry& entry = found->second;
    const bool was_stale = entry.stale;
    begin_lease(key, entry);
    const std::set<std::string> waiting = std::exchange(entry.waiting, {});
    const std::set<std::string> clusters = was_stale ? entry.clusters : waiting;
    for (const std::string& cluster : clusters) publish_known(entry, cluster);
  }
}

// Endpoints that were there stay: they go with their cluster, not with a moment's silence. So a
// version of a cluster that waits for others takes them.
void Assignments::absent(xds::Source& source, const std::string& name) {
  const auto found = entries_.find({&source, name});
  if (found == entries_.end()) return;
  Entry& entry = found->second;
  std::set<std::string> clusters = std::exchange(entry.waiting, {});
  if (entry.last.content == nullptr) {
    entry.absent = true;
    clusters = entry.clusters;
  }
  for (const std::string& cluster : clusters) publish_known(entry, cluster);
}

// ---- how long it may be used ----

void Assignments::begin_lease(const Key& key, Entry& entry) {
  entry.stale = false;
  entry.lease = nullptr;
  if (entry.stale_after_ms == 0) return;
  entry.lease =
      std::make_unique<Later>(loop_, entry.stale_after_ms, [this, key] { end_lease(key); });
  for (const std::string& cluster : entry.clusters) events_.lease_began(cluster);
}

void Assignments::end_lease(const Key& key) {
  Entry& entry = entries_[key];
  entry.stale = true;
  const std::set<std::string> clusters = entry.clusters;
  for (const std::string& cluster : clusters) events_.stale(cluster, key.second);
}

// ---- what is told ----

void Assignments::describe(std::vector<DynamicResource>& out) const {
  for (const auto& [key, entry] : entries_)
    if (entry.last.content != nullptr)
      out.push_back({ResourceType::kEndpoint, key.second, entry.last.version, entry.updated_s,
                     entry.last.content});
}

}  // namespace weir
