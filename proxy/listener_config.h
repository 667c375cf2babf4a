#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "proxy/chain_match.h"
#include "proxy/hcm_config.h"
#include "proxy/http/access_log.h"
#include "proxy/listener_filter.h"
#include "proxy/net/address.h"
#include "proxy/overload.h"
#include "proxy/tcp_proxy.h"

namespace weir {

namespace tls {
class ServerTls;
}

// Immutable. A chain that is the same in the next configuration of its listener is the same object
// there, and its connections stay.
struct ChainConfig {
  std::string name;
  uint64_t hash = 0;  // of the message, and of what else it is made of
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

  stats::CounterId cx_total, cx_destroy, cx_overflow, global_cx_overflow, cx_overload_reject,
      no_chain_match, pre_cx_timeout, handshake_timeout, secrets_not_ready, filter_error,
      filter_remote_close;
  stats::GaugeId cx_active, pre_cx_active;
  stats::HistogramId cx_length_ms;
};

// config.core.v3.SocketOption of a listening socket; on Linux its connections inherit it.
struct SocketOption {
  int level = 0;
  int name = 0;
  std::string value;  // as setsockopt takes it
  bool before_bind = true;
  friend bool operator==(const SocketOption&, const SocketOption&) = default;
};

// config.listener.v3.Listener, compiled. Immutable; shared by all workers.
struct ListenerConfig {
  std::string name;
  uint64_t hash = 0;                    // of the message, and of what else it is made of
  uint64_t frame_hash = 0;              // the same without the chains
  std::vector<net::Address> addresses;  // address and additional_addresses
  std::vector<ConfiguredListenerFilter> filters;
  int64_t filters_timeout_ms = 15'000;  // 0: none
  bool continue_on_filters_timeout = false;
  std::vector<std::shared_ptr<const ChainConfig>> chains;
  std::shared_ptr<const ChainConfig> default_chain;  // may be null
  uint32_t buffer_limit_bytes = 1 << 20;
  uint32_t backlog = 4096;
  uint32_t fast_open_queue = 0;  // 0: off
  bool reuse_port = true;
  bool bind_to_port = true;
  bool transparent = false;
  bool freebind = false;
  bool v6_only = true;
  std::vector<SocketOption> socket_options;
  uint32_t max_accepts_per_event = 64;
  uint32_t unix_mode = 0;
  std::shared_ptr<const LiveRuntime> runtime;  // null: there is none
  std::string limit_key;                       // of max_connections
  bool inbound = false;                        // traffic_direction
  // While it is true, responses end their connections; null: they never do (drain_type
  // MODIFY_ONLY).
  const std::atomic<bool>* health_check_failing = nullptr;
  ListenerStats stats;

  std::shared_ptr<const http::AccessLogs> access_logs;  // of connections; null: none

  // Of all workers; of the process, unless ignore_global_conn_limit is set.
  std::shared_ptr<ConnectionCount> open;
  Overload* overload = nullptr;          // null: nothing is ever short
  bool bypass_overload = false;          // bypass_overload_manager
  bool ignore_connection_limit = false;  // ignore_global_conn_limit

  // How many connections there may be of it at present; 0: as many as come.
  uint64_t max_connections() const { return runtime == nullptr ? 0 : runtime->limit(limit_key, 0); }
  // How many of all listeners there may be; 0: as many as come.
  uint64_t max_connections_of_all() const;
  // An address on which both would accept; null: there is none.
  const net::Address* common_address(const ListenerConfig& other) const;
  // Whether its sockets can stay where that was the config before.
  bool same_sockets(const ListenerConfig& before) const {
    return addresses == before.addresses && socket_options == before.socket_options;
  }
  // Whether something has to be read of a connection before its application gets it.
  bool greets() const;
  // The only chain there is, when every connection belongs to it; else null.
  std::shared_ptr<const ChainConfig> single_chain() const;
  // The chain for a connection, or null.
  std::shared_ptr<const ChainConfig> chain_for(const Approach& approach) const;
  // Each chain, the default one last.
  template <class Visit>
  void each_chain(Visit visit) const {
    for (const auto& chain : chains) visit(chain);
    if (default_chain != nullptr) visit(default_chain);
  }
};

}  // namespace weir
