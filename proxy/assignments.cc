#include "proxy/assignments.h"

#include <ctime>

#include "envoy/config/endpoint/v3/endpoint.pb.h"

namespace weir {

using envoy::config::endpoint::v3::ClusterLoadAssignment;
using xds::ResourceType;

void Assignments::use(const std::string& cluster, xds::Source& source, const std::string& service,
                      int64_t initial_fetch_timeout_ms) {
  const Key key{&source, service};
  const auto old = by_cluster_.find(cluster);
  if (old == by_cluster_.end() || old->second != key) {
    drop(cluster);
    by_cluster_[cluster] = key;
    entries_[key].clusters.insert(cluster);
    handlers_.attach(source, ResourceType::kEndpoint);
    source.subscribe(ResourceType::kEndpoint, service, initial_fetch_timeout_ms);
  }
  publish_known(entries_[key], cluster);
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
  if (auto hosts = events_.compile(cluster, assignment, diagnostics))
    events_.publish(cluster, std::move(hosts));
  else
    events_.absent(cluster);
}

void Assignments::drop(const std::string& cluster) {
  const auto found = by_cluster_.find(cluster);
  if (found == by_cluster_.end()) return;
  const Key key = found->second;
  by_cluster_.erase(found);
  key.first->unsubscribe(ResourceType::kEndpoint, key.second);
  Entry& entry = entries_[key];
  entry.clusters.erase(cluster);
  if (entry.clusters.empty()) entries_.erase(key);
}

std::vector<xds::Rejection> Assignments::apply(xds::Source& source, const xds::Update& update) {
  return apply_each(
      entries_, source, update, [&](const std::string& name) { absent(source, update.type, name); },
      [&](Entry& entry, const xds::Resource& resource) { return apply_one(entry, resource); });
}

// All clusters, or none: nothing is half applied.
std::string Assignments::apply_one(Entry& entry, const xds::Resource& resource) {
  ClusterLoadAssignment assignment;
  config::Diagnostics diagnostics;
  if (!reader_.read(*resource.content, assignment, diagnostics)) return error_text(diagnostics);
  std::vector<std::pair<std::string, HostSetPtr>> compiled;
  for (const std::string& cluster : entry.clusters) {
    HostSetPtr hosts = events_.compile(cluster, assignment, diagnostics);
    if (hosts == nullptr) return error_text(diagnostics);
    compiled.emplace_back(cluster, std::move(hosts));
  }
  entry.last = resource;
  entry.absent = false;
  entry.updated_s = std::time(nullptr);
  for (auto& [cluster, hosts] : compiled) events_.publish(cluster, std::move(hosts));
  return {};
}

// Endpoints that were there stay: they go with their cluster, not with a moment's silence.
void Assignments::absent(xds::Source& source, ResourceType /*type*/, const std::string& name) {
  const auto found = entries_.find({&source, name});
  if (found == entries_.end() || found->second.last.content != nullptr) return;
  found->second.absent = true;
  const std::set<std::string> clusters = found->second.clusters;
  for (const std::string& cluster : clusters) events_.absent(cluster);
}

void Assignments::describe(std::vector<DynamicResource>& out) const {
  for (const auto& [key, entry] : entries_)
    if (entry.last.content != nullptr)
      out.push_back({ResourceType::kEndpoint, key.second, entry.last.version, entry.updated_s,
                     entry.last.content});
}

}  // namespace weir
