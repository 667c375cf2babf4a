#include "xds/types.h"

#include <array>

namespace weir::xds {
namespace {

struct Names {
  std::string_view url;
  std::string_view short_name;
};

// In the order of ResourceType.
constexpr std::array<Names, kResourceTypes> kNames = {{
    {"type.googleapis.com/envoy.config.cluster.v3.Cluster", "CDS"},
    {"type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment", "EDS"},
    {"type.googleapis.com/envoy.config.listener.v3.Listener", "LDS"},
    {"type.googleapis.com/envoy.config.route.v3.RouteConfiguration", "RDS"},
    {"type.googleapis.com/envoy.config.route.v3.ScopedRouteConfiguration", "SRDS"},
    {"type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret", "SDS"},
    {"type.googleapis.com/envoy.service.runtime.v3.Runtime", "RTDS"},
    {"type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig", "ECDS"},
}};

}  // namespace

std::string_view type_url(ResourceType type) {
  return kNames[static_cast<size_t>(type)].url;
}

std::optional<ResourceType> type_of_url(std::string_view url) {
  for (size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i].url == url) return static_cast<ResourceType>(i);
  }
  return std::nullopt;
}

std::string_view short_name(ResourceType type) {
  return kNames[static_cast<size_t>(type)].short_name;
}

bool absence_removes(ResourceType type) {
  return type == ResourceType::kCluster || type == ResourceType::kListener ||
         type == ResourceType::kScopedRoute;
}

}  // namespace weir::xds
