#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "proxy/drain_watch.h"
#include "proxy/dynamic_resource.h"
#include "proxy/resource_reader.h"
#include "proxy/source_handlers.h"
#include "proxy/upstream/cluster_config.h"

namespace weir {

// The endpoint assignments of EDS: what each source sent last under each name, and which clusters
// it is for. A cluster that comes gets what is known at once. One that changes waits for an
// assignment that comes after it, as in Envoy, since its endpoints may change with it; when none
// comes in time, it gets what is known. Main thread.
class Assignments {
 public:
  // What a cluster makes of an assignment; null: it cannot, and `diagnostics` say why.
  using HostSetPtr = std::shared_ptr<const upstream::HostSet>;
  struct Events {
    std::function<HostSetPtr(const std::string& cluster,
                             const envoy::config::endpoint::v3::ClusterLoadAssignment&,
                             config::Diagnostics&)>
        compile;
    std::function<void(const std::string& cluster, HostSetPtr hosts)> publish;
    // Nothing has come in time: the cluster has no endpoints.
    std::function<void(const std::string& cluster)> absent;
    // An assignment has come from its source, and all of its clusters could use it, or not.
    std::function<void(const std::string& cluster, bool accepted)> came;
    // An assignment with an endpoint_stale_after has come.
    std::function<void(const std::string& cluster)> lease_began;
    // No other has come within that time: its endpoints are not to be used any more.
    std::function<void(const std::string& cluster, const std::string& service)> stale;
  };

  Assignments(net::Loop& loop, ResourceReader& reader, Events events);

  // Asks for the endpoints of a cluster, in place of what it asked for before. If it asked for the
  // same, it is another version of the cluster, and asks again.
  void use(const std::string& cluster, xds::Source& source, const std::string& service,
           int64_t initial_fetch_timeout_ms);
  void drop(const std::string& cluster);

  void describe(std::vector<DynamicResource>& out) const;

 private:
  using Key = std::pair<xds::Source*, std::string>;
  struct Entry {
    xds::Resource last;  // `content` is null before anything came
    int64_t updated_s = 0;
    std::set<std::string> clusters;
    std::set<std::string> waiting;  // of these: for an assignment that comes after them
    bool absent = false;
    int64_t stale_after_ms = 0;    // 0: never
    std::unique_ptr<Later> lease;  // until then; null: for ever
    bool stale = false;
  };

  std::vector<xds::Rejection> apply(xds::Source& source, const xds::Update& update);
  std::string apply_one(const Key& key, Entry& entry, const xds::Resource& resource);
  void absent(xds::Source& source, const std::string& name);
  void unchanged(xds::Source& source, const std::vector<std::string>& names);
  void ask_again(const std::string& cluster, const Key& key, int64_t timeout_ms);
  void begin_lease(const Key& key, Entry& entry);
  void end_lease(const Key& key);
  void publish_known(const Entry& entry, const std::string& cluster);

  net::Loop& loop_;
  ResourceReader& reader_;
  Events events_;
  SourceHandlers handlers_;
  std::map<Key, Entry> entries_;
  std::map<std::string, Key> by_cluster_;
};

}  // namespace weir
