#pragma once

#include <string_view>

#include "xds/types.h"

namespace weir::xds {

// How a control plane is asked for one type alone.
struct Methods {
  std::string_view service;  // gRPC, as "envoy.service.cluster.v3.ClusterDiscoveryService"
  std::string_view stream;   // its method for the state of the world
  std::string_view delta;
  std::string_view rest_path;  // of a POST with a DiscoveryRequest as JSON
};
const Methods& methods_of(ResourceType type);

// For all types together.
inline constexpr std::string_view kAggregatedService =
    "envoy.service.discovery.v3.AggregatedDiscoveryService";
inline constexpr std::string_view kAggregatedStream = "StreamAggregatedResources";
inline constexpr std::string_view kAggregatedDelta = "DeltaAggregatedResources";

// Where load is reported.
inline constexpr std::string_view kLoadReportingService =
    "envoy.service.load_stats.v3.LoadReportingService";
inline constexpr std::string_view kStreamLoadStats = "StreamLoadStats";

// Where health checks are ordered, and their results told.
inline constexpr std::string_view kHealthDiscoveryService =
    "envoy.service.health.v3.HealthDiscoveryService";
inline constexpr std::string_view kStreamHealthCheck = "StreamHealthCheck";

}  // namespace weir::xds
