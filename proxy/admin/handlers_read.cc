// Endpoints that only show.

#include <array>
#include <ctime>

#include "proxy/admin/client_status.h"
#include "proxy/admin/config_dump.h"
#include "proxy/admin/handlers.h"
#include "proxy/admin/render.h"
#include "proxy/stats/filter.h"
#include "proxy/stats/prometheus.h"
#include "proxy/stats/text.h"

namespace weir::admin {
namespace {

AdminResponse json_or_error(const Result<std::string>& json) {
  if (json) return json_response(*json);
  const std::string& code = json.error().code;
  const uint16_t status = code == "bad-query" ? 400 : code == "not-found" ? 404 : 500;
  return error_response(status, json.error().message);
}

bool wants_json(const AdminRequest& request) {
  return request.param("format") == "json";
}

AdminResponse certs(const AdminHooks& hooks, const AdminRequest& request) {
  if (!hooks.certificates) return not_available(request.path);
  return json_or_error(certs_json(hooks.certificates(), std::time(nullptr)));
}

AdminResponse clusters(const AdminHooks& hooks, const AdminRequest& request) {
  if (!hooks.clusters) return not_available(request.path);
  if (wants_json(request)) return json_or_error(clusters_json(hooks.clusters()));
  return text_response(clusters_text(hooks.clusters()));
}

AdminResponse listeners(const AdminHooks& hooks, const AdminRequest& request) {
  if (!hooks.listeners) return not_available(request.path);
  if (wants_json(request)) return json_or_error(listeners_json(hooks.listeners()));
  return text_response(listeners_text(hooks.listeners()));
}

AdminResponse config_dump(const AdminHooks& hooks, const AdminRequest& request) {
  const auto bootstrap = hooks.bootstrap ? hooks.bootstrap() : nullptr;
  if (bootstrap == nullptr) return not_available(request.path);
  const ConfigDumpQuery query{request.has("include_eds"), request.param("resource"),
                              request.param("mask"), request.param("name_regex")};
  ConfigDumpInput input{*bootstrap};
  if (hooks.config_updated_s) input.updated_s = hooks.config_updated_s();
  std::vector<DynamicResource> dynamic;
  if (hooks.dynamic_resources) dynamic = hooks.dynamic_resources();
  input.dynamic = dynamic;
  std::vector<ClusterState> clusters;
  if (query.include_eds && hooks.clusters) clusters = hooks.clusters();
  input.clusters = clusters;
  if (hooks.clusters_version) input.clusters_version = hooks.clusters_version();
  if (hooks.listeners_version) input.listeners_version = hooks.listeners_version();
  return json_or_error(config_dump_json(input, query));
}

AdminResponse csds(const AdminHooks& hooks, const AdminRequest& request) {
  if (!hooks.bootstrap || !hooks.control_planes || !hooks.dynamic_resources)
    return not_available(request.path);
  return json_or_error(client_status_json(hooks, request.has("exclude_resource_contents")));
}

AdminResponse config_status(const AdminHooks& hooks, const AdminRequest& request) {
  if (!hooks.control_planes) return not_available(request.path);
  return json_response(control_planes_json(hooks.control_planes()));
}

AdminResponse hot_restart_version(const AdminHooks& hooks, const AdminRequest& request) {
  if (!hooks.hot_restart_version) return not_available(request.path);
  return text_response(hooks.hot_restart_version() + "\n");
}

AdminResponse memory(const AdminHooks&, const AdminRequest&) {
  return json_or_error(memory_json());
}

AdminResponse ready(const AdminHooks& hooks, const AdminRequest& request) {
  if (!hooks.server) return not_available(request.path);
  const ServerState state = hooks.server().state;
  AdminResponse out = text_response(std::string(state_text(state)) + "\n");
  if (state != ServerState::kLive) out.status = 503;
  return out;
}

AdminResponse runtime(const AdminHooks& hooks, const AdminRequest& request) {
  if (!hooks.runtime) return not_available(request.path);
  return json_response(runtime_json(hooks.runtime()));
}

AdminResponse server_info(const AdminHooks& hooks, const AdminRequest& request) {
  if (!hooks.server) return not_available(request.path);
  const auto bootstrap = hooks.bootstrap ? hooks.bootstrap() : nullptr;
  return json_or_error(server_info_json(hooks.server(), bootstrap.get()));
}

Result<stats::MetricFilter> filter_of(const AdminRequest& request) {
  return stats::MetricFilter::compile(request.has("usedonly"), request.param("filter"),
                                      request.param("type"));
}

AdminResponse prometheus(const AdminHooks& hooks, const AdminRequest& request) {
  const Result<stats::MetricFilter> filter = filter_of(request);
  if (!filter) return error_response(400, filter.error().message);
  if (hooks.refresh_stats) hooks.refresh_stats();
  const stats::ExportRules rules = hooks.export_rules ? hooks.export_rules() : stats::ExportRules();
  AdminResponse out = text_response(stats::prometheus_text(*hooks.stats, *filter, rules));
  out.content_type = stats::kPrometheusContentType;
  return out;
}

AdminResponse stats_page(const AdminHooks& hooks, const AdminRequest& request) {
  const std::string format = request.param("format");
  if (format == "prometheus") return prometheus(hooks, request);
  if (!format.empty() && format != "json" && format != "text")
    return error_response(400, "'format' is one of text, json, prometheus");
  const Result<stats::MetricFilter> filter = filter_of(request);
  if (!filter) return error_response(400, filter.error().message);
  if (hooks.refresh_stats) hooks.refresh_stats();
  if (format == "json") return json_response(stats::stats_json(*hooks.stats, *filter));
  return text_response(stats::stats_text(*hooks.stats, *filter));
}

constexpr std::array<Endpoint, 13> kEndpoints = {{
    {"/certs", false, "print certs on machine", "", certs},
    {"/clusters", false, "upstream cluster status", "format=json", clusters},
    {"/config_dump", false, "dump current configs; secrets are redacted",
     "resource=static_clusters, mask=, name_regex=, include_eds", config_dump},
    {"/config_status", false, "where each resource of a control plane stands, and why", "",
     config_status},
    {"/csds", false, "what control planes sent, and where each resource stands, as CSDS has it",
     "exclude_resource_contents", csds},
    {"/hot_restart_version", false, "print the hot restart compatibility version", "",
     hot_restart_version},
    {"/listeners", false, "print listener info", "format=json", listeners},
    {"/memory", false, "print current allocation and heap usage", "", memory},
    {"/ready", false, "print server state, with status 200 if LIVE, otherwise 503", "", ready},
    {"/runtime", false, "print runtime values", "", runtime},
    {"/server_info", false, "print server version and status information", "", server_info},
    {"/stats", false, "print server stats", "format=json, usedonly, filter=regex, type=Counters",
     stats_page},
    {"/stats/prometheus", false, "print server stats in Prometheus format",
     "usedonly, filter=regex", prometheus},
}};

}  // namespace

std::span<const Endpoint> read_endpoints() {
  return kEndpoints;
}

}  // namespace weir::admin
