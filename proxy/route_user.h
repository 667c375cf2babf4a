#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "config/diagnostic.h"
#include "config/field_path.h"
#include "proxy/route_feed.h"

namespace envoy::config::core::v3 {
class ConfigSource;
}
namespace envoy::config::route::v3 {
class RouteConfiguration;
}

namespace weir {

class FilterCompiler;

// A connection manager whose routes come by RDS, or scopes of one that share their routes: who is
// asked, by which name, and how what comes is compiled for its filters. Main thread; may be
// destroyed on any.
class RouteUser {
 public:
  enum class Of : uint8_t { kManager, kScopes };
  RouteUser(const FilterCompiler& filters, const envoy::config::core::v3::ConfigSource& source,
            std::string name, Of of = Of::kManager);
  ~RouteUser();
  RouteUser(const RouteUser&) = delete;
  RouteUser& operator=(const RouteUser&) = delete;

  const std::string& name() const { return name_; }
  const envoy::config::core::v3::ConfigSource& source() const { return *source_; }
  // Null for scopes: their tables are handed on together (proxy/scoped_routes.h).
  const std::shared_ptr<RouteFeed>& feed() const { return feed_; }

  // Null on errors, which are then in `diagnostics`. The table names clusters that need not be
  // there yet, unless it says validate_clusters.
  std::shared_ptr<const http::RouteTable> compile(
      const envoy::config::route::v3::RouteConfiguration& config, const config::FieldPath& path,
      config::Diagnostics& diagnostics) const;

  // Whether there is something to route by, or it is known that nothing comes.
  bool ready() const { return ready_; }
  void set_ready() const { ready_ = true; }
  // Of scopes: the table in force.
  const std::shared_ptr<const http::RouteTable>& table() const { return table_; }
  void set_table(std::shared_ptr<const http::RouteTable> table) const { table_ = std::move(table); }

 private:
  std::unique_ptr<const FilterCompiler> filters_;
  std::unique_ptr<const envoy::config::core::v3::ConfigSource> source_;
  std::string name_;
  std::shared_ptr<RouteFeed> feed_;
  mutable std::shared_ptr<const http::RouteTable> table_;
  mutable bool ready_ = false;
};

}  // namespace weir
