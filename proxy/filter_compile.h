#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/filter_user.h"
#include "proxy/hcm_compile.h"
#include "proxy/http/filter_chain.h"
#include "proxy/http/route_table.h"

namespace google::protobuf {
class Any;
template <class Element>
class RepeatedPtrField;
}  // namespace google::protobuf
namespace envoy::extensions::filters::http::router::v3 {
class Router;
}
namespace envoy::extensions::filters::network::http_connection_manager::v3 {
class HttpFilter;
}

namespace weir {

// Compiles the HTTP filters of one connection manager, and later their per-route configurations.
// Main thread.
class FilterCompiler {
 public:
  using HttpFilters = google::protobuf::RepeatedPtrField<
      envoy::extensions::filters::network::http_connection_manager::v3::HttpFilter>;

  FilterCompiler(const AppBuild& build, std::string stat_prefix, const HttpFilters& filters);
  // The same, reporting elsewhere: for a route table that comes after its connection manager.
  FilterCompiler(const FilterCompiler& other, config::Diagnostics& diagnostics);

  // What a list of filters is compiled to. The terminal router is checked and left out.
  struct Chain {
    http::FilterList filters;
    std::vector<DiscoveredFilter> discovered;
  };
  // False on errors.
  bool compile_list(const HttpFilters& filters, const config::FieldPath& path, Chain& out,
                    envoy::extensions::filters::http::router::v3::Router& router) const;
  // What came for a filter of a list; without `config` on errors.
  http::ConfiguredFilter compile_discovered_config(const DiscoveredFilter& filter,
                                                   const google::protobuf::Any& any,
                                                   const config::FieldPath& path) const;
  // An entry of a typed_per_filter_config.
  http::RouteFilter compile_route(const std::string& name, const google::protobuf::Any& any,
                                  const config::FieldPath& path) const;
  const AppBuild& build() const { return build_; }

 private:
  const http::FilterType* find(std::string_view message) const;
  const http::FilterType* find_route(std::string_view message) const;
  std::shared_ptr<const http::FilterConfig> compile(http::FilterType::Compile how,
                                                    const google::protobuf::Any& any,
                                                    const config::FieldPath& path) const;
  bool is_of_type(const std::string& name, const http::FilterType& type,
                  const config::FieldPath& path) const;
  using HttpFilter = envoy::extensions::filters::network::http_connection_manager::v3::HttpFilter;
  bool compile_one(const HttpFilter& filter, const config::FieldPath& path, bool last, Chain& out,
                   envoy::extensions::filters::http::router::v3::Router& router) const;
  bool leave_out(const config::FieldPath& path, bool last) const;
  bool compile_discovered(const HttpFilter& filter, const config::FieldPath& path, bool last,
                          Chain& out) const;
  bool read_types(const HttpFilter& filter, const config::FieldPath& path,
                  DiscoveredFilter& out) const;

  AppBuild build_;
  std::string stat_prefix_;
  // By the name in the chain; several when the config comes by ECDS, or filters share a name.
  std::map<std::string, std::vector<const http::FilterType*>> types_of_;
};

// A RouteConfiguration whose filters are those of the compiler; null on errors, which are then in
// its diagnostics. `has_cluster`: see RouteBuild.
std::shared_ptr<const http::RouteTable> compile_routes(
    const envoy::config::route::v3::RouteConfiguration& config, const config::FieldPath& path,
    const FilterCompiler& filters, std::function<bool(std::string_view)> has_cluster);

}  // namespace weir
