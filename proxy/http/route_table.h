#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/diagnostic.h"
#include "config/field_path.h"
#include "proxy/http/fraction.h"
#include "proxy/http/route.h"

namespace google::protobuf {
class Any;
}
namespace envoy::config::route::v3 {
class RouteConfiguration;
}

namespace weir::http {

// What compiling a route table needs from outside, on the main thread.
struct RouteBuild {
  config::Diagnostics& diagnostics;
  // Compiles one typed_per_filter_config entry; an error is already reported when it returns null
  // without `disabled`. Set by whoever knows the registry.
  std::function<RouteFilter(const std::string& name, const google::protobuf::Any&,
                            const config::FieldPath&)>
      compile_filter;
  // Whether a cluster of that name exists, for validate_clusters; empty: not checked.
  std::function<bool(std::string_view)> has_cluster;
};

// config.route.v3.RouteConfiguration, compiled: domains hashed, prefixes and paths in sorted
// tables, so that a look-up costs the same with 10 routes and with 100,000. Immutable: any thread.
class RouteTable {
 public:
  // Null on errors, which are then in `build.diagnostics`.
  static std::unique_ptr<const RouteTable> compile(
      const envoy::config::route::v3::RouteConfiguration& config, const config::FieldPath& path,
      const RouteBuild& build);
  ~RouteTable();
  RouteTable(const RouteTable&) = delete;
  RouteTable& operator=(const RouteTable&) = delete;

  struct Query {
    const RequestHead& request;
    uint64_t random = 0;  // for runtime_fraction
    bool tls = false;
    RuntimeLookup runtime;  // may be empty
  };
  // A pure look-up, without heap allocation on the ordinary way: the first route in the configured
  // order that matches, or null.
  const Route* find(const Query& query) const;

  const std::string& name() const;

 private:
  struct Tables;
  explicit RouteTable(std::unique_ptr<Tables> tables);
  std::unique_ptr<Tables> tables_;
};

}  // namespace weir::http
