#include "proxy/http/route_host.h"

#include <array>

#include "envoy/config/route/v3/route_components.pb.h"
#include "proxy/http/rate_limit.h"
#include "proxy/http/unsupported.h"

namespace weir::http {
namespace {

using config::Code;
using config::FieldPath;
using HostConfig = envoy::config::route::v3::VirtualHost;
using RouteConfig = envoy::config::route::v3::Route;

constexpr UnsupportedField<HostConfig> kUnsupportedHost[] = {
    {"matcher", [](const HostConfig& c) { return c.has_matcher(); }, "use routes"},
    {"virtual_clusters", [](const HostConfig& c) { return c.virtual_clusters_size() > 0; }, ""},
    {"cors", [](const HostConfig& c) { return c.has_cors(); }, ""},
    {"retry_policy_typed_config",
     [](const HostConfig& c) { return c.has_retry_policy_typed_config(); }, "use retry_policy"},
    {"hedge_policy", [](const HostConfig& c) { return c.has_hedge_policy(); }, ""},
    {"include_is_timeout_retry_header",
     [](const HostConfig& c) { return c.include_is_timeout_retry_header(); }, ""},
};

// The changes of all levels in the order they take effect.
HeaderChanges merge_levels(const RouteScope& scope, const HeaderChanges& route,
                           const HeaderChanges& host, const HeaderChanges& table) {
  HeaderChanges merged;
  merged.append(scope.most_specific_headers_win ? table : route);
  merged.append(host);
  merged.append(scope.most_specific_headers_win ? route : table);
  return merged;
}

template <class Config>
std::shared_ptr<const RateLimits> rate_limits(const Config& config, const FieldPath& path,
                                              const RouteScope& scope) {
  if (config.rate_limits_size() == 0) return nullptr;
  return std::make_shared<const RateLimits>(
      compile_rate_limits(config.rate_limits(), "rate_limits", path, scope.diagnostics()));
}

// The route that sends plain requests to https, as require_tls asks.
std::unique_ptr<const Route> make_tls_redirect(const VirtualHost& host) {
  auto route = std::make_unique<Route>();
  route->host = &host;
  route->action.emplace<RedirectAction>().scheme = "https";
  return route;
}

// Compiles one virtual host.
class HostCompiler {
 public:
  HostCompiler(const HostConfig& config, const FieldPath& path, const RouteScope& table_scope,
               RouteStore& store, VirtualHost& info)
      : config_(config), path_(path), scope_(table_scope), store_(store), info_(info) {}

  HostRoutes compile() {
    refuse_unsupported(config_, kUnsupportedHost, path_, scope_.diagnostics());
    info_.name = config_.name();
    info_.require_tls = static_cast<VirtualHost::RequireTls>(config_.require_tls());
    info_.most_specific_headers_win = scope_.most_specific_headers_win;
    info_.include_attempt_count_in_request = config_.include_request_attempt_count();
    info_.include_attempt_count_in_response = config_.include_attempt_count_in_response();
    info_.filters = compile_route_filters(config_.typed_per_filter_config(), path_, scope_);
    info_.rate_limits = rate_limits(config_, path_, scope_);
    request_headers_ = compile_request_changes(config_, path_, scope_);
    response_headers_ = compile_response_changes(config_, path_, scope_);
    compile_defaults();
    HostRoutes out = compile_routes();
    if (info_.require_tls != VirtualHost::RequireTls::kNone)
      out.tls_redirect = store_.tls_redirects.emplace_back(make_tls_redirect(info_)).get();
    return out;
  }

 private:
  // What the host says for its routes replaces what the table says.
  void compile_defaults() {
    scope_.buffer_limit_bytes = config_.per_request_buffer_limit_bytes().value();
    if (config_.has_retry_policy())
      scope_.retry = std::make_shared<const RetryPolicy>(
          compile_retry(config_.retry_policy(), path_.field("retry_policy"), scope_.diagnostics()));
    if (config_.request_mirror_policies_size() > 0)
      scope_.mirrors = compile_mirrors(config_.request_mirror_policies(), path_, scope_);
  }

  HostRoutes compile_routes() {
    const auto count = static_cast<size_t>(config_.routes_size());
    const size_t first = store_.matchers.size();
    for (size_t i = 0; i < count; ++i) {
      const RouteConfig& config = config_.routes(static_cast<int>(i));
      const FieldPath path = path_.field("routes", static_cast<int>(i));
      Route& route = store_.routes[first + i];
      store_.matchers.push_back(compile_route_match(config.match(), path.field("match"),
                                                    scope_.diagnostics(), store_.texts, route));
      compile_route(config, path, route);
    }
    const auto matchers = std::span<const RouteMatcher>(store_.matchers).subspan(first);
    return {RouteIndex(matchers), store_.routes.get() + first, nullptr};
  }

  void compile_route(const RouteConfig& config, const FieldPath& path, Route& route) {
    route.name = config.name();
    route.host = &info_;
    compile_action(config, path, route);
    route.request_headers = merge_levels(scope_, compile_request_changes(config, path, scope_),
                                         request_headers_, scope_.request_headers);
    route.response_headers = merge_levels(scope_, compile_response_changes(config, path, scope_),
                                          response_headers_, scope_.response_headers);
    route.own_filters = compile_route_filters(config.typed_per_filter_config(), path, scope_);
    const std::array<const RouteFilters*, 3> levels = {&store_.filters, &info_.filters,
                                                       &route.own_filters};
    for (const RouteFilters* filters : levels)
      if (!filters->empty()) route.filters.push_back(filters);
    route.buffer_limit_bytes = config.has_per_request_buffer_limit_bytes()
                                   ? config.per_request_buffer_limit_bytes().value()
                                   : scope_.buffer_limit_bytes;
  }

  void compile_action(const RouteConfig& config, const FieldPath& path, Route& route) {
    switch (config.action_case()) {
      case RouteConfig::kRoute:
        return compile_forward_route(config, path.field("route"), route);
      case RouteConfig::kRedirect:
        return compile_redirect(config.redirect(), path.field("redirect"), scope_.diagnostics(),
                                route.action.emplace<RedirectAction>());
      case RouteConfig::kDirectResponse:
        return compile_direct(config.direct_response(), path.field("direct_response"), scope_,
                              route.action.emplace<DirectAction>());
      case RouteConfig::kFilterAction:
        return refuse_field(path.field("filter_action"), scope_.diagnostics());
      case RouteConfig::kNonForwardingAction:
        return refuse_field(path.field("non_forwarding_action"), scope_.diagnostics(),
                            "it is for servers, not for proxies");
      case RouteConfig::ACTION_NOT_SET:
        return scope_.diagnostics().error(Code::kConstraint, path, "the route does nothing",
                                          "set route, redirect or direct_response");
    }
  }

  void compile_forward_route(const RouteConfig& config, const FieldPath& path, Route& route) {
    route.rate_limits = rate_limits(config.route(), path, scope_);
    route.include_host_rate_limits = config.route().include_vh_rate_limits().value();
    compile_forward(config.route(), config.match(), path, scope_,
                    route.action.emplace<ForwardAction>());
  }

  const HostConfig& config_;
  const FieldPath& path_;
  RouteScope scope_;  // the table's, then with the host's defaults
  RouteStore& store_;
  VirtualHost& info_;
  HeaderChanges request_headers_;
  HeaderChanges response_headers_;
};

}  // namespace

RouteStore::RouteStore(size_t host_count, size_t route_count)
    : hosts(std::make_unique<VirtualHost[]>(host_count)),
      routes(std::make_unique<Route[]>(route_count)) {
  matchers.reserve(route_count);
}

HostRoutes compile_host(const HostConfig& config, size_t position, const FieldPath& path,
                        const RouteScope& scope, RouteStore& store) {
  return HostCompiler(config, path, scope, store, store.hosts[position]).compile();
}

}  // namespace weir::http
