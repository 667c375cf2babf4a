#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "proxy/chain_match.h"
#include "proxy/hcm_config.h"
#include "proxy/listener_filter.h"
#include "proxy/net/address.h"
#include "proxy/tcp_proxy.h"

namespace weir {

namespace tls {
class ServerTls;
}

struct ChainConfig {
  std::string name;
  ChainMatch match;
  std::variant<std::shared_ptr<const HcmConfig>, std::shared_ptr<const TcpProxyConfig>> app;
  std::shared_ptr<const tls::ServerTls> tls;  // null: in the clear
  // transport_socket_connect_timeout: the time for the handshake; 0: none.
  int64_t handshake_timeout_ms = 15'000;
};

// Under `listener.<address>.`.
struct ListenerStats {
  ListenerStats() = default;
  ListenerStats(stats::Registry& registry, const std::string& prefix);

  stats::CounterId cx_total, cx_destroy, cx_overflow, no_chain_match, pre_cx_timeout,
      handshake_timeout, filter_error, filter_remote_close;
  stats::GaugeId cx_active, pre_cx_active;
};

// config.listener.v3.Listener, compiled. Immutable; shared by all workers.
struct ListenerConfig {
  std::string name;
  uint64_t hash = 0;                    // of the message
  std::vector<net::Address> addresses;  // address and additional_addresses
  std::vector<ConfiguredListenerFilter> filters;
  int64_t filters_timeout_ms = 15'000;  // 0: none
  bool continue_on_filters_timeout = false;
  std::vector<ChainConfig> chains;
  std::optional<ChainConfig> default_chain;
  uint32_t buffer_limit_bytes = 1 << 20;
  uint32_t backlog = 4096;
  uint32_t fast_open_queue = 0;  // 0: off
  bool reuse_port = true;
  bool bind_to_port = true;
  bool transparent = false;
  bool freebind = false;
  bool v6_only = true;
  uint32_t max_accepts_per_event = 64;
  uint32_t unix_mode = 0;
  // Of each worker's share, by the runtime key envoy.resource_limits.listener.<name>.
  // connection_limit; 0: none.
  uint64_t max_connections = 0;
  bool tcp_keepalive = false;
  uint32_t keepalive_probes = 0;
  uint32_t keepalive_time_s = 0;
  uint32_t keepalive_interval_s = 0;
  ListenerStats stats;

  // Whether something has to be read of a connection before its application gets it.
  bool greets() const;
  // The only chain there is, when every connection belongs to it; else null.
  const ChainConfig* single_chain() const;
  // The chain for a connection, or null.
  const ChainConfig* chain_for(const Approach& approach) const;
};

}  // namespace weir
