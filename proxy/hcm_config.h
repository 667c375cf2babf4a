#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "proxy/client_cert.h"
#include "proxy/filter_feed.h"
#include "proxy/http/access_log.h"
#include "proxy/http/filter_chain.h"
#include "proxy/http/h1_server.h"
#include "proxy/http/h2_options.h"
#include "proxy/http/local_reply.h"
#include "proxy/http/path.h"
#include "proxy/route_feed.h"
#include "proxy/runtime.h"
#include "proxy/scope_keys.h"
#include "proxy/stats/registry.h"
#include "proxy/stats/status_classes.h"

namespace weir {

namespace tls {
class SecretUser;
}

class FilterUser;
class RouteUser;
class ScopeUser;
struct Overload;

// The names under `http.<stat_prefix>.` that the data path counts.
struct HcmStats {
  HcmStats() = default;
  // `listener_prefix`: "listener.<address>."
  HcmStats(stats::Registry& registry, const std::string& stat_prefix,
           const std::string& listener_prefix);

  stats::CounterId cx_total, cx_destroy, cx_destroy_local, cx_destroy_remote, cx_protocol_error,
      cx_idle_timeout, cx_max_duration_reached, cx_max_requests_reached, cx_drain_close,
      cx_overload, rx_bytes, tx_bytes;
  stats::GaugeId cx_active;
  stats::HistogramId cx_length_ms;
  stats::CounterId rq_total, rq_completed, rq_rx_reset, rq_tx_reset, rq_timeout, rq_idle_timeout,
      rq_max_duration_reached, rq_overload_close, rq_redirected_with_normalized_path, no_route,
      no_cluster, rq_direct_response, rq_redirect, rq_header_timeout, rq_http1, rq_http2,
      rq_too_large, rq_response_before_rq_complete, rq_ws_on_non_ws_route;
  stats::StatusClasses rq_by_class;
  stats::GaugeId rq_active;
  // Of some of the connections.
  struct Connections {
    stats::CounterId total;
    stats::GaugeId active;
  };
  Connections cx_ssl, cx_http1, cx_http2, cx_upgrades;
  stats::HistogramId rq_time;
  // Under `listener.<address>.http.<stat_prefix>.`: of one listener alone.
  stats::CounterId listener_rq_completed;
  stats::StatusClasses listener_rq_by_class;
};

// extensions.filters.network.http_connection_manager.v3.HttpConnectionManager, compiled. Immutable;
// shared by all workers.
struct HcmConfig {
  enum class ServerHeader : uint8_t { kOverwrite, kAppendIfAbsent, kPassThrough };
  enum class Underscores : uint8_t { kAllow, kReject, kDrop };
  struct Upgrade {
    std::string type;  // lower case
    bool enabled = true;
    http::FilterList filters;  // instead of the chain's, when set
    bool has_filters = false;
  };

  // First, so that it goes last: tells that this is no more. Null: nobody wants to know.
  std::shared_ptr<void> gone;
  HcmStats stats;
  enum class Codec : uint8_t { kAuto, kHttp1, kHttp2 };
  Codec codec = Codec::kAuto;
  http::H1ServerOptions h1;
  http::H2Options h2;
  std::shared_ptr<RouteFeed> routes;
  std::shared_ptr<const RouteUser> rds;  // null: the routes do not come by RDS
  // scoped_routes: where scopes come from, and which one a request belongs to. Null: there are
  // none.
  std::shared_ptr<const ScopeUser> scopes;
  std::shared_ptr<const ScopeKeyBuilder> scope_keys;
  std::shared_ptr<const LiveRuntime> runtime;  // null: nothing is set
  const Overload* overload = nullptr;          // null: nothing is ever short
  // Of its filters and routes, but for those that come later.
  std::vector<std::shared_ptr<const tls::SecretUser>> secrets;
  http::FilterList filters;
  // With filters that come by ECDS: who asks for them, and what is in force instead of `filters`.
  std::shared_ptr<const FilterUser> ecds;               // null: all stand in the configuration
  std::shared_ptr<FilterFeed> filter_feed;              // the same
  std::shared_ptr<const http::AccessLogs> access_logs;  // null: none
  http::LocalReplies local_replies;

  std::string server_name = "weir";
  ServerHeader server_header = ServerHeader::kOverwrite;
  std::string via;
  bool use_remote_address = false;
  uint32_t xff_num_trusted_hops = 0;
  bool skip_xff_append = false;
  struct Cidr {
    net::Address address;
    uint32_t bits;
  };
  std::vector<Cidr> internal_cidrs;
  bool internal_unix_sockets = false;
  bool generate_request_id = true;
  bool preserve_external_request_id = false;
  bool always_set_request_id_in_response = false;
  std::string scheme_to_overwrite;
  ForwardClientCert forward_client_cert;
  bool append_forwarded_port = false;  // append_x_forwarded_port

  http::PathOptions path;
  Underscores underscores = Underscores::kAllow;
  bool strip_any_host_port = false;
  std::optional<uint16_t> strip_matching_host_port;  // set: the listener's port
  bool strip_trailing_host_dot = false;
  bool proxy_100_continue = false;
  bool suppress_envoy_headers = false;  // of the router
  bool respect_expected_rq_timeout = false;
  bool suppress_grpc_failure_codes = false;  // suppress_grpc_request_failure_code_stats

  int64_t stream_idle_timeout_ms = 300'000;  // 0: none
  int64_t request_timeout_ms = 0;
  int64_t max_stream_duration_ms = 0;
  std::vector<Upgrade> upgrades;
};

}  // namespace weir
