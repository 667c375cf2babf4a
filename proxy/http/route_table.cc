#include "proxy/http/route_table.h"

#include <array>

#include "envoy/config/route/v3/route.pb.h"
#include "proxy/http/domain_table.h"
#include "proxy/http/host.h"
#include "proxy/http/rate_limit.h"
#include "proxy/http/route_compile.h"
#include "proxy/http/route_index.h"
#include "proxy/http/unsupported.h"

namespace weir::http {
namespace {

using config::Code;
using config::FieldPath;
using HostConfig = envoy::config::route::v3::VirtualHost;
using RouteConfig = envoy::config::route::v3::Route;
using TableConfig = envoy::config::route::v3::RouteConfiguration;

constexpr UnsupportedField<TableConfig> kUnsupportedTable[] = {
    {"vhds", [](const TableConfig& c) { return c.has_vhds(); }, "list the virtual hosts here"},
    {"internal_only_headers",
     [](const TableConfig& c) { return c.internal_only_headers_size() > 0; },
     "remove them with request_headers_to_remove"},
    {"cluster_specifier_plugins",
     [](const TableConfig& c) { return c.cluster_specifier_plugins_size() > 0; }, ""},
};

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

// One virtual host with its routes. Stays where it is, since routes point to it.
struct Host {
  VirtualHost info;
  std::unique_ptr<Route[]> routes;
  std::optional<RouteIndex> index;
  std::unique_ptr<const Route> tls_redirect;  // with require_tls
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
HeaderChanges request_changes(const Config& config, const FieldPath& path,
                              const RouteScope& scope) {
  return compile_header_changes(config.request_headers_to_add(), "request_headers_to_add",
                                config.request_headers_to_remove(), "request_headers_to_remove",
                                path, scope.diagnostics());
}

template <class Config>
HeaderChanges response_changes(const Config& config, const FieldPath& path,
                               const RouteScope& scope) {
  return compile_header_changes(config.response_headers_to_add(), "response_headers_to_add",
                                config.response_headers_to_remove(), "response_headers_to_remove",
                                path, scope.diagnostics());
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
  auto& redirect = route->action.emplace<RedirectAction>();
  redirect.scheme = "https";
  return route;
}

bool over_tls(const RouteTable::Query& query) {
  return query.tls || query.request.headers.get(Known::kForwardedProto) == "https";
}

bool needs_tls(const VirtualHost& host, const RouteTable::Query& query) {
  if (host.require_tls == VirtualHost::RequireTls::kNone || over_tls(query)) return false;
  return host.require_tls == VirtualHost::RequireTls::kAll ||
         query.request.headers.get(Known::kEnvoyInternal) != "true";
}

}  // namespace

struct RouteTable::Tables {
  std::string name;
  DomainTable domains;
  std::unique_ptr<Host[]> hosts;
  RouteFilters filters;
  bool ignore_port = false;
  bool ignore_path_parameters = false;
};

namespace {

// Compiles one virtual host.
class HostCompiler {
 public:
  HostCompiler(const HostConfig& config, const FieldPath& path, const RouteScope& table_scope,
               const RouteFilters& table_filters, Host& out)
      : config_(config),
        path_(path),
        scope_(table_scope),
        table_filters_(table_filters),
        out_(out) {}

  void compile() {
    refuse_unsupported(config_, kUnsupportedHost, path_, scope_.diagnostics());
    VirtualHost& info = out_.info;
    info.name = config_.name();
    info.require_tls = static_cast<VirtualHost::RequireTls>(config_.require_tls());
    info.most_specific_headers_win = scope_.most_specific_headers_win;
    info.include_attempt_count_in_request = config_.include_request_attempt_count();
    info.include_attempt_count_in_response = config_.include_attempt_count_in_response();
    info.filters = compile_route_filters(config_.typed_per_filter_config(), path_, scope_);
    info.rate_limits = rate_limits(config_, path_, scope_);
    if (info.require_tls != VirtualHost::RequireTls::kNone)
      out_.tls_redirect = make_tls_redirect(info);
    request_headers_ = request_changes(config_, path_, scope_);
    response_headers_ = response_changes(config_, path_, scope_);
    compile_defaults();
    compile_routes();
  }

 private:
  // What the host says for its routes replaces what the table says.
  void compile_defaults() {
    scope_.buffer_limit_bytes = config_.per_request_buffer_limit_bytes().value();
    if (config_.has_retry_policy())
      scope_.retry =
          compile_retry(config_.retry_policy(), path_.field("retry_policy"), scope_.diagnostics());
    if (config_.request_mirror_policies_size() > 0)
      scope_.mirrors = compile_mirrors(config_.request_mirror_policies(), path_, scope_);
  }

  void compile_routes() {
    const auto count = static_cast<size_t>(config_.routes_size());
    out_.routes = std::make_unique<Route[]>(count);
    std::vector<RouteMatcher> matchers;
    matchers.reserve(count);
    for (int i = 0; i < config_.routes_size(); ++i) {
      const FieldPath path = path_.field("routes", i);
      Route& route = out_.routes[static_cast<size_t>(i)];
      auto matcher = compile_route_match(config_.routes(i).match(), path.field("match"),
                                         scope_.diagnostics(), route);
      // After an error the table is thrown away, so the index need not be right.
      if (matcher) matchers.push_back(std::move(*matcher));
      compile_route(config_.routes(i), path, route);
    }
    out_.index.emplace(std::move(matchers));
  }

  void compile_route(const RouteConfig& config, const FieldPath& path, Route& route) {
    route.name = config.name();
    route.host = &out_.info;
    compile_action(config, path, route);
    route.request_headers = merge_levels(scope_, request_changes(config, path, scope_),
                                         request_headers_, scope_.request_headers);
    route.response_headers = merge_levels(scope_, response_changes(config, path, scope_),
                                          response_headers_, scope_.response_headers);
    route.own_filters = compile_route_filters(config.typed_per_filter_config(), path, scope_);
    const std::array<const RouteFilters*, 3> levels = {&table_filters_, &out_.info.filters,
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
  const RouteFilters& table_filters_;
  Host& out_;
  HeaderChanges request_headers_;
  HeaderChanges response_headers_;
};

void add_domain(const std::string& domain, uint32_t host, const FieldPath& path,
                config::Diagnostics& diagnostics, DomainTable& domains) {
  const std::string quoted = "'" + domain + "'";
  switch (domains.add(domain, host)) {
    case DomainTable::Added::kYes:
      return;
    case DomainTable::Added::kDuplicate:
      return diagnostics.error(Code::kSemantic, path,
                               "the domain " + quoted + " is in this route configuration already",
                               "a domain belongs to one virtual host; case does not matter");
    case DomainTable::Added::kEmpty:
      return diagnostics.error(Code::kInvalidValue, path, "the domain is empty",
                               "\"*\" stands for every domain");
    case DomainTable::Added::kTooLong:
      return diagnostics.error(
          Code::kLimit, path,
          "the domain is longer than " + std::to_string(DomainTable::kMaxDomainBytes) + " bytes");
    case DomainTable::Added::kStrayWildcard:
      return diagnostics.error(
          Code::kInvalidValue, path,
          quoted + " has a '*' that is neither the first nor the last character",
          "wildcards are \"*.example.com\", \"example.*\" and \"*\"");
  }
}

}  // namespace

RouteTable::RouteTable(std::unique_ptr<Tables> tables) : tables_(std::move(tables)) {}
RouteTable::~RouteTable() = default;

const std::string& RouteTable::name() const {
  return tables_->name;
}

std::unique_ptr<const RouteTable> RouteTable::compile(const TableConfig& config,
                                                      const FieldPath& path,
                                                      const RouteBuild& build) {
  const size_t errors_before = build.diagnostics.error_count();
  refuse_unsupported(config, kUnsupportedTable, path, build.diagnostics);
  RouteScope scope{.build = build};
  scope.check_clusters =
      build.has_cluster && (!config.has_validate_clusters() || config.validate_clusters().value());
  scope.most_specific_headers_win = config.most_specific_header_mutations_wins();
  if (config.has_max_direct_response_body_size_bytes())
    scope.max_direct_body_bytes = config.max_direct_response_body_size_bytes().value();
  scope.request_headers = request_changes(config, path, scope);
  scope.response_headers = response_changes(config, path, scope);
  scope.mirrors = compile_mirrors(config.request_mirror_policies(), path, scope);

  auto tables = std::make_unique<Tables>();
  tables->name = config.name();
  tables->ignore_port = config.ignore_port_in_host_matching();
  tables->ignore_path_parameters = config.ignore_path_parameters_in_path_matching();
  tables->filters = compile_route_filters(config.typed_per_filter_config(), path, scope);
  tables->hosts = std::make_unique<Host[]>(static_cast<size_t>(config.virtual_hosts_size()));
  for (int i = 0; i < config.virtual_hosts_size(); ++i) {
    const HostConfig& host = config.virtual_hosts(i);
    const FieldPath host_path = path.field("virtual_hosts", i);
    for (int d = 0; d < host.domains_size(); ++d)
      add_domain(host.domains(d), static_cast<uint32_t>(i), host_path.field("domains", d),
                 build.diagnostics, tables->domains);
    HostCompiler(host, host_path, scope, tables->filters, tables->hosts[static_cast<size_t>(i)])
        .compile();
  }
  if (build.diagnostics.error_count() != errors_before) return nullptr;
  return std::unique_ptr<const RouteTable>(new RouteTable(std::move(tables)));
}

const Route* RouteTable::find(const Query& query) const {
  const std::string_view authority =
      tables_->ignore_port ? host_without_port(query.request.authority) : query.request.authority;
  const auto at = tables_->domains.find(authority);
  if (!at) return nullptr;
  const Host& host = tables_->hosts[*at];
  if (needs_tls(host.info, query)) return host.tls_redirect.get();

  std::string_view path = query.request.path_without_query();
  if (tables_->ignore_path_parameters) path = path.substr(0, path.find(';'));
  const auto route = host.index->find(query, path);
  return route ? &host.routes[*route] : nullptr;
}

}  // namespace weir::http
