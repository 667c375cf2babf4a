#pragma once

#include <memory>
#include <optional>

#include "filters/webhook_hmac/signature.h"
#include "filters/webhook_hmac/webhook_config.h"
#include "proxy/http/filter.h"

namespace weir::webhook {

// weir.filters.http.webhook_hmac.v1.WebhookHmac, as a filter or per route.
http::FilterType webhook_hmac();

// Holds a request until its body has the signature that its headers claim, hashing the body as it
// comes. Everything that the headers alone can tell is refused before the body is read.
class WebhookFilter : public http::Filter {
 public:
  explicit WebhookFilter(const WebhookConfig& config) : config_(config) {}

  http::Verdict on_request(http::FilterContext& context, bool end) override;
  http::Verdict on_request_body(http::FilterContext& context, http::BodyPiece& piece) override;
  http::Verdict on_request_trailers(http::FilterContext& context,
                                    http::HeaderMap& trailers) override;
  void on_done(http::FilterContext& context) override;

 private:
  Cause check_head(http::FilterContext& context);
  http::Verdict decide(http::FilterContext& context);
  Cause check_replay(http::FilterContext& context);
  http::Verdict refuse(http::FilterContext& context, Cause cause);

  const WebhookConfig& config_;
  std::shared_ptr<const WebhookConfig::Keys> keys_;  // null: the configuration's
  Claims claims_;
  std::optional<Verifier> verifier_;
  size_t body_bytes_ = 0;
  std::optional<ReplayGuard::Entry> recorded_;
};

}  // namespace weir::webhook
