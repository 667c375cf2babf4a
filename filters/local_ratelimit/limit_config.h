#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "filters/local_ratelimit/limiter.h"
#include "proxy/http/filter_type.h"
#include "proxy/http/fraction.h"
#include "proxy/http/header_changes.h"
#include "proxy/http/rate_limit.h"

namespace weir::local_ratelimit {

enum class HostLimits : uint8_t { kOverride, kInclude, kIgnore };  // VhRateLimitsOptions

// LocalRateLimit, of the filter or of a route.
struct LimitConfig : http::FilterConfig {
  http::Filter* make(http::FilterContext& context) const override;

  http::Share enabled;
  http::Share enforced;
  std::shared_ptr<Limiter> limiter;
  http::RateLimits own_limits;  // empty: those of the route
  HostLimits host_limits = HostLimits::kOverride;
  uint32_t stage = 0;
  http::RuntimeLookup runtime;
  std::string service_cluster;

  uint16_t status = 429;
  bool resource_exhausted = false;
  bool tells_limits = false;               // x-ratelimit-* on responses
  http::HeaderChanges response_headers;    // of a refusal
  http::HeaderChanges unenforced_headers;  // of a request that would have been refused

  stats::CounterId enabled_total;
  stats::CounterId ok_total;
  stats::CounterId limited_total;
  stats::CounterId enforced_total;
};

// Null when something is wrong, which is then in `build.diagnostics`.
std::unique_ptr<http::FilterConfig> compile(const google::protobuf::Message& message,
                                            const http::FilterBuild& build);
std::unique_ptr<http::FilterConfig> compile_route(const google::protobuf::Message& message,
                                                  const http::FilterBuild& build);

}  // namespace weir::local_ratelimit
