#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "proxy/dynamic_resource.h"
#include "proxy/resource_reader.h"
#include "proxy/source_handlers.h"
#include "proxy/tls/secrets.h"

namespace weir {

class ControlPlanes;

// Brings secrets of control planes (SDS) to those who need them. Main thread.
class SecretFeed {
 public:
  // `has_cluster` tells which clusters a control plane may be called on.
  SecretFeed(tls::Secrets& secrets, ResourceReader& reader, ControlPlanes& planes,
             std::function<bool(const std::string&)> has_cluster);

  // Without what they hold.
  void describe(std::vector<DynamicResource>& out) const;

 private:
  using Source = envoy::config::core::v3::ConfigSource;
  using Key = std::pair<xds::Source*, std::string>;
  struct Entry {
    // Several ConfigSources may be one source here; each has its users.
    std::vector<Source> wanted_from;
    xds::Resource last;
    int64_t updated_s = 0;
  };

  void subscribe(const Source& from, const std::string& name);
  void unsubscribe(const Source& from, const std::string& name);
  std::vector<xds::Rejection> apply(xds::Source& source, const xds::Update& update);
  std::string apply_one(Entry& entry, const xds::Resource& resource);
  void absent(xds::Source& source, const std::string& name);

  tls::Secrets& secrets_;
  ResourceReader& reader_;
  ControlPlanes& planes_;
  SourceHandlers handlers_;
  std::map<Key, Entry> entries_;
};

}  // namespace weir
