#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "config/diagnostic.h"
#include "config/field_path.h"
#include "proxy/filter_feed.h"
#include "proxy/http/filter_type.h"

namespace envoy::config::core::v3 {
class ConfigSource;
class TypedExtensionConfig;
}  // namespace envoy::config::core::v3

namespace weir {

class FilterCompiler;

// A filter of a chain whose configuration comes from elsewhere: HttpFilter.config_discovery.
struct DiscoveredFilter {
  std::string name;     // of the filter, and of the resource
  size_t position = 0;  // in the list
  std::shared_ptr<const envoy::config::core::v3::ConfigSource> source;
  std::vector<const http::FilterType*> types;  // type_urls
  http::ConfiguredFilter fallback;             // default_config, or what answers 500
  bool needs_no_warming = false;               // apply_default_config_without_warming
};

// What a filter does that has no configuration and no default: 500, and NFCF in the log, as in
// Envoy.
http::ConfiguredFilter missing_filter(const std::string& name, bool disabled);

// A connection manager some filters of which come by ECDS: who is asked for them, how what comes is
// compiled, and the list that is in force. Main thread; may be destroyed on any.
class FilterUser {
 public:
  // `filters` has the fallbacks in their places.
  FilterUser(const FilterCompiler& compiler, http::FilterList filters,
             std::vector<DiscoveredFilter> discovered);
  ~FilterUser();
  FilterUser(const FilterUser&) = delete;
  FilterUser& operator=(const FilterUser&) = delete;

  const std::vector<DiscoveredFilter>& discovered() const { return discovered_; }
  const std::shared_ptr<FilterFeed>& feed() const { return feed_; }

  // Without `config` on errors, which are then in `diagnostics`; their paths begin at the resource.
  // An error too: its type is none of the filter's.
  http::ConfiguredFilter compile(const DiscoveredFilter& filter,
                                 const envoy::config::core::v3::TypedExtensionConfig& message,
                                 config::Diagnostics& diagnostics) const;
  // Puts it in its place, or null for what is in force without one; returns the new list, which is
  // for the feed.
  std::shared_ptr<const http::FilterList> put(const DiscoveredFilter& filter,
                                              const http::ConfiguredFilter* config) const;
  // Nothing is waited for any longer.
  void set_settled(const DiscoveredFilter& filter) const { settled_[index_of(filter)] = true; }

  // Whether all have come, or it is known that they do not, or their defaults need not wait.
  bool ready() const;

 private:
  size_t index_of(const DiscoveredFilter& filter) const {
    return static_cast<size_t>(&filter - discovered_.data());
  }

  std::unique_ptr<const FilterCompiler> compiler_;
  std::vector<DiscoveredFilter> discovered_;
  mutable std::shared_ptr<const http::FilterList> list_;
  mutable std::vector<bool> settled_;
  std::shared_ptr<FilterFeed> feed_;
};

}  // namespace weir
