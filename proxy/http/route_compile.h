#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/http/compile_duration.h"
#include "proxy/http/route.h"
#include "proxy/http/route_table.h"

namespace google::protobuf {
class Any;
template <class Element>
class RepeatedPtrField;
template <class Key, class Value>
class Map;
}  // namespace google::protobuf
namespace envoy::config::route::v3 {
class DirectResponseAction;
class RedirectAction;
class RetryPolicy;
class RouteAction;
class RouteAction_HashPolicy;
class RouteAction_RequestMirrorPolicy;
class RouteMatch;
class WeightedCluster;
}  // namespace envoy::config::route::v3

// The parts of compiling a RouteConfiguration. Errors go to RouteScope::diagnostics; what a
// function then returns is of no use, and the table is not built.
namespace weir::http {

// What holds for a route from around it.
struct RouteScope {
  const RouteBuild& build;
  bool check_clusters = false;
  bool most_specific_headers_win = false;
  size_t max_direct_body_bytes = 4096;
  HeaderChanges request_headers;  // of the table
  HeaderChanges response_headers;
  std::vector<Mirror> mirrors;  // of the table, or of the virtual host when it has some
  std::shared_ptr<const RetryPolicy> retry;  // of the virtual host
  uint64_t buffer_limit_bytes = 0;           // of the virtual host

  config::Diagnostics& diagnostics() const { return build.diagnostics; }
};

using MirrorConfigs =
    google::protobuf::RepeatedPtrField<envoy::config::route::v3::RouteAction_RequestMirrorPolicy>;
using HashConfigs =
    google::protobuf::RepeatedPtrField<envoy::config::route::v3::RouteAction_HashPolicy>;
using FilterConfigs = google::protobuf::Map<std::string, google::protobuf::Any>;

// route_action.cc
void compile_forward(const envoy::config::route::v3::RouteAction& config,
                     const envoy::config::route::v3::RouteMatch& match,
                     const config::FieldPath& path, const RouteScope& scope, ForwardAction& out);
// Reports a cluster that does not exist, if that is to be checked.
void check_cluster(const std::string& name, const config::FieldPath& path, const RouteScope& scope);

// route_weighted.cc
void compile_weighted(const envoy::config::route::v3::WeightedCluster& config,
                      const config::FieldPath& path, const RouteScope& scope, ForwardAction& out);

// route_policy.cc
RetryPolicy compile_retry(const envoy::config::route::v3::RetryPolicy& config,
                          const config::FieldPath& path, config::Diagnostics& diagnostics);
std::vector<HashPolicy> compile_hash(const HashConfigs& configs, const config::FieldPath& action,
                                     config::Diagnostics& diagnostics);
// The request_mirror_policies of the message at `parent`.
std::vector<Mirror> compile_mirrors(const MirrorConfigs& configs, const config::FieldPath& parent,
                                    const RouteScope& scope);

// route_reply.cc
void compile_redirect(const envoy::config::route::v3::RedirectAction& config,
                      const config::FieldPath& path, config::Diagnostics& diagnostics,
                      RedirectAction& out);
void compile_direct(const envoy::config::route::v3::DirectResponseAction& config,
                    const config::FieldPath& path, const RouteScope& scope, DirectAction& out);

// route_filters.cc: the typed_per_filter_config of the message at `parent`, by name.
RouteFilters compile_route_filters(const FilterConfigs& configs, const config::FieldPath& parent,
                                   const RouteScope& scope);

// route_values.cc: values that several of these read.
// Text that becomes part of a request's path: visible ASCII without '#'.
bool check_path_text(std::string_view text, const config::FieldPath& path,
                     config::Diagnostics& diagnostics);
// A host with an optional port, as it stands in a Host header.
bool check_host_text(std::string_view text, const config::FieldPath& path,
                     config::Diagnostics& diagnostics);

// The *_headers_to_add and *_headers_to_remove of a table, virtual host, route or weighted cluster.
template <class Config>
HeaderChanges compile_request_changes(const Config& config, const config::FieldPath& path,
                                      const RouteScope& scope) {
  return compile_header_changes(config.request_headers_to_add(), "request_headers_to_add",
                                config.request_headers_to_remove(), "request_headers_to_remove",
                                path, scope.diagnostics());
}

template <class Config>
HeaderChanges compile_response_changes(const Config& config, const config::FieldPath& path,
                                       const RouteScope& scope) {
  return compile_header_changes(config.response_headers_to_add(), "response_headers_to_add",
                                config.response_headers_to_remove(), "response_headers_to_remove",
                                path, scope.diagnostics());
}

}  // namespace weir::http
