#include "proxy/upstream_policy.h"

#include <re2/re2.h>

#include <algorithm>
#include <charconv>

#include "proxy/base/hash.h"
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

// Takes the header off and reads it as a number of at most `most`; nothing when it is none.
std::optional<int64_t> take_number(http::HeaderMap& headers, Known known, int64_t most) {
  const http::Header* line = headers.find(known);
  if (line == nullptr) return std::nullopt;
  const std::string_view text = line->value;
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  headers.remove(known);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) return std::nullopt;
  return std::min(value, most);
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
    {"envoy-ratelimited", RetryPolicy::kEnvoyRatelimited},
};

uint32_t retry_bits(std::string_view list) {
  uint32_t bits = 0;
  for (const OnName& entry : kOnNames)
    if (http::list_has_token(list, entry.name)) bits |= entry.bits;
  return bits;
}

constexpr int64_t kMostTimeoutMs = 24 * 3'600'000;
constexpr uint32_t kMostRetries = 64;

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
  new_cookie = arena.concat(
      {policy.name, "=", made,
       session ? "" : "; Max-Age=", session ? std::string_view() : std::string_view(age, age_size),
       policy.cookie_path.empty() ? "" : "; Path=", policy.cookie_path, "; HttpOnly"});
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

UpstreamPolicy read_policy(Request& request, const http::ForwardAction& action) {
  http::HeaderMap& headers = request.head().headers;
  UpstreamPolicy policy;
  policy.timeout_ms = action.timeout_ms;
  if (action.retry) {
    policy.retry_on = action.retry->on;
    policy.num_retries = action.retry->num_retries;
    policy.per_try_timeout_ms = action.retry->per_try_timeout_ms;
  }
  if (const auto ms = take_number(headers, Known::kEnvoyUpstreamRqTimeoutMs, kMostTimeoutMs))
    policy.timeout_ms = *ms;
  if (const auto ms = take_number(headers, Known::kEnvoyUpstreamRqPerTryTimeoutMs, kMostTimeoutMs))
    policy.per_try_timeout_ms = *ms;
  if (const http::Header* on = headers.find(Known::kEnvoyRetryOn)) {
    policy.retry_on |= retry_bits(on->value);
    if (policy.num_retries == 0) policy.num_retries = 1;
    headers.remove(Known::kEnvoyRetryOn);
  }
  if (const auto count = take_number(headers, Known::kEnvoyMaxRetries, kMostRetries))
    policy.num_retries = static_cast<uint32_t>(*count);
  // A try that may take longer than the whole is no try of its own.
  if (policy.timeout_ms > 0 && policy.per_try_timeout_ms >= policy.timeout_ms)
    policy.per_try_timeout_ms = 0;
  return policy;
}

bool wants_retry(uint32_t retry_on, Request& request) {
  const http::ResponseHead& response = request.response();
  const uint16_t status = response.status;
  const bool ratelimited = response.headers.has(Known::kEnvoyRatelimited);
  if (ratelimited) return (retry_on & RetryPolicy::kEnvoyRatelimited) != 0;
  if ((retry_on & RetryPolicy::k5xx) != 0 && status >= 500) return true;
  if ((retry_on & RetryPolicy::kGatewayError) != 0 && status >= 502 && status <= 504) return true;
  if ((retry_on & RetryPolicy::kRetriable4xx) != 0 && status == 409) return true;
  if ((retry_on & RetryPolicy::kRetriableStatusCodes) == 0) return false;
  const auto* action = std::get_if<http::ForwardAction>(&request.route()->action);
  if (action == nullptr || !action->retry) return false;
  const auto& codes = action->retry->status_codes;
  return std::find(codes.begin(), codes.end(), status) != codes.end();
}

LocalReply failure_reply(ResetReason reason, std::string_view details, Arena& arena) {
  LocalReply reply;
  reply.status = 503;
  std::string_view why;
  switch (reason) {
    case ResetReason::kOverflow:
      reply.flags = http::kUpstreamOverflow;
      reply.headers = {{"x-envoy-overloaded", "true"}};
      why = "overflow";
      break;
    case ResetReason::kConnectFailure:
    case ResetReason::kConnectTimeout:
      reply.flags = http::kUpstreamConnectionFailure;
      why = "remote connection failure";
      break;
    case ResetReason::kPeerClosed:
      reply.flags = http::kUpstreamConnectionTermination;
      why = "connection termination";
      break;
    case ResetReason::kPeerReset:
      reply.flags = http::kUpstreamConnectionTermination;
      why = "connection termination";
      break;
    case ResetReason::kProtocolError:
      reply.status = 502;
      reply.flags = http::kUpstreamProtocolError;
      why = "protocol error";
      break;
    default:
      reply.flags = http::kLocalReset;
      why = "local reset";
      break;
  }
  reply.body = arena.concat(
      {"upstream connect error or disconnect/reset before headers. reset reason: ", why});
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
