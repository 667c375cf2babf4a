#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "proxy/http/filter.h"
#include "proxy/http/route.h"
#include "proxy/http/stream.h"
#include "proxy/upstream/worker_cluster.h"

// Decisions about an upstream request that depend on config and headers alone.
namespace weir {

class Request;

inline constexpr int64_t kNoLimit = INT64_MAX;

// Timeouts and retries of one request: the route's, over which the x-envoy-* headers of a trusted
// client go. Those headers are taken off the request.
struct UpstreamPolicy {
  int64_t timeout_ms = 0;  // 0: none
  int64_t per_try_timeout_ms = 0;
  int64_t max_duration_ms = kNoLimit;  // of the whole stream; 0 has passed already
  // x-envoy-expected-rq-timeout-ms came from another proxy and stays as it is.
  bool expected_timeout_stays = false;
  uint32_t retry_on = 0;  // RetryPolicy::On bits
  uint32_t num_retries = 0;
  // What the client is told when no response came in time: 504, or 204 where a trusted client asked
  // for that by x-envoy-upstream-rq-timeout-alt-response.
  uint16_t timeout_status = 504;
  // x-envoy-retriable-status-codes and -header-names: lists, in the request's arena.
  std::string_view retriable_codes;
  std::string_view retriable_headers;
};
UpstreamPolicy read_policy(Request& request, const http::ForwardAction& action);

// How much of a body may be kept for another attempt or a mirror: the smaller of the cluster's
// limit and the route's per_request_buffer_limit_bytes.
uint64_t kept_body_limit(const http::Route& route, const upstream::ClusterConfig& cluster);

// Whether the response that has just come asks for another attempt.
bool wants_retry(const UpstreamPolicy& policy, Request& request);

// Whether an attempt that ended so, before any response, asks for another one. `sent`: some of the
// request went out.
bool wants_retry_after(http::ResetReason reason, uint32_t retry_on, bool sent);

// The response flag of an exchange that ended so.
uint32_t flag_of(http::ResetReason reason);

// How long the response that has just come asks to wait, where the policy listens to that
// (rate_limited_retry_back_off). With jitter, in milliseconds.
std::optional<int64_t> asked_back_off_ms(Request& request);

// What the connection for this request has to be like.
upstream::Wish wish_of(Request& request, const upstream::ClusterConfig& cluster);

// What the client is told when drop_overloads of the cluster's endpoints drop its request.
http::LocalReply drop_reply(const Request& request, upstream::Drop drop);

// What the client is told when no response could be had.
http::LocalReply failure_reply(http::ResetReason reason, std::string_view details, Arena& arena);

// The hash of the route's hash policies. A missing cookie with a lifetime is made and its
// Set-Cookie value put into `new_cookie`, in the request's arena.
std::optional<uint64_t> request_hash(Request& request, const http::ForwardAction& action,
                                     std::string_view& new_cookie);

}  // namespace weir
