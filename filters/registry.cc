#include "filters/registry.h"

#include "filters/grpc_http1_bridge/grpc_http1_bridge.h"
#include "filters/grpc_json_transcoder/grpc_json_transcoder.h"
#include "filters/grpc_stats/grpc_stats.h"
#include "filters/grpc_web/grpc_web.h"
#include "filters/header_mutation/header_mutation.h"
#include "filters/health_check/health_check.h"
#include "filters/local_ratelimit/local_ratelimit.h"
#include "filters/router/router.h"
#include "filters/webhook_hmac/webhook_hmac.h"

namespace weir::filters {

std::span<const http::FilterType> http_filters() {
  static const http::FilterType kFilters[] = {
      grpc_http1_bridge(),
      transcoder::grpc_json_transcoder(),
      grpc_stats(),
      grpc_web(),
      health_check(),
      header_mutation(),
      local_ratelimit::local_ratelimit(),
      webhook::webhook_hmac(),
      router(),
  };
  return kFilters;
}

std::string_view own_messages() {
  return R"(
package weir.filters.http.webhook_hmac.v1
extension WebhookHmac: *
)";
}

}  // namespace weir::filters
