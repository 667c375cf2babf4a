#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/diagnostic.h"
#include "config/field_path.h"
#include "proxy/route_feed.h"

namespace envoy::config::core::v3 {
class ConfigSource;
}
namespace envoy::config::route::v3 {
class ScopedRouteConfiguration;
}
namespace envoy::extensions::filters::network::http_connection_manager::v3 {
class ScopedRoutes;
}

namespace weir {

class FilterCompiler;
class RouteUser;

// A scope of one connection manager: its routes stand in it, or come by RDS.
struct RouteScope {
  std::string key;  // as scope_key
  std::shared_ptr<const http::RouteTable> table;
  std::shared_ptr<const RouteUser> rds;  // null: `table` is all there is
};

// A connection manager that chooses its routes by scope: where its scopes and their routes come
// from, and the scopes in force. Main thread; may be destroyed on any.
class ScopeUser {
 public:
  using Config = envoy::extensions::filters::network::http_connection_manager::v3::ScopedRoutes;
  using Message = envoy::config::route::v3::ScopedRouteConfiguration;
  using Tables = std::shared_ptr<const ScopeTables>;

  // Null on errors, which are then in the compiler's diagnostics. Scopes of an inline list are set.
  static std::shared_ptr<const ScopeUser> compile(const Config& config,
                                                  const config::FieldPath& path,
                                                  const FilterCompiler& filters);
  ScopeUser(const Config& config, const FilterCompiler& filters);
  ~ScopeUser();
  ScopeUser(const ScopeUser&) = delete;
  ScopeUser& operator=(const ScopeUser&) = delete;

  // Of scoped_rds; null: the scopes are a list in the configuration.
  const envoy::config::core::v3::ConfigSource* source() const { return scoped_rds_.get(); }
  const std::shared_ptr<RouteFeed>& feed() const { return feed_; }

  // Nothing on errors, which are then in `diagnostics`.
  std::optional<RouteScope> compile_scope(const Message& message, const config::FieldPath& path,
                                          config::Diagnostics& diagnostics) const;
  void put(const std::string& name, RouteScope scope) const;
  void remove(const std::string& name) const { scopes_.erase(name); }
  const std::map<std::string, RouteScope>& scopes() const { return scopes_; }

  // The tables in force, for the feed; null when they are as they were at the last call.
  Tables changed_tables() const;
  // All scopes are known, or it is known that none come.
  void set_loaded() const { loaded_ = true; }
  bool ready() const;

 private:
  using ConfigSource = envoy::config::core::v3::ConfigSource;

  std::unique_ptr<const FilterCompiler> filters_;
  std::unique_ptr<const ConfigSource> scoped_rds_;
  std::unique_ptr<const ConfigSource> rds_;  // null: scopes have their routes in them
  std::shared_ptr<RouteFeed> feed_;
  mutable std::map<std::string, RouteScope> scopes_;
  // Scopes with the same routes share them.
  mutable std::map<std::string, std::weak_ptr<const RouteUser>> routes_;
  mutable Tables tables_;
  mutable bool loaded_ = false;
};

}  // namespace weir
