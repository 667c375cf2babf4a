#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "proxy/dynamic_resource.h"
#include "proxy/filter_user.h"
#include "proxy/resource_reader.h"
#include "proxy/source_handlers.h"
#include "proxy/stats/registry.h"
#include "proxy/workers.h"

namespace weir {

class ControlPlanes;

// The configurations of HTTP filters that come by ECDS: what came last under each name, compiled
// for each connection manager that uses it, and handed to the workers. Counts under
// `extension_config_discovery.http_filter.<name>.`, as Envoy. Main thread.
class ExtensionConfigs {
 public:
  ExtensionConfigs(Workers& workers, ResourceReader& reader, ControlPlanes& planes,
                   stats::Registry& stats);

  // Asks for the filters of a connection manager; once for each. It is ready at once when they are
  // known.
  void use(const std::shared_ptr<const FilterUser>& user);
  // Called when a user may have become ready.
  void on_ready(std::function<void()> told) { told_ready_ = std::move(told); }
  // Forgets users that are no more, and what only they asked for.
  void sweep();

  void describe(std::vector<DynamicResource>& out) const;

 private:
  using Key = std::pair<xds::Source*, std::string>;
  struct Use {
    std::weak_ptr<const FilterUser> user;
    const DiscoveredFilter* filter = nullptr;  // of the user
  };
  struct Entry {
    xds::Resource last;  // `content` is null before anything came, and when it was taken back
    int64_t updated_s = 0;
    std::vector<Use> uses;
    bool absent = false;
  };

  std::vector<xds::Rejection> apply(xds::Source& source, const xds::Update& update);
  std::string apply_one(Entry& entry, const xds::Resource& resource);
  void absent(xds::Source& source, const std::string& name);
  void give(const FilterUser& user, const DiscoveredFilter& filter,
            const http::ConfiguredFilter* config);
  void give_known(const Entry& entry, const FilterUser& user, const DiscoveredFilter& filter);
  void count(const std::string& name, const char* what);

  Workers& workers_;
  ResourceReader& reader_;
  ControlPlanes& planes_;
  stats::Registry& stats_;
  SourceHandlers handlers_;
  std::map<Key, Entry> entries_;
  std::function<void()> told_ready_;
};

}  // namespace weir
