#include "filters/webhook_hmac/webhook_hmac.h"

#include "proxy/net/loop.h"

namespace weir::webhook {
namespace {

using http::Verdict;

// Only this filter may say so: what comes from outside under this name is dropped.
constexpr std::string_view kVerifiedHeader = "x-weir-webhook-verified";

constexpr int64_t kSecondUs = 1'000'000;

// Not by a signature: with two keys an event has two, and each would pass for another event.
bool knows_events_by_content(const WebhookConfig& config) {
  return config.replay != nullptr && config.scheme.id_header.empty();
}

}  // namespace

http::FilterType webhook_hmac() {
  constexpr std::string_view kMessage = "weir.filters.http.webhook_hmac.v1.WebhookHmac";
  return {
      .message = kMessage, .compile = compile, .route_message = kMessage, .compile_route = compile};
}

http::Filter* WebhookConfig::make(http::FilterContext& context) const {
  return http::place<WebhookFilter>(context, context.config<WebhookConfig>());
}

Verdict WebhookFilter::on_request(http::FilterContext& context, bool end) {
  context.request().headers.remove(kVerifiedHeader);
  if (config_.per_route_only) return Verdict::kContinue;
  if (const Cause cause = check_head(context); cause != Cause::kNone) return refuse(context, cause);
  verifier_.emplace(config_.scheme, keys_ != nullptr ? *keys_ : config_.keys, claims_,
                    knows_events_by_content(config_));
  return end ? decide(context) : context.collect_body(config_.max_body_bytes);
}

Cause WebhookFilter::check_head(http::FilterContext& context) {
  if (config_.live_keys != nullptr) {
    keys_ = config_.live_keys->get(context.worker());
    if (keys_ == nullptr) return Cause::kNoSecret;
  }
  const Cause cause = read_claims(config_.scheme, context.request().headers, claims_);
  if (cause != Cause::kNone) return cause;
  if (config_.scheme.signs(ContentPart::Kind::kTimestamp)) {
    const int64_t now_s = context.loop().wall_us() / kSecondUs;
    const Cause late = check_timestamp(claims_, now_s, config_.tolerance_s);
    if (late != Cause::kNone) return late;
  }
  const int64_t length = context.request().content_length;
  const bool too_large = length > static_cast<int64_t>(config_.max_body_bytes);
  return too_large ? Cause::kBodyTooLarge : Cause::kNone;
}

Verdict WebhookFilter::on_request_body(http::FilterContext& context, http::BodyPiece& piece) {
  if (!verifier_) return Verdict::kContinue;
  body_bytes_ += piece.bytes.size();
  if (body_bytes_ > config_.max_body_bytes) return refuse(context, Cause::kBodyTooLarge);
  verifier_->body(piece.bytes);
  return piece.end ? decide(context) : Verdict::kWait;
}

Verdict WebhookFilter::on_request_trailers(http::FilterContext& context,
                                           http::HeaderMap& trailers) {
  trailers.remove(kVerifiedHeader);
  return verifier_ ? decide(context) : Verdict::kContinue;
}

// The whole body was seen. Pieces that this filter held come to it no second time.
Verdict WebhookFilter::decide(http::FilterContext& context) {
  if (verifier_->finish() < 0) return refuse(context, Cause::kMismatch);
  if (const Cause cause = check_replay(context); cause != Cause::kNone)
    return refuse(context, cause);
  verifier_.reset();
  context.stats().inc(config_.verified);
  if (config_.forward_verified_header)
    context.request().headers.set(kVerifiedHeader, config_.scheme.name);
  return Verdict::kContinue;
}

Cause WebhookFilter::check_replay(http::FilterContext& context) {
  if (config_.replay == nullptr) return Cause::kNone;
  std::string_view event = claims_.id;
  Digest content;
  if (knows_events_by_content(config_)) {
    content = verifier_->digest();
    event = {reinterpret_cast<const char*>(content.data()), content.size()};
  }
  const bool timed = config_.scheme.signs(ContentPart::Kind::kTimestamp);
  const int64_t now_us = context.loop().wall_us();
  // A timestamp is accepted to the end of the last second that the tolerance allows.
  const int64_t until_us = timed ? (claims_.timestamp_s + config_.tolerance_s + 1) * kSecondUs
                                 : now_us + config_.remember_s * kSecondUs;
  ReplayGuard::Entry entry;
  switch (config_.replay->record(event, now_us, until_us, entry)) {
    case ReplayGuard::Verdict::kReplayed:
      return Cause::kReplayed;
    case ReplayGuard::Verdict::kFull:
      return Cause::kReplayMemoryFull;
    case ReplayGuard::Verdict::kNew:
      recorded_ = entry;
  }
  return Cause::kNone;
}

Verdict WebhookFilter::refuse(http::FilterContext& context, Cause cause) {
  verifier_.reset();
  context.stats().inc(config_.refused[static_cast<size_t>(cause)]);
  const CauseText& text = cause_text(cause);
  http::LocalReply reply{.status = text.status, .body = text.body, .details = text.details};
  if (cause == Cause::kReplayed) reply.status = config_.duplicate_status;
  if (reply.status == 401) reply.headers.emplace_back("www-authenticate", config_.challenge);
  if (reply.status == 503) reply.headers.emplace_back("retry-after", "60");
  return context.respond(reply);
}

// Its sender will bring an event again that was not taken, and must be let through then.
void WebhookFilter::on_done(http::FilterContext& context) {
  const uint16_t status = context.info().status;
  if (!recorded_ || config_.keep_after_failure || (status >= 200 && status < 300)) return;
  config_.replay->forget(*recorded_, context.loop().wall_us());
}

}  // namespace weir::webhook
