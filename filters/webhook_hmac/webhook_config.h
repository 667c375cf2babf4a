#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "filters/common/live_value.h"
#include "filters/webhook_hmac/cause.h"
#include "filters/webhook_hmac/hmac_sha256.h"
#include "filters/webhook_hmac/replay_guard.h"
#include "filters/webhook_hmac/scheme.h"
#include "proxy/http/filter_type.h"
#include "proxy/stats/registry.h"

namespace weir::webhook {

// weir.filters.http.webhook_hmac.v1.WebhookHmac, of the filter or of a route.
struct WebhookConfig : http::FilterConfig {
  http::Filter* make(http::FilterContext& context) const override;

  bool per_route_only = false;  // nothing of what follows is set
  Scheme scheme;
  using Keys = std::vector<HmacKey>;
  Keys keys;
  std::shared_ptr<filters::LiveValue<Keys>>
      live_keys;  // instead of `keys`, where there are secret resources
  std::vector<std::shared_ptr<const void>> held_secrets;  // keep telling live_keys
  int64_t tolerance_s = 300;
  size_t max_body_bytes = 1024 * 1024;
  bool forward_verified_header = false;

  std::shared_ptr<ReplayGuard> replay;  // null: events may come again
  int64_t remember_s = 0;               // without a timestamp in the scheme
  bool keep_after_failure = false;
  uint16_t duplicate_status = 409;

  std::string challenge;  // WWW-Authenticate of a 401
  std::array<stats::CounterId, kCauses> refused{};
  stats::CounterId verified;
};

// Null when something is wrong, which is then in `build.diagnostics`.
std::unique_ptr<http::FilterConfig> compile(const google::protobuf::Message& message,
                                            const http::FilterBuild& build);

}  // namespace weir::webhook
