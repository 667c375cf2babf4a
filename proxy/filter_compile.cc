#include "proxy/filter_compile.h"

#include <google/protobuf/any.pb.h>
#include <google/protobuf/dynamic_message.h>

#include <set>
#include <utility>

#include "envoy/config/route/v3/route.pb.h"
#include "envoy/config/route/v3/route_components.pb.h"
#include "envoy/extensions/filters/http/router/v3/router.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"

namespace weir {
namespace {

namespace hcmv3 = envoy::extensions::filters::network::http_connection_manager::v3;
using config::Code;
using config::FieldPath;
using envoy::extensions::filters::http::router::v3::Router;

std::string_view type_name(const google::protobuf::Any& any) {
  const std::string& url = any.type_url();
  return std::string_view(url).substr(url.rfind('/') + 1);
}

// The message inside, of whatever type; the loader has made sure that it is known and well-formed.
std::unique_ptr<google::protobuf::Message> unpack(const google::protobuf::Any& any) {
  const auto* pool = google::protobuf::DescriptorPool::generated_pool();
  const auto* type = pool->FindMessageTypeByName(std::string(type_name(any)));
  if (type == nullptr) return nullptr;
  const auto* prototype = google::protobuf::MessageFactory::generated_factory()->GetPrototype(type);
  std::unique_ptr<google::protobuf::Message> message(prototype->New());
  return message->ParseFromString(any.value()) ? std::move(message) : nullptr;
}

}  // namespace

FilterCompiler::FilterCompiler(const AppBuild& build, std::string stat_prefix,
                               const HttpFilters& filters)
    : build_(build), stat_prefix_(std::move(stat_prefix)) {
  for (const hcmv3::HttpFilter& filter : filters)
    type_of_[filter.name()] = find(type_name(filter.typed_config()));
}

FilterCompiler::FilterCompiler(const FilterCompiler& other, config::Diagnostics& diagnostics)
    : build_(other.build_, diagnostics),
      stat_prefix_(other.stat_prefix_),
      type_of_(other.type_of_) {
  // What a listener depends on was said when it was compiled.
  build_.depends_on = {};
}

const http::FilterType* FilterCompiler::find(std::string_view message) const {
  for (const http::FilterType& type : build_.filter_types)
    if (type.message == message) return &type;
  return nullptr;
}

const http::FilterType* FilterCompiler::find_route(std::string_view message) const {
  for (const http::FilterType& type : build_.filter_types)
    if (type.route_message == message && !message.empty()) return &type;
  return nullptr;
}

std::shared_ptr<const http::FilterConfig> FilterCompiler::compile(http::FilterType::Compile how,
                                                                  const google::protobuf::Any& any,
                                                                  const FieldPath& path) const {
  const auto message = unpack(any);
  if (message == nullptr || how == nullptr) {
    build_.diagnostics.error(Code::kUnknownExtension, path,
                             "'" + std::string(type_name(any)) + "' is not an HTTP filter here");
    return nullptr;
  }
  http::FilterBuild build{.diagnostics = build_.diagnostics,
                          .path = path,
                          .stats = build_.stats,
                          .stat_prefix = stat_prefix_,
                          .workers = build_.workers,
                          .health_check_failing = build_.health_check_failing,
                          .kept = build_.kept_filter_state,
                          .service_cluster = build_.service_cluster,
                          .depends_on = build_.depends_on};
  if (build_.runtime != nullptr)
    build.runtime = [runtime = build_.runtime](std::string_view key, uint32_t fallback) {
      return runtime->number(key, fallback);
    };
  return how(*message, build);
}

bool FilterCompiler::compile_list(const HttpFilters& filters, const FieldPath& path,
                                  http::FilterList& out, Router& router) const {
  if (filters.empty()) {
    build_.diagnostics.error(Code::kSemantic, path,
                             "a chain of HTTP filters must end with the router",
                             "add envoy.filters.http.router as the last one");
    return false;
  }
  std::set<std::string> names;
  bool fine = true;
  for (int i = 0; i < filters.size(); ++i) {
    const FieldPath at = path.at(i);
    if (!names.insert(filters[i].name()).second) {
      build_.diagnostics.error(Code::kSemantic, at,
                               "the filter name '" + filters[i].name() + "' is used twice");
      fine = false;
    }
    fine &= compile_one(filters[i], at, i + 1 == filters.size(), out, router);
  }
  return fine;
}

http::RouteFilter FilterCompiler::compile_route(const std::string& name,
                                                const google::protobuf::Any& any,
                                                const FieldPath& path) const {
  http::RouteFilter out;
  out.name = name;
  if (type_name(any) == "envoy.config.route.v3.FilterConfig") {
    envoy::config::route::v3::FilterConfig wrapper;
    any.UnpackTo(&wrapper);
    out.disabled = wrapper.disabled();
    if (wrapper.has_config() && !wrapper.config().type_url().empty())
      out.config = compile_route(name, wrapper.config(), path.field("config")).config;
    return out;
  }
  const http::FilterType* type = find_route(type_name(any));
  if (type != nullptr && !is_of_type(name, *type, path)) return out;
  out.config = compile(type == nullptr ? nullptr : type->compile_route, any, path);
  return out;
}

// A filter takes its per-route config for one of its own type without asking.
bool FilterCompiler::is_of_type(const std::string& name, const http::FilterType& type,
                                const FieldPath& path) const {
  const auto found = type_of_.find(name);
  if (found == type_of_.end() || found->second == nullptr || found->second == &type) return true;
  const http::FilterType& wanted = *found->second;
  build_.diagnostics.error(
      Code::kSemantic, path, "the filter '" + name + "' is a '" + std::string(wanted.message) + "'",
      wanted.route_message.empty()
          ? "that filter has no per-route configuration"
          : "its per-route configuration is a '" + std::string(wanted.route_message) + "'");
  return false;
}

bool FilterCompiler::compile_one(const hcmv3::HttpFilter& filter, const FieldPath& path, bool last,
                                 http::FilterList& out, Router& router) const {
  if (!filter.has_typed_config()) {
    build_.diagnostics.error(Code::kSemantic, path, "the filter has no typed_config");
    return false;
  }
  const FieldPath config = path.field("typed_config");
  const http::FilterType* type = find(type_name(filter.typed_config()));
  if (type == nullptr) {
    if (filter.is_optional()) return true;
    build_.diagnostics.error(
        Code::kNotSupported, config,
        "Weir has no HTTP filter '" + std::string(type_name(filter.typed_config())) + "'");
    return false;
  }
  if (type->terminal != last) {
    build_.diagnostics.error(Code::kSemantic, path,
                             last ? "the last HTTP filter must be the router"
                                  : "the router must be the last HTTP filter");
    return false;
  }
  if (type->terminal) {
    filter.typed_config().UnpackTo(&router);
    return true;
  }
  http::ConfiguredFilter made{filter.name(), compile(type->compile, filter.typed_config(), config),
                              filter.disabled()};
  const bool fine = made.config != nullptr;
  out.push_back(std::move(made));
  return fine;
}

std::shared_ptr<const http::RouteTable> compile_routes(
    const envoy::config::route::v3::RouteConfiguration& config, const FieldPath& path,
    const FilterCompiler& filters, std::function<bool(std::string_view)> has_cluster) {
  http::RouteBuild build{filters.build().diagnostics,
                         [&](const std::string& name, const google::protobuf::Any& any,
                             const FieldPath& at) { return filters.compile_route(name, any, at); },
                         std::move(has_cluster)};
  return http::RouteTable::compile(config, path, build);
}

}  // namespace weir
