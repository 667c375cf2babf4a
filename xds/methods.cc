#include "xds/methods.h"

#include <array>

namespace weir::xds {
namespace {

// In the order of ResourceType.
constexpr std::array<Methods, kResourceTypes> kMethods = {{
    {"envoy.service.cluster.v3.ClusterDiscoveryService", "StreamClusters", "DeltaClusters",
     "/v3/discovery:clusters"},
    {"envoy.service.endpoint.v3.EndpointDiscoveryService", "StreamEndpoints", "DeltaEndpoints",
     "/v3/discovery:endpoints"},
    {"envoy.service.listener.v3.ListenerDiscoveryService", "StreamListeners", "DeltaListeners",
     "/v3/discovery:listeners"},
    {"envoy.service.route.v3.RouteDiscoveryService", "StreamRoutes", "DeltaRoutes",
     "/v3/discovery:routes"},
    {"envoy.service.route.v3.ScopedRoutesDiscoveryService", "StreamScopedRoutes",
     "DeltaScopedRoutes", "/v3/discovery:scoped-routes"},
    {"envoy.service.secret.v3.SecretDiscoveryService", "StreamSecrets", "DeltaSecrets",
     "/v3/discovery:secrets"},
    {"envoy.service.runtime.v3.RuntimeDiscoveryService", "StreamRuntime", "DeltaRuntime",
     "/v3/discovery:runtime"},
    {"envoy.service.extension.v3.ExtensionConfigDiscoveryService", "StreamExtensionConfigs",
     "DeltaExtensionConfigs", "/v3/discovery:extension_configs"},
}};

}  // namespace

const Methods& methods_of(ResourceType type) {
  return kMethods[static_cast<size_t>(type)];
}

}  // namespace weir::xds
