#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "proxy/dynamic_resource.h"
#include "proxy/resource_reader.h"
#include "proxy/source_handlers.h"
#include "proxy/upstream/cluster_config.h"

namespace weir {

// The endpoint assignments of EDS: what each source sent last under each name, and which clusters
// it is for. A cluster that comes, or changes, gets what is known at once. Main thread.
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
  };

  Assignments(ResourceReader& reader, Events events)
      : reader_(reader),
        events_(std::move(events)),
        handlers_([this](auto& source, auto& update) { return apply(source, update); },
                  [this](auto& source, auto type, auto& name) { absent(source, type, name); }) {}

  // Asks for the endpoints of a cluster, in place of what it asked for before. What is known of
  // them already is published at once.
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
    bool absent = false;
  };

  std::vector<xds::Rejection> apply(xds::Source& source, const xds::Update& update);
  std::string apply_one(Entry& entry, const xds::Resource& resource);
  void absent(xds::Source& source, xds::ResourceType type, const std::string& name);
  void publish_known(const Entry& entry, const std::string& cluster);

  ResourceReader& reader_;
  Events events_;
  SourceHandlers handlers_;
  std::map<Key, Entry> entries_;
  std::map<std::string, Key> by_cluster_;
};

}  // namespace weir
