#include "proxy/upstream_policy.h"

#include <re2/re2.h>

#include <algorithm>
#include <charconv>
#include <span>

#include "proxy/base/hash.h"
#include "proxy/base/uuid.h"
#include "proxy/http/grpc.h"
#include "proxy/http/header_name.h"
#include "proxy/http/host.h"
#include "proxy/http/request_match.h"
#include "proxy/request.h"
#include "proxy/request_headers.h"
#include "proxy/worker.h"

namespace weir {
namespace {

using http::HashPolicy;
using http::Known;
using http::LocalReply;
using http::ResetReason;
using http::RetryPolicy;

constexpr int64_t kMostTimeoutMs = 24 * 3'600'000;
constexpr uint32_t kMostRetries = 64;
constexpr int64_t kMostResetS = int64_t{1} << 40;

std::optional<int64_t> read_number(std::string_view text, int64_t most) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) return std::nullopt;
  return std::min(value, most);
}

// Takes the header off and reads it as a number of at most `most`; nothing when it is none.
std::optional<int64_t> take_number(http::HeaderMap& headers, Known known, int64_t most) {
  const http::Header* line = headers.find(known);
  if (line == nullptr) return std::nullopt;
  const std::string_view text = line->value;
  headers.remove(known);
  return read_number(text, most);
}

struct OnName {
  std::string_view name;
  uint32_t bits;
};

constexpr OnName kOnNames[] = {
    {"5xx", RetryPolicy::k5xx},
    {"gateway-error", RetryPolicy::kGatewayError},
    {"reset", RetryPolicy::kReset},
    {"reset-before-request", RetryPolicy::kResetBeforeRequest},
    {"connect-failure", RetryPolicy::kConnectFailure},
    {"retriable-4xx", RetryPolicy::kRetriable4xx},
    {"refused-stream", RetryPolicy::kRefusedStream},
    {"retriable-status-codes", RetryPolicy::kRetriableStatusCodes},
    {"retriable-headers", RetryPolicy::kRetriableHeaders},
    {"envoy-ratelimited", RetryPolicy::kEnvoyRatelimited},
};

constexpr OnName kGrpcOnNames[] = {
    {"cancelled", RetryPolicy::kGrpcCancelled},
    {"deadline-exceeded", RetryPolicy::kGrpcDeadlineExceeded},
    {"internal", RetryPolicy::kGrpcInternal},
    {"resource-exhausted", RetryPolicy::kGrpcResourceExhausted},
    {"unavailable", RetryPolicy::kGrpcUnavailable},
};

uint32_t retry_bits(std::string_view list, std::span<const OnName> names) {
  uint32_t bits = 0;
  for (const OnName& entry : names)
    if (http::list_has_token(list, entry.name)) bits |= entry.bits;
  return bits;
}

void read_retry_header(http::HeaderMap& headers, Known known, std::span<const OnName> names,
                       UpstreamPolicy& policy) {
  const http::Header* on = headers.find(known);
  if (on == nullptr) return;
  policy.retry_on |= retry_bits(on->value, names);
  if (policy.num_retries == 0) policy.num_retries = 1;
  headers.remove(known);
}

const RetryPolicy* retry_policy(Request& request) {
  if (request.route() == nullptr) return nullptr;
  const auto* action = std::get_if<http::ForwardAction>(&request.route()->action);
  return action != nullptr ? action->retry.get() : nullptr;
}

template <class Head>
bool any_matches(const std::vector<http::HeaderMatch>& matches, const Head& head) {
  return std::any_of(matches.begin(), matches.end(),
                     [&](const http::HeaderMatch& match) { return match.matches(head); });
}

bool is_listed(uint16_t status, std::string_view list) {
  char text[8];
  const size_t size =
      static_cast<size_t>(std::to_chars(text, text + sizeof(text), status).ptr - text);
  return !list.empty() && http::list_has_token(list, {text, size});
}

// Whether the response has one of the headers by name.
bool any_listed(std::string_view list, const http::ResponseHead& response) {
  while (!list.empty()) {
    const size_t comma = std::min(list.find(','), list.size());
    const std::string name = http::lower_case(http::trim(list.substr(0, comma)));
    if (!name.empty() && response.headers.find(name) != nullptr) return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

// Which retry condition a grpc-status meets; 0: none.
uint32_t grpc_retry_bit(uint32_t code) {
  switch (static_cast<http::GrpcStatus>(code)) {
    case http::GrpcStatus::kCancelled:
      return RetryPolicy::kGrpcCancelled;
    case http::GrpcStatus::kDeadlineExceeded:
      return RetryPolicy::kGrpcDeadlineExceeded;
    case http::GrpcStatus::kInternal:
      return RetryPolicy::kGrpcInternal;
    case http::GrpcStatus::kResourceExhausted:
      return RetryPolicy::kGrpcResourceExhausted;
    case http::GrpcStatus::kUnavailable:
      return RetryPolicy::kGrpcUnavailable;
    default:
      return 0;
  }
}

// ---- deadlines of gRPC ----

// The most that the configuration allows of what the header says; 0 is without limit in both.
int64_t capped(int64_t timeout_ms, int64_t most_ms) {
  if (most_ms == 0) return timeout_ms;
  return timeout_ms == 0 ? most_ms : std::min(timeout_ms, most_ms);
}

// max_grpc_timeout: the header, within bounds, in place of the route's timeout. 0: none.
int64_t response_timeout_ms(const http::GrpcTimeout& config, std::optional<int64_t> header_ms) {
  int64_t timeout_ms = header_ms.value_or(0);
  // An offset that leaves nothing would make the time unlimited.
  if (config.offset_ms < timeout_ms) timeout_ms -= config.offset_ms;
  return capped(timeout_ms, *config.most_ms);
}

// max_stream_duration: what limits the whole stream. The header counts only where it may; the
// route's limit comes before the connection manager's.
int64_t stream_limit_ms(const http::ForwardAction& action, std::optional<int64_t> header_ms,
                        int64_t hcm_limit_ms) {
  const http::GrpcTimeout* config = action.grpc_timeout.get();
  if (config != nullptr && config->of_stream && config->most_ms && header_ms) {
    const int64_t most = *config->most_ms == 0 ? *header_ms : *config->most_ms;
    return std::max<int64_t>(0, std::min(*header_ms, most) - config->offset_ms);
  }
  const int64_t limit_ms = action.max_stream_duration_ms.value_or(hcm_limit_ms);
  return limit_ms == 0 ? kNoLimit : limit_ms;
}

void read_deadlines(Request& request, const http::ForwardAction& action, UpstreamPolicy& policy) {
  http::HeaderMap& headers = request.head().headers;
  const http::GrpcTimeout* config = action.grpc_timeout.get();
  std::optional<int64_t> header_ms;
  if (config != nullptr && headers.has(Known::kGrpcTimeout))
    header_ms = http::parse_grpc_timeout_ms(headers.get(Known::kGrpcTimeout));
  policy.max_duration_ms = stream_limit_ms(action, header_ms, request.hcm().max_stream_duration_ms);
  if (config == nullptr || !request.is_grpc()) return;
  if (!config->of_stream) {
    policy.timeout_ms = response_timeout_ms(*config, header_ms);
  } else if (policy.max_duration_ms == kNoLimit) {
    headers.remove(Known::kGrpcTimeout);
  } else {
    headers.set(Known::kGrpcTimeout,
                http::format_grpc_timeout(policy.max_duration_ms, request.arena()));
  }
}

// The timeout that a client, or a proxy before this one, asks for.
void read_timeout_headers(Request& request, UpstreamPolicy& policy) {
  http::HeaderMap& headers = request.head().headers;
  if (request.hcm().respect_expected_rq_timeout && headers.has(Known::kEnvoyExpectedRqTimeoutMs)) {
    const auto ms = read_number(headers.get(Known::kEnvoyExpectedRqTimeoutMs), kMostTimeoutMs);
    policy.expected_timeout_stays = ms.has_value();
    policy.timeout_ms = ms.value_or(policy.timeout_ms);
  } else if (const auto ms =
                 take_number(headers, Known::kEnvoyUpstreamRqTimeoutMs, kMostTimeoutMs)) {
    policy.timeout_ms = *ms;
  }
}

std::string_view cookie_value(std::string_view cookies, std::string_view name) {
  while (!cookies.empty()) {
    const size_t semicolon = cookies.find(';');
    const std::string_view pair = http::trim(cookies.substr(0, semicolon));
    const size_t equals = pair.find('=');
    if (equals != std::string_view::npos && pair.substr(0, equals) == name)
      return pair.substr(equals + 1);
    if (semicolon == std::string_view::npos) break;
    cookies.remove_prefix(semicolon + 1);
  }
  return {};
}

uint64_t hash_of(std::string_view text) {
  return xxhash64(text);
}

std::optional<uint64_t> hash_header(Request& request, const HashPolicy& policy) {
  bool present = false;
  const std::string_view value = request.head().value_of(policy.name, present);
  if (!present) return std::nullopt;
  if (policy.regex == nullptr) return hash_of(value);
  std::string rewritten(value);
  RE2::GlobalReplace(&rewritten, *policy.regex, policy.substitution);
  return hash_of(rewritten);
}

std::optional<uint64_t> hash_cookie(Request& request, const HashPolicy& policy,
                                    std::string_view& new_cookie) {
  Arena& arena = request.arena();
  std::string_view value;
  const http::HeaderMap& headers = request.head().headers;
  headers.for_each([&](const http::Header& line) {
    if (line.known == Known::kCookie && value.empty())
      value = cookie_value(line.value, policy.name);
  });
  if (!value.empty()) return hash_of(value);
  if (!policy.cookie_ttl_s) return std::nullopt;
  char* id = arena.text(36);
  write_uuid4(request.worker().loop().random(), request.worker().loop().random(), id);
  const std::string_view made(id, 36);
  char* age = arena.text(24);
  const size_t age_size =
      static_cast<size_t>(std::to_chars(age, age + 24, *policy.cookie_ttl_s).ptr - age);
  const bool session = *policy.cookie_ttl_s == 0;
  new_cookie = arena.concat({policy.name, "=", made, session ? "" : "; Max-Age=",
                             session ? std::string_view() : std::string_view(age, age_size),
                             policy.cookie_end});
  return hash_of(made);
}

std::optional<uint64_t> hash_by(Request& request, const HashPolicy& policy,
                                std::string_view& new_cookie) {
  switch (policy.kind) {
    case HashPolicy::Kind::kHeader:
      return hash_header(request, policy);
    case HashPolicy::Kind::kCookie:
      return hash_cookie(request, policy, new_cookie);
    case HashPolicy::Kind::kSourceIp: {
      char text[net::Address::kMaxTextBytes];
      return hash_of({text, request.info().downstream_remote->write_ip_text(text)});
    }
    case HashPolicy::Kind::kQueryParameter:
      if (const auto value = http::query_parameter(request.head().path, policy.name))
        return hash_of(*value);
      return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace

namespace {

// What read_policy looks for in a request.
constexpr uint64_t kPolicyHeaders = http::known_bits(
    Known::kGrpcTimeout, Known::kEnvoyExpectedRqTimeoutMs, Known::kEnvoyUpstreamRqTimeoutMs,
    Known::kEnvoyUpstreamRqPerTryTimeoutMs, Known::kEnvoyRetryOn, Known::kEnvoyRetryGrpcOn,
    Known::kEnvoyMaxRetries, Known::kEnvoyInternal);

// Takes the header off; its value stays where it is.
std::string_view take_text(http::HeaderMap& headers, std::string_view name) {
  const http::Header* line = headers.find(name);
  if (line == nullptr) return {};
  const std::string_view text = line->value;
  headers.remove(name);
  return text;
}

// What else a trusted client may say. It is for this proxy, also where it has no effect.
void read_further(http::HeaderMap& headers, UpstreamPolicy& policy) {
  const std::string_view codes = take_text(headers, "x-envoy-retriable-status-codes");
  if ((policy.retry_on & RetryPolicy::kRetriableStatusCodes) != 0) policy.retriable_codes = codes;
  const std::string_view names = take_text(headers, "x-envoy-retriable-header-names");
  if ((policy.retry_on & RetryPolicy::kRetriableHeaders) != 0) policy.retriable_headers = names;
  if (headers.remove("x-envoy-upstream-rq-timeout-alt-response")) policy.timeout_status = 204;
}

void read_headers(Request& request, UpstreamPolicy& policy) {
  http::HeaderMap& headers = request.head().headers;
  read_timeout_headers(request, policy);
  if (const auto ms = take_number(headers, Known::kEnvoyUpstreamRqPerTryTimeoutMs, kMostTimeoutMs))
    policy.per_try_timeout_ms = *ms;
  read_retry_header(headers, Known::kEnvoyRetryOn, kOnNames, policy);
  read_retry_header(headers, Known::kEnvoyRetryGrpcOn, kGrpcOnNames, policy);
  if (const auto count = take_number(headers, Known::kEnvoyMaxRetries, kMostRetries))
    policy.num_retries = static_cast<uint32_t>(*count);
  if (headers.has(Known::kEnvoyInternal)) read_further(headers, policy);
}

}  // namespace

UpstreamPolicy read_policy(Request& request, const http::ForwardAction& action) {
  UpstreamPolicy policy;
  policy.timeout_ms = action.timeout_ms;
  if (action.retry) {
    policy.retry_on = action.retry->on;
    policy.num_retries = action.retry->num_retries;
    policy.per_try_timeout_ms = action.retry->per_try_timeout_ms;
  }
  read_deadlines(request, action, policy);
  if (request.head().headers.may_have(kPolicyHeaders)) read_headers(request, policy);
  if (action.retry && !action.retry->request_headers.empty() &&
      !any_matches(action.retry->request_headers, request.head()))
    policy.retry_on = 0;
  // A try that may take longer than the whole is no try of its own.
  if (policy.timeout_ms > 0 && policy.per_try_timeout_ms >= policy.timeout_ms)
    policy.per_try_timeout_ms = 0;
  return policy;
}

uint64_t kept_body_limit(const http::Route& route, const upstream::ClusterConfig& cluster) {
  const uint64_t most = cluster.buffer_limit_bytes;
  return route.buffer_limit_bytes == 0 ? most : std::min(most, route.buffer_limit_bytes);
}

bool wants_retry(const UpstreamPolicy& wishes, Request& request) {
  const uint32_t retry_on = wishes.retry_on;
  const http::ResponseHead& response = request.response();
  const uint16_t status = response.status;
  const bool ratelimited = response.headers.has(Known::kEnvoyRatelimited);
  if (ratelimited) return (retry_on & RetryPolicy::kEnvoyRatelimited) != 0;
  if ((retry_on & RetryPolicy::k5xx) != 0 && status >= 500) return true;
  if ((retry_on & RetryPolicy::kGatewayError) != 0 && status >= 502 && status <= 504) return true;
  if ((retry_on & RetryPolicy::kRetriable4xx) != 0 && status == 409) return true;
  if ((retry_on & RetryPolicy::kAnyGrpc) != 0)
    if (const auto code = http::grpc_status_of(nullptr, &response.headers);
        code && (retry_on & grpc_retry_bit(*code)) != 0)
      return true;
  if (is_listed(status, wishes.retriable_codes) || any_listed(wishes.retriable_headers, response))
    return true;
  const RetryPolicy* policy = retry_policy(request);
  if (policy == nullptr) return false;
  if ((retry_on & RetryPolicy::kRetriableHeaders) != 0 &&
      any_matches(policy->response_headers, response))
    return true;
  if ((retry_on & RetryPolicy::kRetriableStatusCodes) == 0) return false;
  const auto& codes = policy->status_codes;
  return std::find(codes.begin(), codes.end(), status) != codes.end();
}

bool wants_retry_after(ResetReason reason, uint32_t retry_on, bool sent) {
  if (reason == ResetReason::kOverflow) return false;
  constexpr uint32_t kAnyEnd = RetryPolicy::k5xx | RetryPolicy::kGatewayError | RetryPolicy::kReset;
  uint32_t wanted = sent ? kAnyEnd : kAnyEnd | RetryPolicy::kResetBeforeRequest;
  if (reason == ResetReason::kRefused) wanted |= RetryPolicy::kRefusedStream;
  if (reason == ResetReason::kConnectFailure || reason == ResetReason::kConnectTimeout)
    wanted |= RetryPolicy::kConnectFailure;
  return (retry_on & wanted) != 0;
}

std::optional<int64_t> asked_back_off_ms(Request& request) {
  const RetryPolicy* policy = retry_policy(request);
  if (policy == nullptr) return std::nullopt;
  net::Loop& loop = request.worker().loop();
  for (const RetryPolicy::ResetHeader& header : policy->reset_headers) {
    const auto number = read_number(request.response().headers.get(header.name), kMostResetS);
    const int64_t now_s = header.unix_time ? loop.wall_us() / 1'000'000 : 0;
    if (!number || *number < now_s) continue;
    const int64_t wait_ms = (*number - now_s) * 1000;
    if (wait_ms > policy->reset_max_ms) continue;
    // Never earlier than asked for, and not all at the same moment.
    return wait_ms + static_cast<int64_t>(loop.random() % static_cast<uint64_t>(wait_ms / 2 + 1));
  }
  return std::nullopt;
}

upstream::Wish wish_of(Request& request, const upstream::ClusterConfig& cluster) {
  upstream::Wish wish;
  wish.downstream = request.head().protocol;
  if (cluster.introduces) request.say_for_whom(wish);
  std::string_view host = request.head().authority;
  if (!cluster.auto_sni_header.empty()) {
    bool present = false;
    const std::string_view other = request.head().value_of(cluster.auto_sni_header, present);
    if (!other.empty()) host = other;
  }
  wish.set_host(host, cluster);
  return wish;
}

LocalReply drop_reply(const Request& request, upstream::Drop drop) {
  const bool all = drop == upstream::Drop::kAll;
  LocalReply reply;
  reply.status = 503;
  reply.body = all ? "unconditional drop overload" : "drop overload";
  reply.details = all ? "unconditional_drop_overload" : "drop_overload";
  reply.flags = all ? http::kUnconditionalDropOverload : http::kDropOverload;
  if (!request.hcm().suppress_envoy_headers)
    reply.headers = {
        {all ? "x-envoy-unconditional-drop-overload" : "x-envoy-drop-overload", "true"}};
  return reply;
}

namespace {

// Envoy's words for why there is no response.
std::string_view words_of(ResetReason reason) {
  switch (reason) {
    case ResetReason::kOverflow:
      return "overflow";
    case ResetReason::kConnectFailure:
    case ResetReason::kConnectTimeout:
      return "remote connection failure";
    case ResetReason::kPeerClosed:
    case ResetReason::kPeerReset:
      return "connection termination";
    case ResetReason::kStreamReset:
      return "remote reset";
    case ResetReason::kRefused:
      return "remote refused stream reset";
    case ResetReason::kProtocolError:
      return "protocol error";
    default:
      return "local reset";
  }
}

}  // namespace

uint32_t flag_of(ResetReason reason) {
  switch (reason) {
    case ResetReason::kOverflow:
      return http::kUpstreamOverflow;
    case ResetReason::kConnectFailure:
    case ResetReason::kConnectTimeout:
      return http::kUpstreamConnectionFailure;
    case ResetReason::kPeerClosed:
    case ResetReason::kPeerReset:
      return http::kUpstreamConnectionTermination;
    case ResetReason::kStreamReset:
    case ResetReason::kRefused:
      return http::kUpstreamRemoteReset;
    case ResetReason::kProtocolError:
      return http::kUpstreamProtocolError;
    default:
      return http::kLocalReset;
  }
}

LocalReply failure_reply(ResetReason reason, std::string_view details, Arena& arena) {
  LocalReply reply;
  reply.status = reason == ResetReason::kProtocolError ? 502 : 503;
  reply.flags = flag_of(reason);
  if (reason == ResetReason::kOverflow) reply.headers = {{"x-envoy-overloaded", "true"}};
  reply.body =
      arena.concat({"upstream connect error or disconnect/reset before headers. reset reason: ",
                    words_of(reason)});
  reply.details = arena.concat({"upstream_reset_before_response_started{", details, "}"});
  return reply;
}

std::optional<uint64_t> request_hash(Request& request, const http::ForwardAction& action,
                                     std::string_view& new_cookie) {
  std::optional<uint64_t> hash;
  for (const HashPolicy& policy : action.hash) {
    if (const auto next = hash_by(request, policy, new_cookie)) {
      // Rotated, so that two equal values do not cancel each other out.
      hash = hash ? ((*hash << 1) | (*hash >> 63)) ^ *next : *next;
    }
    if (hash && policy.terminal) break;
  }
  return hash;
}

}  // namespace weir
