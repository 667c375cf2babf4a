#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "config/diagnostic.h"
#include "config/field_path.h"
#include "proxy/upstream/grpc_client.h"

namespace envoy::config::core::v3 {
class GrpcService;
}

namespace weir::upstream {

// config.core.v3.GrpcService, compiled: which cluster a service is called on, and with what.
// Immutable: any thread.
struct GrpcServiceConfig {
  // Envoy sets no limit; one that no service of ours reaches keeps a broken one from our memory.
  static constexpr size_t kMaxMessageBytes = 64 * 1024 * 1024;

  std::string cluster;
  std::string authority;  // empty: the cluster's name
  GrpcMetadata metadata;
  int64_t timeout_ms = 0;  // of one call; 0: none
  size_t max_message_bytes = kMaxMessageBytes;
  // envoy_grpc.retry_policy: how long a stream that broke off waits for the next one.
  int64_t back_off_base_ms = 500;
  int64_t back_off_max_ms = 30'000;

  // For start(); valid as long as this config.
  GrpcMethod method(std::string_view service, std::string_view name) const;

  // Nothing on an error, which is then in `diagnostics`. Services are clusters here: google_grpc is
  // refused. `has_cluster` tells whether a cluster is configured; empty: that is not checked.
  static std::optional<GrpcServiceConfig> compile(
      const envoy::config::core::v3::GrpcService& config, const config::FieldPath& path,
      const std::function<bool(const std::string&)>& has_cluster, config::Diagnostics& diagnostics);
};

}  // namespace weir::upstream
