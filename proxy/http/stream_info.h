#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/http/message.h"
#include "proxy/net/address.h"

namespace weir::net {
class TlsSession;
}

namespace weir::http {

// Why a response is not simply the upstream's: Envoy's response flags, as bits. Short and long
// names are in stream_info.cc.
enum ResponseFlag : uint32_t {
  kFailedLocalHealthCheck = 1u << 0,            // LH
  kNoHealthyUpstream = 1u << 1,                 // UH
  kUpstreamRequestTimeout = 1u << 2,            // UT
  kLocalReset = 1u << 3,                        // LR
  kUpstreamRemoteReset = 1u << 4,               // UR
  kUpstreamConnectionFailure = 1u << 5,         // UF
  kUpstreamConnectionTermination = 1u << 6,     // UC
  kUpstreamOverflow = 1u << 7,                  // UO
  kNoRouteFound = 1u << 8,                      // NR
  kDelayInjected = 1u << 9,                     // DI
  kFaultInjected = 1u << 10,                    // FI
  kRateLimited = 1u << 11,                      // RL
  kUnauthorizedExternalService = 1u << 12,      // UAEX
  kRateLimitServiceError = 1u << 13,            // RLSE
  kDownstreamConnectionTermination = 1u << 14,  // DC
  kUpstreamRetryLimitExceeded = 1u << 15,       // URX
  kStreamIdleTimeout = 1u << 16,                // SI
  kInvalidEnvoyRequestHeaders = 1u << 17,       // IH
  kDownstreamProtocolError = 1u << 18,          // DPE
  kUpstreamMaxStreamDuration = 1u << 19,        // UMSDR
  kResponseFromCache = 1u << 20,                // RFCF
  kNoFilterConfig = 1u << 21,                   // NFCF
  kDurationTimeout = 1u << 22,                  // DT
  kUpstreamProtocolError = 1u << 23,            // UPE
  kNoClusterFound = 1u << 24,                   // NC
  kOverloadManager = 1u << 25,                  // OM
  kDnsResolutionFailed = 1u << 26,              // DF
  kDropOverload = 1u << 27,                     // DO
  kUnconditionalDropOverload = 1u << 28,        // UDO
};

struct FlagName {
  ResponseFlag flag;
  std::string_view short_name;
  std::string_view long_name;
};
inline constexpr size_t kFlagCount = 29;
const FlagName& flag_name(size_t index);  // index < kFlagCount, in bit order
// The bit for a short name ("UH"), or 0.
uint32_t flag_by_short_name(std::string_view name);

// What is known of one request besides its messages: for access logs, headers with substitution
// commands, and tracing. Times are of the monotonic clock in nanoseconds; 0 = not reached. Views
// live as long as the request. One thread.
struct StreamInfo {
  int64_t start_ns = 0;
  int64_t start_wall_us = 0;     // microseconds since 1970, of the wall clock
  int64_t handshake_end_ns = 0;  // of TLS with the client; TCP's relays alone know it
  int64_t last_downstream_rx_ns = 0;
  int64_t pool_asked_ns = 0;  // for a connection to the upstream
  int64_t pool_ready_ns = 0;  // it gave one, or said that there is none
  int64_t first_upstream_tx_ns = 0;
  int64_t last_upstream_tx_ns = 0;
  int64_t first_upstream_rx_ns = 0;
  int64_t last_upstream_rx_ns = 0;
  int64_t first_downstream_tx_ns = 0;
  int64_t last_downstream_tx_ns = 0;
  int64_t end_ns = 0;

  uint64_t bytes_received = 0;  // body only
  uint64_t bytes_sent = 0;      // body only
  uint64_t downstream_head_bytes_received = 0;
  uint64_t downstream_head_bytes_sent = 0;
  // Of all attempts.
  uint64_t upstream_head_bytes_sent = 0;
  uint64_t upstream_head_bytes_received = 0;
  uint64_t upstream_body_bytes_sent = 0;
  uint64_t upstream_body_bytes_received = 0;

  uint32_t flags = 0;
  uint32_t attempts = 0;                      // requests sent upstream, retries included
  uint16_t status = 0;                        // 0 when no response was sent
  std::optional<Protocol> protocol;           // of the client; nothing where it is not HTTP
  std::optional<Protocol> upstream_protocol;  // nothing until there is a connection
  bool health_check = false;  // answered or passed as a health check: %, not_health_check_filter

  std::string_view details;           // Envoy's %RESPONSE_CODE_DETAILS%
  std::string_view termination;       // %CONNECTION_TERMINATION_DETAILS%
  std::string_view upstream_failure;  // %UPSTREAM_TRANSPORT_FAILURE_REASON%
  std::string_view route_name;
  std::string_view virtual_host;
  std::string_view cluster;        // its name
  std::string_view cluster_alias;  // its alt_stat_name; empty: none
  std::string_view request_id;
  std::string_view requested_server_name;
  std::string_view filter_chain;  // its name; empty: it has none

  const net::Address* downstream_local = nullptr;
  const net::Address* downstream_direct_remote = nullptr;  // the peer of the connection
  const net::Address* downstream_remote = nullptr;         // after x-forwarded-for
  const net::Address* upstream_remote = nullptr;           // null until a host was chosen
  const net::Address* upstream_local = nullptr;
  // Of the chosen host; null until then. It may change, as the host's endpoint does.
  const std::string* upstream_hostname = nullptr;
  net::TlsSession* tls = nullptr;           // of the client's connection; null in the clear
  net::TlsSession* upstream_tls = nullptr;  // of the upstream's, once there is one
  uint64_t connection_id = 0;
  uint64_t stream_id = 0;
  uint64_t upstream_connection_id = 0;
};

}  // namespace weir::http
