#include "proxy/scope_user.h"

#include <algorithm>
#include <utility>

#include "envoy/config/core/v3/config_source.pb.h"
#include "envoy/config/route/v3/scoped_route.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "proxy/filter_compile.h"
#include "proxy/route_user.h"
#include "proxy/scope_keys.h"

namespace weir {

using config::Code;
using config::Diagnostics;
using config::FieldPath;

namespace {

// The scopes of an inline list.
void read_scopes(const ScopeUser::Config& config, const FieldPath& path, Diagnostics& diagnostics,
                 const ScopeUser& user) {
  const FieldPath list = path.field("scoped_route_configurations_list");
  const FieldPath scopes = list.field("scoped_route_configurations");
  const auto& all = config.scoped_route_configurations_list().scoped_route_configurations();
  std::map<std::string, std::string> names;  // by key
  for (int i = 0; i < all.size(); ++i) {
    const FieldPath at = scopes.at(i);
    auto scope = user.compile_scope(all[i], at, diagnostics);
    if (!scope) continue;
    const auto [other, is_new] = names.emplace(scope->key, all[i].name());
    if (!is_new)
      diagnostics.error(Code::kSemantic, at.field("key"),
                        "the scope '" + other->second + "' has the same key");
    else if (user.scopes().contains(all[i].name()))
      diagnostics.error(Code::kSemantic, at.field("name"),
                        "there is another scope named '" + all[i].name() + "'");
    user.put(all[i].name(), std::move(*scope));
  }
  user.set_loaded();
}

// Whether scopes, and routes, can be had from where they are to come from.
void check_sources(const ScopeUser::Config& config, const FieldPath& path, const AppBuild& build) {
  const auto check = [&](const auto& source, xds::ResourceType type, const FieldPath& at) {
    if (!build.check_source)
      build.diagnostics.error(Code::kNotSupported, at, "there is no control plane here");
    else
      build.check_source(source, type, at, build.diagnostics);
  };
  const FieldPath scoped = path.field("scoped_rds");
  if (config.has_scoped_rds())
    check(config.scoped_rds().scoped_rds_config_source(), xds::ResourceType::kScopedRoute,
          scoped.field("scoped_rds_config_source"));
  if (config.has_rds_config_source())
    check(config.rds_config_source(), xds::ResourceType::kRoute, path.field("rds_config_source"));
}

}  // namespace

std::shared_ptr<const ScopeUser> ScopeUser::compile(const Config& config, const FieldPath& path,
                                                    const FilterCompiler& filters) {
  Diagnostics& diagnostics = filters.build().diagnostics;
  const size_t errors_before = diagnostics.error_count();
  check_sources(config, path, filters.build());
  auto user = std::make_shared<const ScopeUser>(config, filters);
  if (!config.has_scoped_rds()) read_scopes(config, path, diagnostics, *user);
  return diagnostics.error_count() == errors_before ? user : nullptr;
}

ScopeUser::ScopeUser(const Config& config, const FilterCompiler& filters)
    : filters_(std::make_unique<const FilterCompiler>(filters)),
      feed_(std::make_shared<RouteFeed>(filters.build().workers, RouteUse{})) {
  if (config.has_scoped_rds())
    scoped_rds_ =
        std::make_unique<const ConfigSource>(config.scoped_rds().scoped_rds_config_source());
  if (config.has_rds_config_source())
    rds_ = std::make_unique<const ConfigSource>(config.rds_config_source());
}

ScopeUser::~ScopeUser() = default;

std::optional<RouteScope> ScopeUser::compile_scope(const Message& message, const FieldPath& path,
                                                   Diagnostics& diagnostics) const {
  RouteScope scope{scope_key(message.key()), nullptr, nullptr};
  const std::string& name = message.route_configuration_name();
  if (name.empty() != message.has_route_configuration()) {
    diagnostics.error(Code::kSemantic, path,
                      "a scope has either a route_configuration_name or a route_configuration");
    return std::nullopt;
  }
  if (name.empty()) {
    const FilterCompiler filters(*filters_, diagnostics);
    scope.table = compile_routes(message.route_configuration(), path.field("route_configuration"),
                                 filters, {});
    return scope.table == nullptr ? std::nullopt : std::optional(std::move(scope));
  }
  if (rds_ == nullptr) {
    diagnostics.error(Code::kReference, path.field("route_configuration_name"),
                      "the connection manager does not say where routes come from",
                      "set scoped_routes.rds_config_source");
    return std::nullopt;
  }
  scope.rds = routes_[name].lock();
  if (scope.rds == nullptr)
    scope.rds = std::make_shared<const RouteUser>(*filters_, *rds_, name, RouteUser::Of::kScopes);
  routes_[name] = scope.rds;
  return scope;
}

void ScopeUser::put(const std::string& name, RouteScope scope) const {
  scopes_[name] = std::move(scope);
  std::erase_if(routes_, [](const auto& known) { return known.second.expired(); });
}

ScopeUser::Tables ScopeUser::changed_tables() const {
  ScopeTables tables;
  for (const auto& [name, scope] : scopes_) {
    auto table = scope.rds != nullptr ? scope.rds->table() : scope.table;
    if (table != nullptr) tables.emplace(scope.key, std::move(table));
  }
  if (tables_ != nullptr && *tables_ == tables) return nullptr;
  tables_ = std::make_shared<const ScopeTables>(std::move(tables));
  return tables_;
}

bool ScopeUser::ready() const {
  return loaded_ && std::all_of(scopes_.begin(), scopes_.end(), [](const auto& one) {
           return one.second.rds == nullptr || one.second.rds->ready();
         });
}

}  // namespace weir
