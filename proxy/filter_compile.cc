#include "proxy/filter_compile.h"

#include <google/protobuf/any.pb.h>
#include <google/protobuf/dynamic_message.h>

#include <algorithm>
#include <utility>

#include "envoy/config/core/v3/config_source.pb.h"
#include "envoy/config/route/v3/route.pb.h"
#include "envoy/config/route/v3/route_components.pb.h"
#include "envoy/extensions/filters/http/router/v3/router.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "proxy/tls/generic_secret.h"

namespace weir {
namespace {

namespace hcmv3 = envoy::extensions::filters::network::http_connection_manager::v3;
using config::Code;
using config::FieldPath;
using envoy::extensions::filters::http::router::v3::Router;

std::string_view type_name(std::string_view url) {
  return url.substr(url.rfind('/') + 1);
}

std::string_view type_name(const google::protobuf::Any& any) {
  return type_name(std::string_view(any.type_url()));
}

template <class Type>
bool contains(const std::vector<Type>& all, Type one) {
  return std::find(all.begin(), all.end(), one) != all.end();
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
  for (const hcmv3::HttpFilter& filter : filters) {
    auto& types = types_of_[filter.name()];
    for (const std::string& url : filter.config_discovery().type_urls())
      if (const http::FilterType* type = find(type_name(url))) types.push_back(type);
    if (const http::FilterType* type = find(type_name(filter.typed_config())))
      types.push_back(type);
  }
}

FilterCompiler::FilterCompiler(const FilterCompiler& other, config::Diagnostics& diagnostics)
    : build_(other.build_, diagnostics),
      stat_prefix_(other.stat_prefix_),
      types_of_(other.types_of_) {
  build_.used_secrets = nullptr;  // the connection manager was compiled long ago
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
                          .service_cluster = build_.service_cluster};
  build.runtime = lookup_in(build_.runtime);
  if (build_.secrets != nullptr)
    build.use_secret = [this](const auto& wanted, const FieldPath& at, auto take) {
      auto used = tls::GenericSecret::make(wanted, at, *build_.secrets, build_.diagnostics,
                                           std::move(take));
      if (used != nullptr && build_.used_secrets != nullptr) build_.used_secrets->push_back(used);
      return used;
    };
  return how(*message, build);
}

bool FilterCompiler::compile_list(const HttpFilters& filters, const FieldPath& path, Chain& out,
                                  Router& router) const {
  if (filters.empty()) {
    build_.diagnostics.error(Code::kSemantic, path,
                             "a chain of HTTP filters must end with the router",
                             "add envoy.filters.http.router as the last one");
    return false;
  }
  bool fine = true;
  for (int i = 0; i < filters.size(); ++i)
    fine &= compile_one(filters[i], path.at(i), i + 1 == filters.size(), out, router);
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
    if (!wrapper.has_config() || wrapper.config().type_url().empty()) return out;
    http::RouteFilter inner = compile_route(name, wrapper.config(), path.field("config"));
    out.config = std::move(inner.config);
    out.type = inner.type;
    return out;
  }
  const http::FilterType* type = find_route(type_name(any));
  if (type != nullptr && !is_of_type(name, *type, path)) return out;
  out.config = compile(type == nullptr ? nullptr : type->compile_route, any, path);
  out.type = type;
  return out;
}

// A filter takes its per-route config for one of its own type without asking.
bool FilterCompiler::is_of_type(const std::string& name, const http::FilterType& type,
                                const FieldPath& path) const {
  const auto found = types_of_.find(name);
  if (found == types_of_.end() || found->second.empty() || contains(found->second, &type))
    return true;
  const http::FilterType& wanted = *found->second[0];
  build_.diagnostics.error(
      Code::kSemantic, path, "the filter '" + name + "' is a '" + std::string(wanted.message) + "'",
      wanted.route_message.empty()
          ? "that filter has no per-route configuration"
          : "its per-route configuration is a '" + std::string(wanted.route_message) + "'");
  return false;
}

bool FilterCompiler::compile_one(const HttpFilter& filter, const FieldPath& path, bool last,
                                 Chain& out, Router& router) const {
  if (filter.has_config_discovery()) return compile_discovered(filter, path, last, out);
  if (!filter.has_typed_config()) {
    if (filter.is_optional()) return leave_out(path, last);
    build_.diagnostics.error(Code::kSemantic, path, "the filter has no typed_config");
    return false;
  }
  const FieldPath config = path.field("typed_config");
  const http::FilterType* type = find(type_name(filter.typed_config()));
  if (type == nullptr) {
    if (filter.is_optional()) return leave_out(path, last);
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
                              filter.disabled(), type};
  const bool fine = made.config != nullptr;
  out.filters.push_back(std::move(made));
  return fine;
}

// An optional filter that is not there; its place is the chain's end all the same.
bool FilterCompiler::leave_out(const FieldPath& path, bool last) const {
  if (last)
    build_.diagnostics.error(Code::kSemantic, path, "the last HTTP filter must be the router");
  return !last;
}

// ---- config_discovery ----

bool FilterCompiler::read_types(const HttpFilter& filter, const FieldPath& path,
                                DiscoveredFilter& out) const {
  const FieldPath urls = path.field("type_urls");
  const auto& discovery = filter.config_discovery();
  bool fine = true;
  for (int i = 0; i < discovery.type_urls_size(); ++i) {
    const FieldPath at = urls.at(i);
    const std::string name(type_name(discovery.type_urls(i)));
    const http::FilterType* type = find(name);
    if (type != nullptr && !type->terminal) {
      out.types.push_back(type);
      continue;
    }
    fine = false;
    if (type == nullptr)
      build_.diagnostics.error(Code::kNotSupported, at, "Weir has no HTTP filter '" + name + "'");
    else
      build_.diagnostics.error(Code::kNotSupported, at, "the router does not come by ECDS here",
                               "let it stand in http_filters with a typed_config");
  }
  return fine;
}

bool FilterCompiler::compile_discovered(const HttpFilter& filter, const FieldPath& path, bool last,
                                        Chain& out) const {
  const size_t errors_before = build_.diagnostics.error_count();
  const FieldPath at = path.field("config_discovery");
  const auto& discovery = filter.config_discovery();
  const FieldPath source = at.field("config_source");
  DiscoveredFilter made;
  made.name = filter.name();
  made.position = out.filters.size();
  made.needs_no_warming = discovery.apply_default_config_without_warming();
  made.fallback = missing_filter(filter.name(), filter.disabled());
  if (last)
    build_.diagnostics.error(Code::kSemantic, path, "the last HTTP filter must be the router");
  if (!build_.check_source)
    build_.diagnostics.error(Code::kNotSupported, source, "there is no control plane here");
  else
    build_.check_source(discovery.config_source(), xds::ResourceType::kExtension, source,
                        build_.diagnostics);
  if (made.needs_no_warming && !discovery.has_default_config())
    build_.diagnostics.error(Code::kSemantic, at.field("apply_default_config_without_warming"),
                             "there is no default_config to apply", "add one");
  if (read_types(filter, at, made) && discovery.has_default_config())
    made.fallback =
        compile_discovered_config(made, discovery.default_config(), at.field("default_config"));
  made.source =
      std::make_shared<const envoy::config::core::v3::ConfigSource>(discovery.config_source());
  out.filters.push_back(made.fallback);
  out.discovered.push_back(std::move(made));
  return build_.diagnostics.error_count() == errors_before;
}

http::ConfiguredFilter FilterCompiler::compile_discovered_config(const DiscoveredFilter& filter,
                                                                 const google::protobuf::Any& any,
                                                                 const FieldPath& path) const {
  http::ConfiguredFilter out{filter.name, nullptr, filter.fallback.disabled};
  out.type = find(type_name(any));
  if (out.type != nullptr && contains(filter.types, out.type)) {
    out.config = compile(out.type->compile, any, path);
    return out;
  }
  std::string allowed;
  for (const http::FilterType* type : filter.types)
    allowed += (allowed.empty() ? "" : ", ") + std::string(type->message);
  build_.diagnostics.error(
      Code::kSemantic, path,
      "the filter '" + filter.name + "' takes no '" + std::string(type_name(any)) + "'",
      "its type_urls are of " + allowed);
  return out;
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
