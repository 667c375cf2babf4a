#include "filters/local_ratelimit/local_ratelimit.h"

#include <charconv>
#include <string_view>

#include "filters/local_ratelimit/limit_config.h"
#include "proxy/http/route.h"
#include "proxy/net/loop.h"

namespace weir::local_ratelimit {
namespace {

using http::Verdict;

constexpr int kResourceExhausted = 8;  // of gRPC
constexpr int64_t kSecondNs = 1'000'000'000;

std::string_view number_text(uint64_t number, Arena& arena) {
  char text[24];
  const auto end = std::to_chars(text, text + sizeof(text), number).ptr;
  return arena.copy({text, static_cast<size_t>(end - text)});
}

// The lists of rate limits that count for a request: the config's own, or else those of the route
// and of its virtual host.
struct LimitLists {
  LimitLists(const LimitConfig& config, const http::Route* route) {
    if (!config.own_limits.empty()) {
      lists[0] = &config.own_limits;
    } else if (route != nullptr) {
      lists[0] = route->rate_limits.get();
      const bool with_host = route->include_host_rate_limits ||
                             config.host_limits == HostLimits::kInclude ||
                             (config.host_limits == HostLimits::kOverride && lists[0] == nullptr);
      if (with_host && route->host != nullptr) lists[1] = route->host->rate_limits.get();
    }
  }
  size_t size() const {
    return (lists[0] == nullptr ? 0 : lists[0]->size()) +
           (lists[1] == nullptr ? 0 : lists[1]->size());
  }
  const http::RateLimits* lists[2] = {};
};

class LimitFilter : public http::Filter {
 public:
  explicit LimitFilter(const LimitConfig& config) : config_(config) {}

  Verdict on_request(http::FilterContext& context, bool) override {
    if (!config_.enabled.holds(config_.runtime, context.loop().random())) return Verdict::kContinue;
    context.stats().inc(config_.enabled_total);
    decision_ = config_.limiter->decide(descriptors(context), context.info().connection_id,
                                        context.loop().now_ns(), context.arena());
    if (decision_.allowed) {
      context.stats().inc(config_.ok_total);
      return Verdict::kContinue;
    }
    context.stats().inc(config_.limited_total);
    if (config_.enforced.holds(config_.runtime, context.loop().random())) return refuse(context);
    config_.unenforced_headers.apply(context.request(), input(context));
    return Verdict::kContinue;
  }

  Verdict on_response(http::FilterContext& context, http::ResponseHead& head, bool) override {
    if (refused_) config_.response_headers.apply(head.headers, input(context));
    if (!config_.tells_limits || !decision_.limited) return Verdict::kContinue;
    const int64_t wait_s = (decision_.taken.wait_ns + kSecondNs - 1) / kSecondNs;
    Arena& arena = context.arena();
    head.headers.set("x-ratelimit-limit", number_text(decision_.max_tokens, arena));
    head.headers.set("x-ratelimit-remaining", number_text(decision_.taken.remaining, arena));
    head.headers.set("x-ratelimit-reset", number_text(static_cast<uint64_t>(wait_s), arena));
    return Verdict::kContinue;
  }

 private:
  static http::FormatInput input(http::FilterContext& context) {
    return {.request = &context.request(), .response = context.response(), .info = &context.info()};
  }

  Verdict refuse(http::FilterContext& context) {
    context.stats().inc(config_.enforced_total);
    refused_ = true;
    http::LocalReply reply{.status = config_.status,
                           .body = "local_rate_limited",
                           .details = "local_rate_limited",
                           .flags = http::kRateLimited};
    if (config_.resource_exhausted) reply.grpc_status = kResourceExhausted;
    return context.respond(reply);
  }

  // The runtime may switch a rate limit off by its disable_key.
  bool is_on(const http::RateLimit& limit, uint64_t random) const {
    if (limit.stage != config_.stage) return false;
    if (limit.disable_key.empty() || !config_.runtime) return true;
    std::string key = "ratelimit." + limit.disable_key + ".http_filter_enabled";
    const http::Share all{.numerator = 100, .runtime_key = std::move(key)};
    return all.holds(config_.runtime, random);
  }

  std::span<const http::Descriptor> descriptors(http::FilterContext& context) const {
    const LimitLists limits(config_, context.route());
    if (limits.size() == 0) return {};
    const http::RateLimitInput request{.request = context.request(),
                                       .info = context.info(),
                                       .route = context.route(),
                                       .service_cluster = config_.service_cluster,
                                       .arena = context.arena()};
    auto* out = context.arena().array<http::Descriptor>(limits.size());
    size_t count = 0;
    for (const http::RateLimits* list : limits.lists) {
      if (list == nullptr) continue;
      for (const http::RateLimit& limit : *list) {
        if (!is_on(limit, context.loop().random())) continue;
        const http::Descriptor descriptor = limit.descriptor(request);
        if (!descriptor.empty()) out[count++] = descriptor;
      }
    }
    return {out, count};
  }

  const LimitConfig& config_;
  Decision decision_;
  bool refused_ = false;
};

}  // namespace

http::Filter* LimitConfig::make(http::FilterContext& context) const {
  const auto& in_force = context.config<LimitConfig>();
  return in_force.enabled.never() ? nullptr : http::place<LimitFilter>(context, in_force);
}

http::FilterType local_ratelimit() {
  constexpr std::string_view kMessage =
      "envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit";
  return {.message = kMessage,
          .compile = compile,
          .route_message = kMessage,
          .compile_route = compile_route};
}

}  // namespace weir::local_ratelimit
