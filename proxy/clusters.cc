#include "proxy/clusters.h"

#include <algorithm>
#include <ctime>
#include <utility>

#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/core/v3/config_source.pb.h"
#include "envoy/config/endpoint/v3/endpoint.pb.h"
#include "proxy/control_planes.h"
#include "proxy/tls/transport_socket.h"
#include "proxy/upstream/balancer_plan.h"

namespace weir {

using upstream::ClusterConfig;
using upstream::HostSet;
using xds::ResourceType;

namespace {

template <class Holds>
bool all_tls(const ClusterConfig& config, Holds holds) {
  if (config.tls != nullptr && !holds(*config.tls)) return false;
  return std::all_of(config.transport_matches.begin(), config.transport_matches.end(),
                     [&](const auto& match) { return match.tls == nullptr || holds(*match.tls); });
}

// Whether its secrets are there, or are not waited for any longer.
bool settled(const ClusterConfig& config) {
  return all_tls(config, [](const tls::ClientTls& tls) { return tls.settled(); });
}

// Envoy's names for what came of asking for a name. A logical cluster needs an address.
const char* update_stat(const ClusterConfig& config, upstream::DnsAnswer::Status status) {
  using Status = upstream::DnsAnswer::Status;
  const bool logical = config.discovery == ClusterConfig::Discovery::kLogicalDns;
  const bool fine = status == Status::kFound || (status == Status::kNone && !logical);
  return fine ? "update_success" : "update_failure";
}

}  // namespace

Clusters::Clusters(const Needs& needs)
    : needs_(needs),
      handlers_([this](auto& source, auto& update) { return apply(source, update); },
                [this](auto&, auto, auto&) { loaded(); }),
      assignments_(
          needs.loop, needs.reader,
          {.compile = [this](auto& name, auto& message,
                             auto& errors) { return compile_assignment(name, message, errors); },
           .publish = [this](auto& name, auto hosts) { set_hosts(name, std::move(hosts)); },
           .absent = [this](auto& name) { set_hosts(name, std::make_shared<const HostSet>()); },
           .came =
               [this](auto& name, bool accepted) {
                 count_update(name, accepted ? "update_success" : "update_rejected");
               },
           .lease_began = [this](auto& name) { count_update(name, "assignment_timeout_received"); },
           .stale =
               [this](auto& name, auto& service) {
                 count_update(name, "assignment_stale");
                 take_stale_hosts(name, service);
               }}),
      added_(needs.stats.counter("cluster_manager.cluster_added")),
      modified_(needs.stats.counter("cluster_manager.cluster_modified")),
      removed_(needs.stats.counter("cluster_manager.cluster_removed")),
      active_gauge_(needs.stats.gauge("cluster_manager.active_clusters")),
      warming_gauge_(needs.stats.gauge("cluster_manager.warming_clusters")) {}

Clusters::~Clusters() = default;

// ---- what there is to be ----

void Clusters::set_static(const Configs& configs, upstream::DnsResolvers resolvers) {
  resolvers_ = std::move(resolvers);
  // One cluster that is warm must not pass for all of those that are still to come.
  setting_static_ = true;
  std::vector<std::string> gone;
  for (const auto& [name, entry] : entries_)
    if (!entry.dynamic && !configs.contains(name)) gone.push_back(name);
  for (const std::string& name : gone) leave(name);
  // Also of those that a control plane has sent: the file's word counts.
  for (const auto& [name, config] : configs) put(config, false, {});
  setting_static_ = false;
  count();
}

bool Clusters::has(std::string_view name) const {
  const auto found = entries_.find(name);
  return found != entries_.end() && !found->second.leaving;
}

bool Clusters::has_dynamic(std::string_view name) const {
  const auto found = entries_.find(name);
  return found != entries_.end() && found->second.dynamic && !found->second.leaving;
}

// ---- what the bootstrap no longer has ----

// As it is in force: a version that warms will not be wanted.
void Clusters::leave(const std::string& name) {
  Entry& entry = entries_.find(name)->second;
  if (entry.cluster == nullptr) return remove(name);
  entry.leaving = true;
  if (entry.next == nullptr) return;
  --warming_;
  entry.next = nullptr;
  entry.next_hosts = nullptr;
  entry.next_resource = {};
  forget(std::move(entry.next_health));
  find_endpoints(entry.cluster->config);
}

void Clusters::let_go(int64_t latest_ms) {
  for (auto& [name, entry] : entries_)
    if (entry.leaving) entry.leave_by_ms = std::min(entry.leave_by_ms, latest_ms);
}

void Clusters::remove_let_go(bool unused) {
  const int64_t now_ms = needs_.loop.now_ms();
  std::vector<std::string> gone;
  for (const auto& [name, entry] : entries_)
    if (entry.leave_by_ms <= now_ms || (unused && entry.leave_by_ms != kNotYet))
      gone.push_back(name);
  for (const std::string& name : gone) remove(name);
  count();
}

bool Clusters::some_leave() const {
  return std::any_of(entries_.begin(), entries_.end(),
                     [](const auto& item) { return item.second.leaving; });
}

void Clusters::tell_warm() {
  if (told_warm_ && !setting_static_) told_warm_();
}

void Clusters::set_zone(upstream::Locality here, std::string local_cluster) {
  if (local_cluster != local_cluster_) zones_.local.clear();
  zones_.here = std::move(here);
  local_cluster_ = std::move(local_cluster);
}

void Clusters::put(std::shared_ptr<const ClusterConfig> config, bool dynamic,
                   xds::Resource resource) {
  const std::string name = config->name;
  const bool known = entries_.contains(name);
  Entry& entry = entries_[name];
  entry.dynamic = dynamic;
  entry.leaving = false;
  entry.leave_by_ms = kNotYet;
  const ClusterConfig* newest = entry.next != nullptr      ? entry.next.get()
                                : entry.cluster != nullptr ? entry.cluster->config.get()
                                                           : nullptr;
  if (newest != nullptr && newest->hash == config->hash) {
    (entry.next != nullptr ? entry.next_resource : entry.resource) = std::move(resource);
    return;
  }
  needs_.stats.main_shard().inc(known ? modified_ : added_);
  if (entry.next == nullptr) ++warming_;
  entry.next = config;
  entry.next_hosts = nullptr;
  forget(std::exchange(entry.next_health, watch_health(config)));
  entry.next_resource = std::move(resource);
  find_endpoints(config);
}

// May publish the cluster at once.
void Clusters::find_endpoints(const std::shared_ptr<const ClusterConfig>& found) {
  const ClusterConfig& config = *found;
  const std::string& name = config.name;
  if (discovery_ != nullptr && config.targets.empty()) discovery_->remove(name);
  if (config.discovery == ClusterConfig::Discovery::kEds) {
    const auto& eds = *config.eds_source;
    xds::Source* source = needs_.planes.source(eds, ResourceType::kEndpoint);
    return assignments_.use(name, *source, config.eds_service_name, fetch_timeout_ms(eds));
  }
  assignments_.drop(name);
  if (!config.targets.empty()) return discover(found);
  set_hosts(name, std::make_shared<const HostSet>(config.hosts));
}

void Clusters::discover(std::shared_ptr<const ClusterConfig> config) {
  if (discovery_ == nullptr) {
    upstream::DiscoveryEvents events;
    events.publish = [this](const std::string& name, auto hosts) {
      const auto found = entries_.find(name);
      if (found == entries_.end()) return;
      Entry& entry = found->second;
      if (entry.next == nullptr) return publish_hosts(entry, std::move(hosts));
      // A cluster that warms waits for all of its names.
      if (entry.next_health != nullptr && entry.next_health->started())
        entry.next_health->set_hosts(hosts);
      entry.next_hosts = std::move(hosts);
    };
    events.initialised = [this](const std::string& name) {
      const auto found = entries_.find(name);
      if (found == entries_.end() || found->second.next == nullptr) return;
      auto hosts = found->second.next_hosts;
      set_hosts(name, hosts != nullptr ? std::move(hosts) : std::make_shared<const HostSet>());
    };
    events.asked = [this](const std::string& name, upstream::DnsAnswer::Status status) {
      count_update(name, "update_attempt");
      if (const ClusterConfig* asking = newest(name))
        count_update(name, update_stat(*asking, status));
    };
    discovery_ = std::make_unique<upstream::Discovery>(needs_.loop, std::move(events));
  }
  discovery_->add(std::move(config));
}

void Clusters::remove(const std::string& name) {
  const auto found = entries_.find(name);
  if (found == entries_.end()) return;
  if (found->second.next != nullptr) --warming_;
  if (discovery_ != nullptr) discovery_->remove(name);
  assignments_.drop(name);
  if (found->second.cluster != nullptr)
    needs_.workers.each([name](Worker& worker) { worker.remove_cluster(name); });
  if (const auto main = main_clusters_.find(name);
      main != main_clusters_.end() && main->second.cluster != nullptr) {
    main->second.cluster->drain();
    main->second.old.push_back(std::move(main->second.cluster));
    sweep_main(main->second);
  }
  if (found->second.cluster != nullptr) --active_;
  retire(found->second);
  forget(std::move(found->second.health));
  forget(std::move(found->second.next_health));
  if (found->second.membership) found->second.membership->clear();
  entries_.erase(found);
  if (told_published_) told_published_(name, nullptr);
  needs_.stats.main_shard().inc(removed_);
  tell_warm();
}

// ---- warming ----

void Clusters::set_hosts(const std::string& name, std::shared_ptr<const HostSet> hosts) {
  const auto found = entries_.find(name);
  if (found == entries_.end()) return;
  if (found->second.next == nullptr) return publish_hosts(found->second, std::move(hosts));
  found->second.next_hosts = std::move(hosts);
  publish_if_warm(name);
}

void Clusters::publish_if_warm(const std::string& name) {
  const auto found = entries_.find(name);
  if (found == entries_.end()) return;
  Entry& entry = found->second;
  if (entry.next == nullptr || entry.next_hosts == nullptr) return;
  if (!settled(*entry.next)) return;
  if (entry.next_health != nullptr) {
    entry.next_health->set_hosts(entry.next_hosts);
    if (!entry.next_health->ready()) return;
  }
  publish(entry);
  tell_warm();
}

// Secrets that are missing are a control plane's, which is not asked before this is true.
bool Clusters::primary_warm() const {
  return std::none_of(entries_.begin(), entries_.end(), [](const auto& item) {
    const auto& next = item.second.next;
    return next != nullptr && next->discovery != ClusterConfig::Discovery::kEds && settled(*next);
  });
}

bool Clusters::static_warm(bool enough) const {
  return std::none_of(entries_.begin(), entries_.end(), [enough](const auto& item) {
    const Entry& entry = item.second;
    if (entry.dynamic || entry.next == nullptr) return false;
    const bool is_checked = entry.next_health != nullptr && entry.next_health->started();
    return !enough || (entry.cluster == nullptr && is_checked);
  });
}

void Clusters::publish_primary() {
  for (auto& [name, entry] : entries_) {
    if (entry.dynamic || entry.next == nullptr || entry.cluster != nullptr ||
        entry.next->discovery == ClusterConfig::Discovery::kEds)
      continue;
    // Checks have time limits of their own.
    if (entry.next_health != nullptr && entry.next_health->started()) continue;
    if (entry.next_hosts == nullptr) entry.next_hosts = std::make_shared<const HostSet>();
    publish(entry);
  }
}

void Clusters::publish(Entry& entry) {
  --warming_;
  if (entry.cluster == nullptr) ++active_;
  retire(entry);
  PublishedCluster published;
  published.cluster = std::make_shared<upstream::Cluster>(std::move(entry.next), needs_.stats,
                                                          needs_.workers.size(), drop_limit_);
  entry.cluster = published.cluster;
  entry.next = nullptr;
  entry.hosts = std::exchange(entry.next_hosts, nullptr);
  forget(std::exchange(entry.health, std::move(entry.next_health)));
  if (entry.health != nullptr) entry.health->set_hosts(entry.hosts);
  published.hosts = usable_hosts(entry);
  if (!entry.membership) entry.membership.emplace(needs_.stats, entry.cluster->config->stat_name);
  entry.membership->note(*published.hosts);
  published.plan = upstream::plan_balancing(published.cluster->config->balancing, published.hosts,
                                            nullptr, zones());
  entry.plan = published.plan;
  entry.resource = std::exchange(entry.next_resource, {});
  entry.updated_s = std::time(nullptr);
  needs_.workers.each([published](Worker& worker) { worker.set_cluster(published); });
  const std::string& name = entry.cluster->config->name;
  const auto main = main_clusters_.find(name);
  if (main != main_clusters_.end() && main->second.cluster != nullptr) {
    main->second.cluster->drain();
    main->second.old.push_back(std::move(main->second.cluster));
  }
  if (told_published_) told_published_(name, entry.cluster->config.get());
  count();
  note_zones(name, *published.hosts);
}

// What an entry had published goes when no worker uses it any more.
void Clusters::retire(Entry& entry) {
  needs_.last_owner.keep(std::move(entry.hosts));
  needs_.last_owner.keep(std::exchange(entry.plan, nullptr));
}

void Clusters::publish_hosts(Entry& entry, std::shared_ptr<const HostSet> hosts) {
  if (entry.cluster == nullptr) return;
  needs_.last_owner.keep(std::exchange(entry.hosts, std::move(hosts)));
  if (entry.health != nullptr) entry.health->set_hosts(entry.hosts);
  push_hosts(entry);
}

void Clusters::push_hosts(Entry& entry) {
  auto hosts = usable_hosts(entry);
  entry.membership->note(*hosts);
  const std::string& name = entry.cluster->config->name;
  auto plan =
      upstream::plan_balancing(entry.cluster->config->balancing, hosts, entry.plan, zones());
  needs_.last_owner.keep(std::exchange(entry.plan, plan));
  needs_.workers.each([=](Worker& worker) { worker.update_hosts(name, hosts, plan); });
  const auto main = main_clusters_.find(name);
  if (main != main_clusters_.end() && main->second.cluster != nullptr)
    main->second.cluster->update(std::move(plan), hosts);
  note_zones(name, *hosts);
}

// Every cluster's plan depends on how many there are of this process's own kind, and where.
void Clusters::note_zones(const std::string& name, const HostSet& hosts) {
  if (name != local_cluster_ || local_cluster_.empty()) return;
  std::vector<upstream::ZoneHosts> local = upstream::healthy_zones(hosts);
  if (local == zones_.local) return;
  zones_.local = std::move(local);
  for (auto& [other, entry] : entries_)
    if (entry.cluster != nullptr && entry.hosts->localities.size() > 1) push_hosts(entry);
}

// Without its secrets, none of a cluster's endpoints can be talked to: it has none for the workers.
std::shared_ptr<const HostSet> Clusters::usable_hosts(Entry& entry) {
  const bool ready =
      all_tls(*entry.cluster->config, [](const tls::ClientTls& tls) { return tls.ready(); });
  entry.withheld = !ready;
  if (!ready) return std::make_shared<const HostSet>(upstream::without_endpoints(*entry.hosts));
  return entry.health != nullptr ? entry.health->hosts() : entry.hosts;
}

// ---- health ----

std::unique_ptr<upstream::ClusterHealth> Clusters::watch_health(
    std::shared_ptr<const ClusterConfig> config) {
  const std::string name = config->name;
  upstream::ClusterHealth::Events events;
  events.ready = [this, name] {
    // It may have been published without waiting for this.
    health_changed(name, {});
    publish_if_warm(name);
  };
  events.changed = [this, name](const auto& failed) { health_changed(name, failed); };
  return upstream::ClusterHealth::make(needs_.loop, needs_.stats, std::move(config),
                                       std::move(events));
}

void Clusters::health_changed(const std::string& name, const std::vector<net::Address>& failed) {
  const auto found = entries_.find(name);
  if (found == entries_.end() || found->second.cluster == nullptr) return;
  push_hosts(found->second);
  if (failed.empty()) return;
  needs_.workers.each([name, failed](Worker& worker) { worker.hosts_failed(name, failed); });
  const auto main = main_clusters_.find(name);
  if (main != main_clusters_.end() && main->second.cluster != nullptr)
    main->second.cluster->drain_hosts(failed);
}

// It may be the one that is just telling.
void Clusters::forget(std::unique_ptr<upstream::ClusterHealth> health) {
  if (health == nullptr) return;
  health->stop();
  needs_.loop.retire(std::move(health));
}

void Clusters::secrets_settled() {
  std::vector<std::string> names;
  for (const auto& [name, entry] : entries_)
    if (entry.next != nullptr || entry.withheld) names.push_back(name);
  for (const std::string& name : names) {
    publish_if_warm(name);
    const auto found = entries_.find(name);
    if (found != entries_.end() && found->second.withheld) {
      const auto hosts = found->second.hosts;
      publish_hosts(found->second, hosts);
    }
  }
}

std::shared_ptr<const HostSet> Clusters::compile_assignment(
    const std::string& name, const envoy::config::endpoint::v3::ClusterLoadAssignment& message,
    config::Diagnostics& diagnostics) const {
  const auto found = entries_.find(name);
  if (found == entries_.end()) return nullptr;
  const Entry& entry = found->second;
  const ClusterConfig& config = entry.next != nullptr ? *entry.next : *entry.cluster->config;
  return upstream::compile_assignment(config, message, config::FieldPath::root(), entry.hosts.get(),
                                      needs_.loop.now_ms(), diagnostics);
}

// ---- endpoints that nobody has confirmed in time ----

// The version that warms, or else the one in force; null: there is no such cluster.
const ClusterConfig* Clusters::newest(const std::string& name) const {
  const auto found = entries_.find(name);
  if (found == entries_.end()) return nullptr;
  const Entry& entry = found->second;
  return entry.next != nullptr ? entry.next.get() : entry.cluster->config.get();
}

void Clusters::count_update(const std::string& name, const char* what) {
  const ClusterConfig* config = newest(name);
  if (config == nullptr) return;
  needs_.stats.main_shard().inc(needs_.stats.counter("cluster." + config->stat_name + "." + what));
}

// Of the version in force, and of one that has them already and waits for something else.
void Clusters::take_stale_hosts(const std::string& name, const std::string& service) {
  const auto found = entries_.find(name);
  if (found == entries_.end()) return;
  Entry& entry = found->second;
  const auto stale = [](const HostSet& hosts) {
    return std::make_shared<const HostSet>(upstream::without_endpoints(hosts));
  };
  if (entry.cluster != nullptr && entry.cluster->config->eds_service_name == service)
    publish_hosts(entry, stale(*entry.hosts));
  if (entry.next != nullptr && entry.next_hosts != nullptr)
    set_hosts(name, stale(*entry.next_hosts));
}

// ---- on the main thread's loop ----

upstream::WorkerCluster* Clusters::on_main_loop(const std::string& name) {
  const auto found = entries_.find(name);
  if (found == entries_.end() || found->second.cluster == nullptr) return nullptr;
  Entry& entry = found->second;
  MainCluster& main = main_clusters_[name];
  sweep_main(main);
  if (main.cluster == nullptr)
    main.cluster = std::make_unique<upstream::WorkerCluster>(
        entry.cluster, entry.plan, entry.plan->shared_hosts(), needs_.loop,
        needs_.stats.main_shard());
  return main.cluster.get();
}

void Clusters::sweep_main(MainCluster& main) {
  std::erase_if(main.old, [this](auto& cluster) {
    if (!cluster->unused()) return false;
    needs_.loop.retire(std::move(cluster));
    return true;
  });
}

// ---- CDS ----

void Clusters::subscribe(xds::Source& source, int64_t initial_fetch_timeout_ms,
                         std::function<void()> loaded) {
  told_loaded_ = std::move(loaded);
  handlers_.attach(source, ResourceType::kCluster);
  source.subscribe(ResourceType::kCluster, "*", initial_fetch_timeout_ms);
}

void Clusters::loaded() {
  if (told_loaded_) std::exchange(told_loaded_, {})();
}

// Endpoints and secrets are asked for when all clusters of the answer are known.
std::vector<xds::Rejection> Clusters::apply(xds::Source& source, const xds::Update& update) {
  std::vector<xds::Rejection> rejections;
  for (const ResourceType type : {ResourceType::kEndpoint, ResourceType::kSecret})
    source.pause(type);
  for (const xds::Resource& resource : update.added) {
    std::string errors = add(resource);
    if (!errors.empty()) rejections.push_back({resource.name, std::move(errors)});
  }
  // Last, so that endpoints which another cluster takes over are asked for all the time.
  for (const std::string& name : update.removed) {
    const auto found = entries_.find(name);
    if (found != entries_.end() && found->second.dynamic) remove(name);
  }
  for (const ResourceType type : {ResourceType::kEndpoint, ResourceType::kSecret})
    source.resume(type);
  count();
  loaded();
  return rejections;
}

std::string Clusters::add(const xds::Resource& resource) {
  const auto old = entries_.find(resource.name);
  if (old != entries_.end() && !old->second.dynamic && !old->second.leaving)
    return "the bootstrap has a cluster of this name, which a control plane cannot change";
  envoy::config::cluster::v3::Cluster message;
  config::Diagnostics diagnostics;
  if (!needs_.reader.read(*resource.content, message, diagnostics)) return error_text(diagnostics);
  const config::FieldPath root = config::FieldPath::root();
  auto config = upstream::compile_cluster(message, root, diagnostics, resolvers_,
                                          {&needs_.secrets, &needs_.stats, &needs_.logs});
  if (config != nullptr && config->eds_source != nullptr) {
    const config::FieldPath eds = root.field("eds_cluster_config");
    if (!needs_.planes.check(
            *config->eds_source, ResourceType::kEndpoint, eds.field("eds_config"),
            [this](const std::string& name) { return has(name); }, diagnostics))
      config = nullptr;
  }
  if (config != nullptr && config->lrs_source != nullptr &&
      !needs_.planes.check_load_server(
          *config->lrs_source, false, root.field("lrs_server"),
          [this](const std::string& name) { return has(name); }, diagnostics))
    config = nullptr;
  if (config == nullptr) return error_text(diagnostics);
  put(std::move(config), true, resource);
  return {};
}

// ---- what is told ----

void Clusters::count() {
  needs_.stats.set(active_gauge_, static_cast<int64_t>(active_));
  needs_.stats.set(warming_gauge_, static_cast<int64_t>(warming_));
}

std::vector<Clusters::State> Clusters::states() const {
  std::vector<State> out;
  for (const auto& [name, entry] : entries_)
    if (entry.cluster != nullptr)
      out.push_back({entry.cluster->config,
                     entry.health != nullptr ? entry.health->hosts() : entry.hosts, entry.dynamic,
                     entry.health.get()});
  return out;
}

std::vector<const upstream::Cluster*> Clusters::published() const {
  std::vector<const upstream::Cluster*> out;
  for (const auto& [name, entry] : entries_)
    if (entry.cluster != nullptr) out.push_back(entry.cluster.get());
  return out;
}

void Clusters::describe(std::vector<DynamicResource>& out) const {
  for (const auto& [name, entry] : entries_) {
    if (!entry.dynamic) continue;
    const auto add = [&](const xds::Resource& resource, bool warming) {
      if (resource.content != nullptr)
        out.push_back({ResourceType::kCluster, name, resource.version, entry.updated_s,
                       resource.content, warming});
    };
    add(entry.resource, false);
    if (entry.next != nullptr) add(entry.next_resource, true);
  }
  assignments_.describe(out);
}

}  // namespace weir
