#include "xds/types.h"

#include <array>

#include "xds/methods.h"

namespace weir::xds {
namespace {

struct Row {
  std::string_view url;
  std::string_view short_name;
  Methods methods;
};

constexpr std::array<Row, kResourceTypes> kRows = {{
    {"type.googleapis.com/envoy.config.cluster.v3.Cluster",
     "CDS",
     {"envoy.service.cluster.v3.ClusterDiscoveryService", "StreamClusters", "DeltaClusters",
      "/v3/discovery:clusters"}},
    {"type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
     "EDS",
     {"envoy.service.endpoint.v3.EndpointDiscoveryService", "StreamEndpoints", "DeltaEndpoints",
      "/v3/discovery:endpoints"}},
    {"type.googleapis.com/envoy.config.listener.v3.Listener",
     "LDS",
     {"envoy.service.listener.v3.ListenerDiscoveryService", "StreamListeners", "DeltaListeners",
      "/v3/discovery:listeners"}},
    {"type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
     "RDS",
     {"envoy.service.route.v3.RouteDiscoveryService", "StreamRoutes", "DeltaRoutes",
      "/v3/discovery:routes"}},
    {"type.googleapis.com/envoy.config.route.v3.ScopedRouteConfiguration",
     "SRDS",
     {"envoy.service.route.v3.ScopedRoutesDiscoveryService", "StreamScopedRoutes",
      "DeltaScopedRoutes", "/v3/discovery:scoped-routes"}},
    {"type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
     "SDS",
     {"envoy.service.secret.v3.SecretDiscoveryService", "StreamSecrets", "DeltaSecrets",
      "/v3/discovery:secrets"}},
    {"type.googleapis.com/envoy.service.runtime.v3.Runtime",
     "RTDS",
     {"envoy.service.runtime.v3.RuntimeDiscoveryService", "StreamRuntime", "DeltaRuntime",
      "/v3/discovery:runtime"}},
    {"type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
     "ECDS",
     {"envoy.service.extension.v3.ExtensionConfigDiscoveryService", "StreamExtensionConfigs",
      "DeltaExtensionConfigs", "/v3/discovery:extension_configs"}},
}};

const Row& row(ResourceType type) {
  return kRows[static_cast<size_t>(type)];
}

}  // namespace

std::string_view type_url(ResourceType type) {
  return row(type).url;
}

std::optional<ResourceType> type_of_url(std::string_view url) {
  for (size_t i = 0; i < kRows.size(); ++i) {
    if (kRows[i].url == url) return static_cast<ResourceType>(i);
  }
  return std::nullopt;
}

std::string_view short_name(ResourceType type) {
  return row(type).short_name;
}

bool absence_removes(ResourceType type) {
  return type == ResourceType::kCluster || type == ResourceType::kListener;
}

const Methods& methods_of(ResourceType type) {
  return row(type).methods;
}

}  // namespace weir::xds
