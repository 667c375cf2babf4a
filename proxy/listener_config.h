#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "proxy/hcm_config.h"
#include "proxy/net/address.h"
#include "proxy/tcp_proxy.h"

namespace weir {

struct CidrRange {
  net::Address address;
  uint32_t bits = 0;
  bool contains(const net::Address& other) const;
};

// config.listener.v3.FilterChainMatch, as far as a connection without TLS can be told apart.
struct ChainMatch {
  std::optional<uint16_t> destination_port;
  std::vector<CidrRange> destinations;
  enum class SourceType : uint8_t { kAny, kLocal, kExternal };
  SourceType source_type = SourceType::kAny;
  std::vector<CidrRange> sources;
  std::vector<uint16_t> source_ports;
  bool needs_tls = false;  // server_names, application_protocols or transport_protocol "tls"

  // How specific the match is, in Envoy's order of precedence: destination port, its address, TLS,
  // the source's type, address and port. As in Envoy there is no way back: a chain that is more
  // specific in an earlier criterion is the one, even if a later one of its own does not hold.
  struct Rank {
    int64_t order = 0;
    bool holds = true;  // all of it
  };
  Rank rank(const net::Address& local, const net::Address& peer) const;
};

struct ChainConfig {
  std::string name;
  ChainMatch match;
  std::variant<std::shared_ptr<const HcmConfig>, std::shared_ptr<const TcpProxyConfig>> app;
};

// config.listener.v3.Listener, compiled. Immutable; shared by all workers.
struct ListenerConfig {
  std::string name;
  uint64_t hash = 0;                    // of the message
  std::vector<net::Address> addresses;  // address and additional_addresses
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
  stats::CounterId cx_total, cx_destroy, cx_overflow, no_chain_match;
  stats::GaugeId cx_active;

  // The only chain there is, when every connection belongs to it; else null.
  const ChainConfig* single_chain() const;
  // The chain for a connection, or null.
  const ChainConfig* chain_for(const net::Address& local, const net::Address& peer) const;
};

}  // namespace weir
