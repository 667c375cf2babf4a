#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/assignments.h"
#include "proxy/dynamic_resource.h"
#include "proxy/last_owner.h"
#include "proxy/resource_reader.h"
#include "proxy/source_handlers.h"
#include "proxy/tls/secrets.h"
#include "proxy/upstream/cluster.h"
#include "proxy/upstream/cluster_health.h"
#include "proxy/upstream/discovery.h"
#include "proxy/upstream/membership.h"
#include "proxy/upstream/zone_routing.h"
#include "proxy/workers.h"

namespace weir {

class ControlPlanes;

// The clusters of the process: those of the bootstrap, and those that a control plane sends (CDS).
// A cluster is published to the workers when it is warm, that is, when its endpoints were found for
// the first time, its secrets are there, and each endpoint was checked once if the cluster has a
// health check; until then the version before it serves. Main thread.
class Clusters {
 public:
  using Configs = std::map<std::string, std::shared_ptr<const upstream::ClusterConfig>>;

  struct Needs {
    net::Loop& loop;
    stats::Registry& stats;
    Workers& workers;
    LastOwner& last_owner;
    ResourceReader& reader;
    tls::Secrets& secrets;
    stats::LogWriters& logs;
    ControlPlanes& planes;
  };
  explicit Clusters(const Needs& needs);
  ~Clusters();
  Clusters(const Clusters&) = delete;
  Clusters& operator=(const Clusters&) = delete;

  // Of what control planes say, at most that share of requests is dropped (drop_overloads).
  void set_drop_limit(uint64_t percent) { drop_limit_->set_percent(percent); }
  // The clusters of the bootstrap, in place of those that it had before. What is the same stays.
  // What is no longer among them stays in force, for connections that know routes to it.
  // `resolvers` are asked for names by clusters that name none, those that come later too.
  void set_static(const Configs& configs, upstream::DnsResolvers resolvers = {});
  // New connections know no routes any more to what set_static has left out: it stays until then,
  // by the loop's clock, at the longest.
  void let_go(int64_t latest_ms);
  // Removes what was let go: all of it when that is unused, or else what had its time.
  void remove_let_go(bool unused);
  bool some_leave() const;  // that set_static has left out
  // Where this process is, and the cluster of the bootstrap that it belongs to, if any: requests to
  // other clusters stay in the zone as far as they can. Before set_static.
  void set_zone(upstream::Locality here, std::string local_cluster);
  // Asks for further ones. `loaded` is called once, when something has come or will not.
  void subscribe(xds::Source& source, int64_t initial_fetch_timeout_ms,
                 std::function<void()> loaded);

  // Whether there is such a cluster, warm or not, and is to stay.
  bool has(std::string_view name) const;
  // The same, of those that a control plane has sent.
  bool has_dynamic(std::string_view name) const;
  // The cluster as users on the main thread's loop have it; null: there is none, or it is not warm.
  upstream::WorkerCluster* on_main_loop(const std::string& name);

  // Whether every cluster is warm; those that no control plane is needed for.
  bool warm() const { return warming_ == 0; }
  bool primary_warm() const;
  // Whether the bootstrap's are. When `enough` was waited, those that the workers have in an older
  // version are too, and those that were published without endpoints: first health checks alone
  // are waited for, which have time limits of their own.
  bool static_warm(bool enough) const;
  // Called when warm() may have become true, but not from within set_static.
  void on_warm(std::function<void()> told) { told_warm_ = std::move(told); }
  // Called when a cluster, or another version of it, is in force; with null when it is no more.
  using Published = std::function<void(const std::string& name, const upstream::ClusterConfig*)>;
  void on_published(Published told) { told_published_ = std::move(told); }
  // Some secrets may have come.
  void secrets_settled();
  // Enough waited for names: what the bootstrap has and has never been published is, with the
  // endpoints that it has.
  void publish_primary();

  struct State {
    std::shared_ptr<const upstream::ClusterConfig> config;
    std::shared_ptr<const upstream::HostSet> hosts;
    bool dynamic = false;
    const upstream::ClusterHealth* health = nullptr;  // null: nothing watches it
  };
  // Those that were published.
  std::vector<State> states() const;
  std::vector<const upstream::Cluster*> published() const;
  void describe(std::vector<DynamicResource>& out) const;

 private:
  static constexpr int64_t kNotYet = std::numeric_limits<int64_t>::max();
  struct Entry {
    bool dynamic = false;
    bool leaving = false;                                // the bootstrap has it no more
    int64_t leave_by_ms = kNotYet;                       // when it was let go
    std::shared_ptr<upstream::Cluster> cluster;          // published; null before
    std::shared_ptr<const upstream::HostSet> hosts;      // as their source gives them
    std::shared_ptr<const upstream::BalancerPlan> plan;  // what the workers have
    std::unique_ptr<upstream::ClusterHealth> health;     // null: nothing watches it
    std::optional<upstream::Membership> membership;
    bool withheld = false;  // `hosts` from the workers, because secrets are missing
    xds::Resource resource;
    int64_t updated_s = 0;
    // The version that warms, if one does.
    std::shared_ptr<const upstream::ClusterConfig> next;
    std::shared_ptr<const upstream::HostSet> next_hosts;  // null: not found yet
    std::unique_ptr<upstream::ClusterHealth> next_health;
    xds::Resource next_resource;
  };
  struct MainCluster {
    std::unique_ptr<upstream::WorkerCluster> cluster;
    std::vector<std::unique_ptr<upstream::WorkerCluster>> old;
  };

  void put(std::shared_ptr<const upstream::ClusterConfig> config, bool dynamic,
           xds::Resource resource);
  void leave(const std::string& name);
  void find_endpoints(const std::shared_ptr<const upstream::ClusterConfig>& config);
  void discover(std::shared_ptr<const upstream::ClusterConfig> config);
  void remove(const std::string& name);
  void set_hosts(const std::string& name, std::shared_ptr<const upstream::HostSet> hosts);
  const upstream::ClusterConfig* newest(const std::string& name) const;
  void count_update(const std::string& name, const char* what);
  void take_stale_hosts(const std::string& name, const std::string& service);
  void publish_if_warm(const std::string& name);
  void publish(Entry& entry);
  void retire(Entry& entry);
  void tell_warm();
  static std::shared_ptr<const upstream::HostSet> usable_hosts(Entry& entry);
  void publish_hosts(Entry& entry, std::shared_ptr<const upstream::HostSet> hosts);
  void push_hosts(Entry& entry);
  void note_zones(const std::string& name, const upstream::HostSet& hosts);
  const upstream::ZoneView* zones() const { return local_cluster_.empty() ? nullptr : &zones_; }
  std::unique_ptr<upstream::ClusterHealth> watch_health(
      std::shared_ptr<const upstream::ClusterConfig> config);
  void health_changed(const std::string& name, const std::vector<net::Address>& failed);
  void forget(std::unique_ptr<upstream::ClusterHealth> health);
  std::shared_ptr<const upstream::HostSet> compile_assignment(
      const std::string& name, const envoy::config::endpoint::v3::ClusterLoadAssignment& message,
      config::Diagnostics& diagnostics) const;
  std::vector<xds::Rejection> apply(xds::Source& source, const xds::Update& update);
  std::string add(const xds::Resource& resource);
  void loaded();
  void sweep_main(MainCluster& main);
  void count();

  Needs needs_;
  upstream::ZoneView zones_;
  std::string local_cluster_;  // empty: none
  upstream::DnsResolvers resolvers_;
  std::shared_ptr<upstream::DropLimit> drop_limit_ = std::make_shared<upstream::DropLimit>();
  std::map<std::string, Entry, std::less<>> entries_;
  std::map<std::string, MainCluster> main_clusters_;
  SourceHandlers handlers_;
  Assignments assignments_;
  std::unique_ptr<upstream::Discovery> discovery_;  // null until a cluster has names
  size_t warming_ = 0;
  size_t active_ = 0;  // published
  bool setting_static_ = false;
  std::function<void()> told_warm_;
  std::function<void()> told_loaded_;
  Published told_published_;
  stats::CounterId added_, modified_, removed_;
  stats::GaugeId active_gauge_, warming_gauge_;
};

}  // namespace weir
