#include "proxy/route_user.h"

#include <utility>

#include "envoy/config/core/v3/config_source.pb.h"
#include "envoy/config/route/v3/route.pb.h"
#include "proxy/filter_compile.h"

namespace weir {

RouteUser::RouteUser(const FilterCompiler& filters,
                     const envoy::config::core::v3::ConfigSource& source, std::string name, Of of)
    : filters_(std::make_unique<const FilterCompiler>(filters)),
      source_(std::make_unique<const envoy::config::core::v3::ConfigSource>(source)),
      name_(std::move(name)),
      feed_(of == Of::kScopes ? nullptr
                              : std::make_shared<RouteFeed>(filters.build().workers, RouteUse{})) {}

RouteUser::~RouteUser() = default;

std::shared_ptr<const http::RouteTable> RouteUser::compile(
    const envoy::config::route::v3::RouteConfiguration& config, const config::FieldPath& path,
    config::Diagnostics& diagnostics) const {
  const FilterCompiler filters(*filters_, diagnostics);
  if (config.validate_clusters().value())
    return compile_routes(config, path, filters, filters.build().has_cluster);
  return compile_routes(config, path, filters, {});
}

}  // namespace weir
