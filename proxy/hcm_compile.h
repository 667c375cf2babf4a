#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/diagnostic.h"
#include "config/field_path.h"
#include "proxy/hcm_config.h"
#include "proxy/http/access_log.h"
#include "proxy/http/filter_type.h"
#include "proxy/runtime.h"
#include "xds/types.h"

namespace envoy::extensions::filters::network::http_connection_manager::v3 {
class HttpConnectionManager;
}

namespace envoy::config::core::v3 {
class ConfigSource;
}

namespace envoy::extensions::filters::network::tcp_proxy::v3 {
class TcpProxy;
}

namespace weir {

namespace tls {
class Secrets;
class SecretUser;
}  // namespace tls

struct Overload;
struct TcpProxyConfig;

// What compiling needs from the rest of the process, which outlives what is compiled. Main thread.
struct AppParts {
  stats::Registry& stats;
  std::span<const http::FilterType> filter_types;
  std::function<bool(std::string_view)> has_cluster;
  stats::LogWriters& logs;
  const std::atomic<bool>* health_check_failing = nullptr;
  uint32_t workers = 1;
  uint16_t listener_port = 0;
  std::string listener_stat_prefix;  // "listener.<address>."
  http::KeptState* kept_filter_state = nullptr;
  Overload* overload = nullptr;                // null: nothing is ever short
  std::string service_cluster;                 // node.cluster
  std::shared_ptr<const LiveRuntime> runtime;  // null: nothing is set
  tls::Secrets* secrets = nullptr;             // null: TLS is refused
  bool clusters_may_follow = false;            // from a control plane
  // Whether resources of a type can be had from a source; if not, that is in the diagnostics.
  // Empty: they cannot.
  std::function<bool(const envoy::config::core::v3::ConfigSource& source, xds::ResourceType type,
                     const config::FieldPath& path, config::Diagnostics& diagnostics)>
      check_source = {};
  // Told when what a connection manager asked control planes for is no longer wanted; on any
  // thread. May be empty.
  std::function<void()> when_gone = {};
};

// The same for one compilation, with the place for its errors.
struct AppBuild : AppParts {
  AppBuild(const AppParts& parts, config::Diagnostics& where)
      : AppParts(parts), diagnostics(where) {}
  config::Diagnostics& diagnostics;
  // Where the secrets of filters are noted, for a connection manager that waits for them; null:
  // nobody waits.
  std::vector<std::shared_ptr<const tls::SecretUser>>* used_secrets = nullptr;
};

// Null on errors, which are then in the diagnostics.
std::shared_ptr<const HcmConfig> compile_hcm(
    const envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager&
        hcm,
    const config::FieldPath& path, const AppBuild& build);
std::shared_ptr<const TcpProxyConfig> compile_tcp_proxy(
    const envoy::extensions::filters::network::tcp_proxy::v3::TcpProxy& tcp,
    const config::FieldPath& path, const AppBuild& build);

}  // namespace weir
