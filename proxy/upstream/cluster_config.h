#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/diagnostic.h"
#include "config/field_path.h"
#include "proxy/http/h1_compile.h"
#include "proxy/http/h2_options.h"
#include "proxy/net/address.h"
#include "proxy/net/keep_alive.h"
#include "proxy/net/proxy_protocol.h"
#include "proxy/upstream/dns_family.h"
#include "proxy/upstream/endpoint.h"
#include "proxy/upstream/load_balancing.h"

namespace envoy::config {
namespace bootstrap::v3 {
class Bootstrap;
}
namespace cluster::v3 {
class Cluster;
}
namespace core::v3 {
class ConfigSource;
}
namespace endpoint::v3 {
class ClusterLoadAssignment;
}
}  // namespace envoy::config

namespace weir::tls {
class ClientTls;
class Secrets;
}  // namespace weir::tls

namespace weir::stats {
class LogWriters;
class Registry;
}  // namespace weir::stats

namespace weir::upstream {

// Where ORIGINAL_DST looks for an address when nothing else is said.
inline constexpr std::string_view kOriginalDstHeader = "x-envoy-original-dst-host";

struct HealthCheckConfig;
struct OutlierConfig;

// circuit_breakers.thresholds of one priority.
struct Thresholds {
  uint32_t max_connections = 1024;
  uint32_t max_pending_requests = 1024;
  uint32_t max_requests = 1024;
  uint32_t max_retries = 3;
  bool track_remaining = false;
  // retry_budget: replaces max_retries when set.
  std::optional<double> retry_budget_percent;
  uint32_t retry_budget_min = 3;
};

// A name to be resolved, of STRICT_DNS and LOGICAL_DNS.
struct DnsTarget {
  std::string name;
  uint16_t port = 0;
  Endpoint prototype;  // everything but the address
};

// Who is asked for names.
struct DnsResolvers {
  std::vector<net::Address> servers;  // empty: the system's
  bool over_tcp = false;
  bool search_domains = true;  // the system's, for names without enough dots
};

// config.cluster.v3.Cluster, compiled. Immutable.
struct ClusterConfig {
  enum class Discovery : uint8_t { kStatic, kStrictDns, kLogicalDns, kOriginalDst, kEds };

  std::string name;
  std::string alias;      // alt_stat_name; empty: none
  std::string stat_name;  // alias or name, as stats have it
  uint64_t hash = 0;      // of the message: equal hash, nothing changed
  Discovery discovery = Discovery::kStatic;

  int64_t connect_timeout_ms = 5'000;
  uint64_t buffer_limit_bytes = 1 << 20;
  LoadBalancing balancing;
  Thresholds thresholds[2];  // default, high

  // Of HttpProtocolOptions, or the older fields of the cluster.
  uint32_t max_requests_per_connection = 0;  // 0: no limit
  int64_t idle_timeout_ms = 3'600'000;       // of a pooled connection; 0: none
  int64_t max_connection_duration_ms = 0;
  int64_t max_stream_duration_ms = 0;
  uint32_t max_response_headers_count = 100;
  uint32_t max_response_headers_kb = 60;
  http::HeaderKeys header_keys;
  bool accept_http10 = true;
  bool absolute_targets = false;  // send_fully_qualified_url
  bool pass_trailers = false;     // enable_trailers: else trailers of responses are dropped
  // What the endpoints speak; kDownstream: what the client of the request speaks; kAuto: what TLS's
  // handshake agrees on.
  enum class Versions : uint8_t { kHttp1, kHttp2, kDownstream, kAuto };
  Versions versions = Versions::kHttp1;
  http::H2Options http2;

  std::shared_ptr<const tls::ClientTls> tls;  // transport_socket; null: in the clear
  // What comes before TLS: the PROXY protocol's header, where the transport socket is its.
  std::optional<net::ProxyIntroduction> introduction;
  // transport_socket_matches: the first whose labels an endpoint has all of is the endpoint's.
  struct TransportMatch {
    std::map<std::string, std::string> labels;
    std::shared_ptr<const tls::ClientTls> tls;  // null: in the clear
    std::optional<net::ProxyIntroduction> introduction;
  };
  std::vector<TransportMatch> transport_matches;
  bool introduces = false;  // some of its connections begin with an introduction
  // The request's host is the name to ask for, and to find in the certificate (auto_sni,
  // auto_san_validation, each without the other if need be); taken from `auto_sni_header` when that
  // is not empty and the request has it.
  bool auto_sni = false;
  bool auto_san_validation = false;
  std::string auto_sni_header;

  std::optional<net::KeepAlive> keep_alive;  // upstream_connection_options.tcp_keepalive
  std::optional<net::Address> bind_address;  // upstream_bind_config

  // health_checks, outlier_detection; null: none.
  std::shared_ptr<const HealthCheckConfig> health_check;
  std::shared_ptr<const OutlierConfig> outlier;
  bool ignores_new_hosts = false;             // common_lb_config.ignore_new_hosts_until_first_hc
  bool closes_on_failure = false;             // close_connections_on_host_health_failure
  bool removes_regardless_of_health = false;  // ignore_health_on_host_removal

  // EDS: who is asked for endpoints, by which name.
  std::shared_ptr<const envoy::config::core::v3::ConfigSource> eds_source;
  std::string eds_service_name;
  // lrs_server: who is told of its load; null: nobody.
  std::shared_ptr<const envoy::config::core::v3::ConfigSource> lrs_source;

  HostSet hosts;                   // static endpoints; empty for the others
  std::vector<DnsTarget> targets;  // DNS
  std::vector<LocalityInfo> target_localities;
  DnsFamily dns_family = DnsFamily::kAuto;
  int64_t dns_refresh_ms = 5'000;
  int64_t dns_failure_base_ms = 5'000;
  int64_t dns_failure_max_ms = 5'000;
  int64_t dns_jitter_ms = 0;
  bool respect_dns_ttl = false;
  DnsResolvers resolvers;

  // ORIGINAL_DST
  bool original_dst_use_header = false;
  std::string original_dst_header{kOriginalDstHeader};
  std::optional<uint32_t> original_dst_port;
  int64_t cleanup_interval_ms = 5'000;
};

// What TLS of clusters is made with. Null: TLS is refused.
struct TlsBuild {
  tls::Secrets* secrets = nullptr;
  stats::Registry* stats = nullptr;
  stats::LogWriters* logs = nullptr;  // for key_log
};

// Null when `diagnostics` has an error at `path` or below it, found here or before.
// `default_resolvers` serve a cluster that names none. Main thread.
std::shared_ptr<const ClusterConfig> compile_cluster(
    const envoy::config::cluster::v3::Cluster& cluster, const config::FieldPath& path,
    config::Diagnostics& diagnostics, const DnsResolvers& default_resolvers = {},
    const TlsBuild& tls = {});

// The endpoints of an EDS cluster from an assignment of its own; null on errors, which are then in
// `diagnostics`. Endpoints of `old` that come up again keep the time at which they were added;
// `old` may be null. Main thread.
std::shared_ptr<const HostSet> compile_assignment(
    const ClusterConfig& cluster,
    const envoy::config::endpoint::v3::ClusterLoadAssignment& assignment,
    const config::FieldPath& path, const HostSet* old, int64_t now_ms,
    config::Diagnostics& diagnostics);

// The resolvers that a bootstrap names for its clusters. `path` is the bootstrap's.
DnsResolvers compile_default_resolvers(const envoy::config::bootstrap::v3::Bootstrap& bootstrap,
                                       const config::FieldPath& path,
                                       config::Diagnostics& diagnostics);

}  // namespace weir::upstream
