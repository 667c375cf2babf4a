#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "proxy/base/arena.h"
#include "proxy/http/route_compile.h"
#include "proxy/http/route_index.h"

namespace envoy::config::route::v3 {
class VirtualHost;
}

namespace weir::http {

// Where the routes of all virtual hosts of one table live: side by side, in their order, at
// addresses that do not change.
struct RouteStore {
  RouteStore(size_t host_count, size_t route_count);

  Arena texts;
  std::unique_ptr<VirtualHost[]> hosts;
  std::unique_ptr<Route[]> routes;
  std::vector<RouteMatcher> matchers;  // by route
  std::vector<std::unique_ptr<const Route>> tls_redirects;
  RouteFilters filters;  // of the table
};

// What a look-up reads of one virtual host: small, since tables have thousands.
struct HostRoutes {
  RouteIndex index;
  const Route* routes = nullptr;
  const Route* tls_redirect = nullptr;  // with require_tls
};

// Compiles the virtual host at `position`, all before it being compiled. `scope` is the table's.
HostRoutes compile_host(const envoy::config::route::v3::VirtualHost& config, size_t position,
                        const config::FieldPath& path, const RouteScope& scope, RouteStore& store);

}  // namespace weir::http
