#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "proxy/http/filter.h"
#include "proxy/http/formatter.h"
#include "proxy/http/fraction.h"
#include "proxy/http/header_changes.h"
#include "proxy/http/message.h"
#include "proxy/http/regex.h"
#include "proxy/http/request_match.h"

namespace weir::http {

struct RateLimit;

struct FilterType;

// A per-route filter config, by the filter's configured name.
struct RouteFilter {
  std::string name;
  std::shared_ptr<const FilterConfig> config;  // null with `disabled`
  bool disabled = false;
  const FilterType* type = nullptr;  // whose config it is; null in tests
};
using RouteFilters = std::vector<RouteFilter>;

// config.route.v3.RetryPolicy, as far as Weir has it.
struct RetryPolicy {
  enum On : uint32_t {
    k5xx = 1,
    kGatewayError = 2,  // 502, 503, 504
    kReset = 4,
    kConnectFailure = 8,
    kRetriable4xx = 16,  // 409
    kRefusedStream = 32,
    kRetriableStatusCodes = 64,
    kResetBeforeRequest = 128,
    kEnvoyRatelimited = 256,
    // By the grpc-status of a response without a body.
    kGrpcCancelled = 512,
    kGrpcDeadlineExceeded = 1024,
    kGrpcInternal = 2048,
    kGrpcResourceExhausted = 4096,
    kGrpcUnavailable = 8192,
    kRetriableHeaders = 16384,
  };
  static constexpr uint32_t kAnyGrpc = kGrpcCancelled | kGrpcDeadlineExceeded | kGrpcInternal |
                                       kGrpcResourceExhausted | kGrpcUnavailable;
  uint32_t on = 0;
  uint32_t num_retries = 1;
  int64_t per_try_timeout_ms = 0;       // 0: the route's timeout
  int64_t per_try_idle_timeout_ms = 0;  // 0: none
  int64_t back_off_base_ms = 25;
  int64_t back_off_max_ms = 250;
  std::vector<uint16_t> status_codes;
  std::vector<HeaderMatch> response_headers;  // retriable_headers
  std::vector<HeaderMatch> request_headers;   // not empty: others are never sent again
  // rate_limited_retry_back_off: how long the upstream's own headers say to wait.
  struct ResetHeader {
    std::string name;
    bool unix_time = false;  // the moment; else seconds from now
  };
  std::vector<ResetHeader> reset_headers;
  int64_t reset_max_ms = 300'000;  // who asks for more is not heard
  // retry_host_predicate previous_hosts: a retry prefers hosts that were not tried, and looks for
  // one up to this often. 0: no such predicate.
  uint32_t host_selection_attempts = 0;
};

// One source of the hash for RING_HASH and MAGLEV (RouteAction.HashPolicy).
struct HashPolicy {
  enum class Kind : uint8_t { kHeader, kCookie, kSourceIp, kQueryParameter };
  Kind kind = Kind::kHeader;
  std::string name;  // header, cookie or query parameter
  Regex regex;       // header only; may be null
  std::string substitution;
  std::optional<int64_t> cookie_ttl_s;  // set: a missing cookie is made (0: session)
  std::string cookie_end;  // what a cookie that is made says behind its lifetime: "; Path=/..."
  bool terminal = false;
};

// RouteAction.RequestMirrorPolicy.
struct Mirror {
  std::string cluster;
  std::string cluster_header;
  Share share{.numerator = 100};
  bool suffix_host = true;  // append "-shadow" to the authority
};

struct WeightedCluster {
  std::string cluster;
  std::string cluster_header;  // instead of `cluster`
  uint32_t weight = 0;
  std::string host_rewrite;
  HeaderChanges request_headers;
  HeaderChanges response_headers;
  RouteFilters filters;
};

// How a route takes the grpc-timeout of a gRPC request for a deadline of its own.
struct GrpcTimeout {
  // max_stream_duration: it limits the whole stream; else (max_grpc_timeout) it stands for the
  // route's timeout.
  bool of_stream = false;
  std::optional<int64_t> most_ms;  // 0: as the header says; unset: the header does not count
  int64_t offset_ms = 0;           // taken off what the header says
};

// config.route.v3.RouteAction. There may be one for each of 100,000 routes, so what is rare is kept
// behind pointers, and what every request reads stands together.
struct ForwardAction {
  // Exactly one of cluster, cluster_header and weighted is set.
  std::string cluster;
  int64_t timeout_ms = 15'000;               // 0: none
  std::shared_ptr<const RetryPolicy> retry;  // null: none
  uint32_t total_weight = 0;
  uint16_t cluster_not_found_status = 503;
  bool high_priority = false;
  bool auto_host_rewrite = false;
  bool append_forwarded_host = false;
  std::vector<WeightedCluster> weighted;
  std::string cluster_header;

  std::optional<int64_t> idle_timeout_ms;           // unset: the HCM's stream_idle_timeout; 0: none
  std::optional<int64_t> max_stream_duration_ms;    // unset: the HCM's
  std::unique_ptr<const GrpcTimeout> grpc_timeout;  // null: the header is the upstream's affair
  std::vector<HashPolicy> hash;
  std::vector<Mirror> mirrors;

  // upgrade_configs of the route, over the HCM's; type in lower case.
  struct Upgrade {
    std::string type;
    bool enabled = true;
  };
  std::vector<Upgrade> upgrades;

  std::string prefix_rewrite;                         // empty: none
  std::unique_ptr<const RegexRewrite> regex_rewrite;  // also what a path template is rewritten to
  std::unique_ptr<const RegexRewrite> host_rewrite_path_regex;
  std::string host_rewrite;  // literal
  std::string host_rewrite_header;
  std::string weighted_runtime_prefix;
  std::string weighted_header;  // a number in it decides instead of chance; empty: no header
};

// config.route.v3.RedirectAction.
struct RedirectAction {
  std::string scheme;  // empty: unchanged
  std::string host;
  std::optional<uint16_t> port;
  std::string path;            // replaces path (and query, when it has one)
  std::string prefix_rewrite;  // empty: none
  std::unique_ptr<const RegexRewrite> regex_rewrite;
  uint16_t status = 301;
  bool strip_query = false;
};

// config.route.v3.DirectResponseAction.
struct DirectAction {
  uint16_t status = 200;
  std::string body;
};

struct VirtualHost;

// One route: what request does with a request that matched it. How it matches is the table's own
// business. Immutable; lives as long as its table.
struct Route {
  const VirtualHost* host = nullptr;
  // Of the levels route, virtual host and table, in the order they apply. A weighted cluster has
  // its own: change_request_headers and change_response_headers know the order.
  HeaderChanges request_headers;
  HeaderChanges response_headers;
  // Least specific first: table, virtual host, route.
  std::vector<const RouteFilters*> filters;
  uint64_t buffer_limit_bytes = 0;  // per_request_buffer_limit_bytes; 0: the listener's
  std::string name;
  std::variant<ForwardAction, RedirectAction, DirectAction> action;

  // The matched prefix's length, for prefix_rewrite; a whole-path match has all of the path.
  enum class Match : uint8_t { kPrefix, kPath, kRegex, kSeparatedPrefix, kTemplate, kConnect };
  Match match = Match::kPrefix;
  bool include_host_rate_limits = false;  // the virtual host's apply too
  std::string_view match_text;            // the prefix or path; of the table
  // rate_limits of the route, for the filters that limit; null: none.
  std::shared_ptr<const std::vector<RateLimit>> rate_limits;
  RouteFilters own_filters;
};

struct VirtualHost {
  std::string name;
  enum class RequireTls : uint8_t { kNone, kExternalOnly, kAll };
  RequireTls require_tls = RequireTls::kNone;  // RouteTable::find gives the redirect
  bool most_specific_headers_win = false;      // most_specific_header_mutations_wins
  bool include_attempt_count_in_request = false;
  bool include_attempt_count_in_response = false;
  RouteFilters filters;
  std::shared_ptr<const std::vector<RateLimit>> rate_limits;  // null: none
};

// Changes the headers of a request as the route, its virtual host, its table and the weighted
// cluster that was picked (may be null) say. Before apply_rewrites, so that rewrites see the
// result.
void change_request_headers(const Route& route, const WeightedCluster* picked, RequestHead& request,
                            const FormatInput& input);
void change_response_headers(const Route& route, const WeightedCluster* picked, HeaderMap& headers,
                             const FormatInput& input);

// Rewrites of a matched route, on the request as it is sent upstream: path and host, the latter by
// `picked`, the weighted cluster, when that has a host_rewrite. With `keep_originals` what was
// rewritten is told in x-envoy-original-path and x-envoy-original-host. auto_host_rewrite is
// applied with rewrite_host later, when the endpoint is known.
void apply_rewrites(const Route& route, const ForwardAction& action, RequestHead& request,
                    const WeightedCluster* picked = nullptr, bool keep_originals = true);

// Puts `host` in the authority's place, and the old one into x-forwarded-host where the action
// wants that. `host` must outlive the request.
void rewrite_host(const ForwardAction& action, std::string_view host, RequestHead& request,
                  bool keep_originals = true);

// The absolute URL for `Location`, in the request's arena.
std::string_view redirect_location(const Route& route, const RedirectAction& action,
                                   const RequestHead& request);

}  // namespace weir::http
