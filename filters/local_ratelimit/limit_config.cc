#include "filters/local_ratelimit/limit_config.h"

#include <optional>

#include "envoy/extensions/filters/http/local_ratelimit/v3/local_rate_limit.pb.h"

namespace weir::local_ratelimit {
namespace {

namespace v3 = envoy::extensions::filters::http::local_ratelimit::v3;
namespace ratelimitv3 = envoy::extensions::common::ratelimit::v3;
using config::Code;
using config::FieldPath;

constexpr int64_t kMinFillNs = 50'000'000;

std::optional<BucketRate> compile_bucket(const envoy::type::v3::TokenBucket& config,
                                         const FieldPath& path, config::Diagnostics& diagnostics) {
  const int64_t fill_ns =
      config.fill_interval().seconds() * 1'000'000'000 + config.fill_interval().nanos();
  if (fill_ns < kMinFillNs) {
    diagnostics.error(Code::kOutOfRange, path.field("fill_interval"),
                      "a token bucket is filled every 50 ms at most",
                      "raise fill_interval to 0.05s or more, and tokens_per_fill with it");
    return std::nullopt;
  }
  const uint32_t per_fill = config.has_tokens_per_fill() ? config.tokens_per_fill().value() : 1;
  auto rate = BucketRate::make(config.max_tokens(), per_fill, fill_ns);
  if (rate) return *rate;
  diagnostics.error(Code::kOutOfRange, path, rate.error().message);
  return std::nullopt;
}

Limiter::Options compile_limits(const v3::LocalRateLimit& config, const http::FilterBuild& build) {
  Limiter::Options out;
  out.per_connection = config.local_rate_limit_per_downstream_connection();
  out.always_ask_fallback = !config.has_always_consume_default_token_bucket() ||
                            config.always_consume_default_token_bucket().value();
  if (config.has_max_dynamic_descriptors()) out.max_keys = config.max_dynamic_descriptors().value();
  if (out.max_keys > filters::DeadlineTable::kMaxKeys)
    build.diagnostics.error(Code::kOutOfRange, build.path.field("max_dynamic_descriptors"),
                            "at most 16777216 are possible");
  if (config.has_token_bucket()) {
    const FieldPath path = build.path.field("token_bucket");
    out.fallback = compile_bucket(config.token_bucket(), path, build.diagnostics);
  }
  for (int i = 0; i < config.descriptors_size(); ++i) {
    const FieldPath at = build.path.field("descriptors", i);
    const FieldPath path = at.field("token_bucket");
    const auto rate = compile_bucket(config.descriptors(i).token_bucket(), path, build.diagnostics);
    if (!rate) continue;
    LimitRule rule{.rate = *rate};
    for (const auto& entry : config.descriptors(i).entries())
      rule.entries.emplace_back(entry.key(), entry.value());
    out.rules.push_back(std::move(rule));
  }
  return out;
}

HostLimits compile_host_limits(ratelimitv3::VhRateLimitsOptions option) {
  if (option == ratelimitv3::INCLUDE) return HostLimits::kInclude;
  return option == ratelimitv3::IGNORE ? HostLimits::kIgnore : HostLimits::kOverride;
}

void compile_answers(const v3::LocalRateLimit& config, const http::FilterBuild& build,
                     LimitConfig& out) {
  const auto code = static_cast<uint16_t>(config.status().code());
  if (code >= 400) out.status = code;
  out.resource_exhausted = config.rate_limited_as_resource_exhausted();
  out.tells_limits = config.enable_x_ratelimit_headers() == ratelimitv3::DRAFT_VERSION_03;
  const http::HeaderNames none;
  out.response_headers =
      http::compile_header_changes(config.response_headers_to_add(), "response_headers_to_add",
                                   none, "", build.path, build.diagnostics);
  out.unenforced_headers = http::compile_header_changes(
      config.request_headers_to_add_when_not_enforced(), "request_headers_to_add_when_not_enforced",
      none, "", build.path, build.diagnostics);
}

void name_counters(const std::string& stat_prefix, stats::Registry& stats, LimitConfig& out) {
  const std::string prefix = stat_prefix + ".http_local_rate_limit.";
  out.enabled_total = stats.counter(prefix + "enabled");
  out.ok_total = stats.counter(prefix + "ok");
  out.limited_total = stats.counter(prefix + "rate_limited");
  out.enforced_total = stats.counter(prefix + "enforced");
}

// The buckets, as full as they are when the same ones were configured before.
std::shared_ptr<Limiter> make_limiter(const v3::LocalRateLimit& config,
                                      const http::FilterBuild& build, Limiter::Options options) {
  const auto make = [&] { return std::make_shared<Limiter>(std::move(options)); };
  if (build.kept == nullptr) return make();
  return build.kept->find_or_make<Limiter>(build.path.str() + config.SerializeAsString(), make);
}

}  // namespace

std::unique_ptr<http::FilterConfig> compile(const google::protobuf::Message& message,
                                            const http::FilterBuild& build) {
  const auto& config = static_cast<const v3::LocalRateLimit&>(message);
  const size_t errors = build.diagnostics.error_count();
  auto out = std::make_unique<LimitConfig>();
  if (config.has_local_cluster_rate_limit())
    build.diagnostics.error(Code::kNotSupported, build.path.field("local_cluster_rate_limit"),
                            "Weir does not share limits between the members of a cluster yet");
  out->enabled = http::Share::compile(config.filter_enabled());
  out->enforced = http::Share::compile(config.filter_enforced());
  out->own_limits =
      http::compile_rate_limits(config.rate_limits(), "rate_limits", build.path, build.diagnostics);
  out->host_limits = compile_host_limits(config.vh_rate_limits());
  out->stage = config.stage();
  out->runtime = build.runtime;
  out->service_cluster = build.service_cluster;
  compile_answers(config, build, *out);
  Limiter::Options limits = compile_limits(config, build);
  if (build.diagnostics.error_count() != errors) return nullptr;
  out->limiter = make_limiter(config, build, std::move(limits));
  name_counters(config.stat_prefix(), build.stats, *out);
  return out;
}

std::unique_ptr<http::FilterConfig> compile_route(const google::protobuf::Message& message,
                                                  const http::FilterBuild& build) {
  if (!static_cast<const v3::LocalRateLimit&>(message).has_token_bucket()) {
    build.diagnostics.error(Code::kSemantic, build.path, "a route's limit needs a token_bucket",
                            "add one; only the filter's own may be left out");
    return nullptr;
  }
  return compile(message, build);
}

}  // namespace weir::local_ratelimit
