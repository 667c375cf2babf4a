#include <google/protobuf/any.pb.h>
#include <google/protobuf/map.h>

#include <algorithm>

#include "proxy/http/route_compile.h"

namespace weir::http {
namespace {

using config::Code;
using config::FieldPath;

}  // namespace

RouteFilters compile_route_filters(const FilterConfigs& configs, const FieldPath& parent,
                                   const RouteScope& scope) {
  RouteFilters filters;
  for (const auto& [name, any] : configs) {
    const FieldPath path = parent.entry("typed_per_filter_config", name);
    if (!scope.build.compile_filter) {
      scope.diagnostics().error(Code::kUnknownExtension, path, "no filter can be configured here");
      continue;
    }
    RouteFilter filter = scope.build.compile_filter(name, any, path);
    if (filter.config != nullptr || filter.disabled) filters.push_back(std::move(filter));
  }
  // A map of the configuration has no order of its own.
  std::sort(filters.begin(), filters.end(),
            [](const RouteFilter& a, const RouteFilter& b) { return a.name < b.name; });
  return filters;
}

}  // namespace weir::http
