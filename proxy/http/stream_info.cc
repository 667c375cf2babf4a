#include "proxy/http/stream_info.h"

#include <array>

namespace weir::http {
namespace {

constexpr std::array<FlagName, kFlagCount> kFlagNames = {{
    {kFailedLocalHealthCheck, "LH", "FailedLocalHealthCheck"},
    {kNoHealthyUpstream, "UH", "NoHealthyUpstream"},
    {kUpstreamRequestTimeout, "UT", "UpstreamRequestTimeout"},
    {kLocalReset, "LR", "LocalReset"},
    {kUpstreamRemoteReset, "UR", "UpstreamRemoteReset"},
    {kUpstreamConnectionFailure, "UF", "UpstreamConnectionFailure"},
    {kUpstreamConnectionTermination, "UC", "UpstreamConnectionTermination"},
    {kUpstreamOverflow, "UO", "UpstreamOverflow"},
    {kNoRouteFound, "NR", "NoRouteFound"},
    {kDelayInjected, "DI", "DelayInjected"},
    {kFaultInjected, "FI", "FaultInjected"},
    {kRateLimited, "RL", "RateLimited"},
    {kUnauthorizedExternalService, "UAEX", "UnauthorizedExternalService"},
    {kRateLimitServiceError, "RLSE", "RateLimitServiceError"},
    {kDownstreamConnectionTermination, "DC", "DownstreamConnectionTermination"},
    {kUpstreamRetryLimitExceeded, "URX", "UpstreamRetryLimitExceeded"},
    {kStreamIdleTimeout, "SI", "StreamIdleTimeout"},
    {kInvalidEnvoyRequestHeaders, "IH", "InvalidEnvoyRequestHeaders"},
    {kDownstreamProtocolError, "DPE", "DownstreamProtocolError"},
    {kUpstreamMaxStreamDuration, "UMSDR", "UpstreamMaxStreamDurationReached"},
    {kResponseFromCache, "RFCF", "ResponseFromCacheFilter"},
    {kNoFilterConfig, "NFCF", "NoFilterConfigFound"},
    {kDurationTimeout, "DT", "DurationTimeout"},
    {kUpstreamProtocolError, "UPE", "UpstreamProtocolError"},
    {kNoClusterFound, "NC", "NoClusterFound"},
    {kOverloadManager, "OM", "OverloadManagerTerminated"},
    {kDnsResolutionFailed, "DF", "DnsResolutionFailed"},
    {kDropOverload, "DO", "DropOverload"},
    {kUnconditionalDropOverload, "UDO", "UnconditionalDropOverload"},
}};

}  // namespace

const FlagName& flag_name(size_t index) {
  return kFlagNames[index];
}

uint32_t flag_by_short_name(std::string_view name) {
  for (const FlagName& entry : kFlagNames)
    if (entry.short_name == name) return entry.flag;
  return 0;
}

}  // namespace weir::http
