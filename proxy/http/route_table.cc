#include "proxy/http/route_table.h"

#include "envoy/config/route/v3/route.pb.h"
#include "proxy/http/domain_table.h"
#include "proxy/http/host.h"
#include "proxy/http/route_host.h"
#include "proxy/http/unsupported.h"

namespace weir::http {
namespace {

using config::Code;
using config::FieldPath;
using TableConfig = envoy::config::route::v3::RouteConfiguration;

constexpr UnsupportedField<TableConfig> kUnsupportedTable[] = {
    {"vhds", [](const TableConfig& c) { return c.has_vhds(); }, "list the virtual hosts here"},
    {"internal_only_headers",
     [](const TableConfig& c) { return c.internal_only_headers_size() > 0; },
     "remove them with request_headers_to_remove"},
    {"cluster_specifier_plugins",
     [](const TableConfig& c) { return c.cluster_specifier_plugins_size() > 0; }, ""},
};

// What a proxy in front was told over plain HTTP is plain, even if it encrypts the way to us.
bool over_tls(const RouteTable::Query& query) {
  const std::string_view proto = query.request.headers.get(Known::kForwardedProto);
  return proto.empty() ? query.tls : proto == "https";
}

// Of a host with require_tls.
bool needs_tls(const VirtualHost& host, const RouteTable::Query& query) {
  if (over_tls(query)) return false;
  return host.require_tls == VirtualHost::RequireTls::kAll ||
         query.request.headers.get(Known::kEnvoyInternal) != "true";
}

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

size_t count_routes(const TableConfig& config) {
  size_t count = 0;
  for (const auto& host : config.virtual_hosts()) count += static_cast<size_t>(host.routes_size());
  return count;
}

RouteScope make_scope(const TableConfig& config, const FieldPath& path, const RouteBuild& build) {
  RouteScope scope{.build = build};
  scope.check_clusters =
      build.has_cluster && (!config.has_validate_clusters() || config.validate_clusters().value());
  scope.most_specific_headers_win = config.most_specific_header_mutations_wins();
  if (config.has_max_direct_response_body_size_bytes())
    scope.max_direct_body_bytes = config.max_direct_response_body_size_bytes().value();
  scope.request_headers = compile_request_changes(config, path, scope);
  scope.response_headers = compile_response_changes(config, path, scope);
  scope.mirrors = compile_mirrors(config.request_mirror_policies(), path, scope);
  return scope;
}

}  // namespace

struct RouteTable::Tables {
  explicit Tables(const TableConfig& config)
      : name(config.name()),
        ignore_port(config.ignore_port_in_host_matching()),
        ignore_path_parameters(config.ignore_path_parameters_in_path_matching()),
        store(static_cast<size_t>(config.virtual_hosts_size()), count_routes(config)) {}

  std::string name;
  bool ignore_port;
  bool ignore_path_parameters;
  DomainTable domains;  // which give positions in `hosts`
  std::vector<HostRoutes> hosts;
  RouteStore store;
};

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
  const RouteScope scope = make_scope(config, path, build);
  auto tables = std::make_unique<Tables>(config);
  tables->store.filters = compile_route_filters(config.typed_per_filter_config(), path, scope);
  tables->hosts.reserve(static_cast<size_t>(config.virtual_hosts_size()));
  for (int i = 0; i < config.virtual_hosts_size(); ++i) {
    const auto& host = config.virtual_hosts(i);
    const FieldPath host_path = path.field("virtual_hosts", i);
    for (int d = 0; d < host.domains_size(); ++d)
      add_domain(host.domains(d), static_cast<uint32_t>(i), host_path.field("domains", d),
                 build.diagnostics, tables->domains);
    tables->hosts.push_back(
        compile_host(host, static_cast<size_t>(i), host_path, scope, tables->store));
  }
  if (build.diagnostics.error_count() != errors_before) return nullptr;
  return std::unique_ptr<const RouteTable>(new RouteTable(std::move(tables)));
}

const Route* RouteTable::find(const Query& query) const {
  const std::string_view authority =
      tables_->ignore_port ? host_without_port(query.request.authority) : query.request.authority;
  const auto position = tables_->domains.find(authority);
  if (!position) return nullptr;
  const HostRoutes& host = tables_->hosts[*position];
  if (host.tls_redirect != nullptr && needs_tls(*host.tls_redirect->host, query))
    return host.tls_redirect;

  std::string_view path = query.request.path_without_query();
  if (tables_->ignore_path_parameters) path = path.substr(0, path.find(';'));
  const auto route = host.index.find(query, path);
  return route ? &host.routes[*route] : nullptr;
}

}  // namespace weir::http
