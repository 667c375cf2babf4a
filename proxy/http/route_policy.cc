#include <algorithm>
#include <array>

#include "config/nearest.h"
#include "envoy/config/route/v3/route_components.pb.h"
#include "envoy/extensions/retry/host/previous_hosts/v3/previous_hosts.pb.h"
#include "proxy/http/fraction.h"
#include "proxy/http/header_name.h"
#include "proxy/http/headers.h"
#include "proxy/http/route_compile.h"
#include "proxy/http/unsupported.h"

namespace weir::http {
namespace {

using config::Code;
using config::Diagnostics;
using config::FieldPath;
using envoy::config::route::v3::RouteAction;
using HashConfig = RouteAction::HashPolicy;
using RetryConfig = envoy::config::route::v3::RetryPolicy;

// ---- retry ----

constexpr UnsupportedField<RetryConfig> kUnsupportedRetry[] = {
    {"retry_priority", [](const RetryConfig& c) { return c.has_retry_priority(); }, ""},
    {"retry_options_predicates",
     [](const RetryConfig& c) { return c.retry_options_predicates_size() > 0; }, ""},
};

struct RetryReason {
  std::string_view name;
  uint32_t bit;  // 0: Envoy has it, Weir does not
};

constexpr std::array kRetryReasons = {
    RetryReason{"5xx", RetryPolicy::k5xx},
    RetryReason{"gateway-error", RetryPolicy::kGatewayError},
    RetryReason{"reset", RetryPolicy::kReset},
    RetryReason{"reset-before-request", RetryPolicy::kResetBeforeRequest},
    RetryReason{"connect-failure", RetryPolicy::kConnectFailure},
    RetryReason{"envoy-ratelimited", RetryPolicy::kEnvoyRatelimited},
    RetryReason{"retriable-4xx", RetryPolicy::kRetriable4xx},
    RetryReason{"refused-stream", RetryPolicy::kRefusedStream},
    RetryReason{"retriable-status-codes", RetryPolicy::kRetriableStatusCodes},
    RetryReason{"retriable-headers", RetryPolicy::kRetriableHeaders},
    RetryReason{"http3-post-connect-failure", 0},
    RetryReason{"cancelled", RetryPolicy::kGrpcCancelled},
    RetryReason{"deadline-exceeded", RetryPolicy::kGrpcDeadlineExceeded},
    RetryReason{"internal", RetryPolicy::kGrpcInternal},
    RetryReason{"resource-exhausted", RetryPolicy::kGrpcResourceExhausted},
    RetryReason{"unavailable", RetryPolicy::kGrpcUnavailable},
};

uint32_t compile_retry_reason(std::string_view name, const FieldPath& path,
                              Diagnostics& diagnostics) {
  const auto* found = std::find_if(kRetryReasons.begin(), kRetryReasons.end(),
                                   [&](const RetryReason& reason) { return reason.name == name; });
  if (found != kRetryReasons.end() && found->bit != 0) return found->bit;
  const std::string quoted = "'" + std::string(name) + "'";
  if (found != kRetryReasons.end()) {
    diagnostics.error(Code::kNotSupported, path,
                      "the condition " + quoted + " exists in Envoy; Weir does not support it yet");
    return 0;
  }
  std::vector<std::string_view> names;
  for (const RetryReason& reason : kRetryReasons) names.push_back(reason.name);
  diagnostics.error(Code::kUnknownValue, path, quoted + " is not a condition to retry on",
                    config::did_you_mean(name, names));
  return 0;
}

uint32_t compile_retry_on(std::string_view list, const FieldPath& path, Diagnostics& diagnostics) {
  uint32_t on = 0;
  while (!list.empty()) {
    const size_t comma = list.find(',');
    const std::string_view name = trim(list.substr(0, comma));
    if (!name.empty()) on |= compile_retry_reason(name, path, diagnostics);
    list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
  }
  return on;
}

void compile_back_off(const RetryConfig& config, const FieldPath& path, Diagnostics& diagnostics,
                      RetryPolicy& out) {
  if (!config.has_retry_back_off()) return;
  const auto& back_off = config.retry_back_off();
  const auto base = compile_duration_ms(back_off.base_interval(),
                                        path.field("retry_back_off.base_interval"), diagnostics);
  if (!base) return;
  out.back_off_base_ms = std::max<int64_t>(1, *base);
  out.back_off_max_ms = out.back_off_base_ms * 10;
  if (!back_off.has_max_interval()) return;
  const FieldPath max_path = path.field("retry_back_off.max_interval");
  const auto max = compile_duration_ms(back_off.max_interval(), max_path, diagnostics);
  if (!max) return;
  out.back_off_max_ms = *max;
  if (*max < out.back_off_base_ms)
    diagnostics.error(Code::kSemantic, max_path, "max_interval is below base_interval",
                      "raise it, or leave it out for ten times base_interval");
}

void compile_reset_headers(const RetryConfig& config, const FieldPath& path,
                           Diagnostics& diagnostics, RetryPolicy& out) {
  if (!config.has_rate_limited_retry_back_off()) return;
  const auto& limited = config.rate_limited_retry_back_off();
  const FieldPath at = path.field("rate_limited_retry_back_off");
  for (int i = 0; i < limited.reset_headers_size(); ++i) {
    const auto& header = limited.reset_headers(i);
    out.reset_headers.push_back(
        {lower_case(header.name()), header.format() == RetryConfig::UNIX_TIMESTAMP});
    const FieldPath header_path = at.field("reset_headers", i);
    check_header_name(header.name(), header_path.field("name"), diagnostics);
  }
  if (!limited.has_max_interval()) return;
  const auto max =
      compile_duration_ms(limited.max_interval(), at.field("max_interval"), diagnostics);
  if (max) out.reset_max_ms = *max;
}

template <class Matchers>
std::vector<HeaderMatch> compile_header_matches(const Matchers& matchers, std::string_view field,
                                                const FieldPath& path, Diagnostics& diagnostics) {
  std::vector<HeaderMatch> out;
  for (int i = 0; i < matchers.size(); ++i)
    if (auto match = HeaderMatch::compile(matchers[i], path.field(field, i), diagnostics))
      out.push_back(std::move(*match));
  return out;
}

void compile_host_predicates(const RetryConfig& config, const FieldPath& path,
                             Diagnostics& diagnostics, RetryPolicy& out) {
  using envoy::extensions::retry::host::previous_hosts::v3::PreviousHostsPredicate;
  for (int i = 0; i < config.retry_host_predicate_size(); ++i) {
    const auto& predicate = config.retry_host_predicate(i);
    const bool known = predicate.has_typed_config()
                           ? predicate.typed_config().Is<PreviousHostsPredicate>()
                           : predicate.name() == "envoy.retry_host_predicates.previous_hosts";
    if (!known) {
      refuse_field(path.field("retry_host_predicate", i), diagnostics,
                   "the one that is supported: "
                   "envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate");
      continue;
    }
    const int64_t attempts = config.host_selection_retry_max_attempts();
    out.host_selection_attempts =
        static_cast<uint32_t>(std::clamp<int64_t>(attempts, 1, UINT32_MAX));
  }
}

// ---- hash ----

void compile_hash_header(const HashConfig& config, const FieldPath& path, Diagnostics& diagnostics,
                         HashPolicy& out) {
  out.kind = HashPolicy::Kind::kHeader;
  out.name = lower_case(config.header().header_name());
  check_header_name(out.name, path.field("header.header_name"), diagnostics);
  if (!config.header().has_regex_rewrite()) return;
  auto rewrite = compile_regex_rewrite(config.header().regex_rewrite(),
                                       path.field("header.regex_rewrite"), diagnostics);
  if (!rewrite) return;
  out.regex = std::move(rewrite->pattern);
  out.substitution = std::move(rewrite->substitution);
}

bool is_cookie_text(std::string_view text) {
  return valid_header_value(text) && text.find(';') == std::string_view::npos;
}

void add_cookie_attribute(
    const envoy::config::route::v3::RouteAction::HashPolicy::CookieAttribute& in,
    const FieldPath& path, Diagnostics& diagnostics, HashPolicy& out) {
  if (!valid_header_name(in.name()) || !is_cookie_text(in.value()))
    diagnostics.error(Code::kInvalidValue, path, "not an attribute of a cookie (RFC 6265 4.1.1)",
                      "a name is a token, and a value has no ';' and no control characters");
  out.cookie_end += "; " + in.name();
  if (!in.value().empty()) out.cookie_end += "=" + in.value();
}

void compile_hash_cookie(const HashConfig::Cookie& config, const FieldPath& path,
                         Diagnostics& diagnostics, HashPolicy& out) {
  out.kind = HashPolicy::Kind::kCookie;
  out.name = config.name();
  if (!valid_header_name(out.name))
    diagnostics.error(Code::kInvalidValue, path.field("name"),
                      "'" + out.name + "' is not a cookie's name",
                      "a name is a token, e.g. \"session\" (RFC 6265 4.1.1)");
  if (!is_cookie_text(config.path()))
    diagnostics.error(Code::kInvalidValue, path.field("path"), "the cookie's path is not valid",
                      "a path has no ';' and no control characters");
  if (!config.path().empty()) out.cookie_end = "; Path=" + config.path();
  for (int i = 0; i < config.attributes_size(); ++i)
    add_cookie_attribute(config.attributes(i), path.field("attributes", i), diagnostics, out);
  out.cookie_end += "; HttpOnly";
  if (!config.has_ttl()) return;
  const auto ttl_ms = compile_duration_ms(config.ttl(), path.field("ttl"), diagnostics);
  if (ttl_ms) out.cookie_ttl_s = (*ttl_ms + 999) / 1000;
}

// False: the policy never yields a hash.
bool compile_hash_policy(const HashConfig& config, const FieldPath& path, Diagnostics& diagnostics,
                         HashPolicy& out) {
  out.terminal = config.terminal();
  switch (config.policy_specifier_case()) {
    case HashConfig::kHeader:
      compile_hash_header(config, path, diagnostics, out);
      return true;
    case HashConfig::kCookie:
      compile_hash_cookie(config.cookie(), path.field("cookie"), diagnostics, out);
      return true;
    case HashConfig::kConnectionProperties:
      out.kind = HashPolicy::Kind::kSourceIp;
      return config.connection_properties().source_ip();
    case HashConfig::kQueryParameter:
      out.kind = HashPolicy::Kind::kQueryParameter;
      out.name = config.query_parameter().name();
      return true;
    case HashConfig::kFilterState:
      refuse_field(path.field("filter_state"), diagnostics, "hash a header instead");
      return false;
    case HashConfig::POLICY_SPECIFIER_NOT_SET:
      break;
  }
  diagnostics.error(Code::kConstraint, path, "the hash policy says nothing to hash",
                    "set header, cookie, connection_properties or query_parameter");
  return false;
}

// ---- mirrors ----

Mirror compile_mirror(const RouteAction::RequestMirrorPolicy& config, const FieldPath& path,
                      const RouteScope& scope) {
  Mirror mirror;
  mirror.cluster = config.cluster();
  mirror.cluster_header = lower_case(config.cluster_header());
  if (mirror.cluster.empty() == mirror.cluster_header.empty())
    scope.diagnostics().error(Code::kOneofConflict, path,
                              "a mirror has either cluster or cluster_header", "set one of them");
  if (!mirror.cluster.empty()) check_cluster(mirror.cluster, path.field("cluster"), scope);
  if (!mirror.cluster_header.empty())
    check_header_name(mirror.cluster_header, path.field("cluster_header"), scope.diagnostics());
  mirror.suffix_host = !config.disable_shadow_host_suffix_append();
  if (config.has_runtime_fraction()) mirror.share = Share::compile(config.runtime_fraction());
  return mirror;
}

}  // namespace

RetryPolicy compile_retry(const RetryConfig& config, const FieldPath& path,
                          Diagnostics& diagnostics) {
  RetryPolicy out;
  refuse_unsupported(config, kUnsupportedRetry, path, diagnostics);
  out.on = compile_retry_on(config.retry_on(), path.field("retry_on"), diagnostics);
  if (config.has_num_retries()) out.num_retries = config.num_retries().value();
  out.per_try_timeout_ms =
      compile_duration_ms(config.per_try_timeout(), path.field("per_try_timeout"), diagnostics)
          .value_or(0);
  out.per_try_idle_timeout_ms = compile_duration_ms(config.per_try_idle_timeout(),
                                                    path.field("per_try_idle_timeout"), diagnostics)
                                    .value_or(0);
  compile_back_off(config, path, diagnostics, out);
  compile_reset_headers(config, path, diagnostics, out);
  out.response_headers =
      compile_header_matches(config.retriable_headers(), "retriable_headers", path, diagnostics);
  out.request_headers = compile_header_matches(config.retriable_request_headers(),
                                               "retriable_request_headers", path, diagnostics);
  compile_host_predicates(config, path, diagnostics, out);
  for (int i = 0; i < config.retriable_status_codes_size(); ++i) {
    const uint32_t status = config.retriable_status_codes(i);
    out.status_codes.push_back(static_cast<uint16_t>(status));
    if (status < 100 || status > 599)
      diagnostics.error(Code::kOutOfRange, path.field("retriable_status_codes", i),
                        std::to_string(status) + " is not a status", "statuses are 100 to 599");
  }
  return out;
}

std::vector<HashPolicy> compile_hash(const HashConfigs& configs, const FieldPath& action,
                                     Diagnostics& diagnostics) {
  std::vector<HashPolicy> policies;
  for (int i = 0; i < configs.size(); ++i) {
    HashPolicy policy;
    if (compile_hash_policy(configs[i], action.field("hash_policy", i), diagnostics, policy))
      policies.push_back(std::move(policy));
  }
  return policies;
}

std::vector<Mirror> compile_mirrors(const MirrorConfigs& configs, const FieldPath& parent,
                                    const RouteScope& scope) {
  std::vector<Mirror> mirrors;
  for (int i = 0; i < configs.size(); ++i)
    mirrors.push_back(
        compile_mirror(configs[i], parent.field("request_mirror_policies", i), scope));
  return mirrors;
}

}  // namespace weir::http
