#include "filters/webhook_hmac/cause.h"

namespace weir::webhook {
namespace {

constexpr std::array<CauseText, kCauses> kTexts = {{
    {"none", "", 200, ""},
    {"missing_signature", "webhook_hmac_missing_signature", 401,
     "The webhook signature is missing.\n"},
    {"malformed_signature", "webhook_hmac_malformed_signature", 400,
     "The webhook signature header is malformed.\n"},
    {"missing_timestamp", "webhook_hmac_missing_timestamp", 401,
     "The webhook timestamp is missing.\n"},
    {"malformed_timestamp", "webhook_hmac_malformed_timestamp", 400,
     "The webhook timestamp is not a number of seconds.\n"},
    {"timestamp_too_old", "webhook_hmac_timestamp_too_old", 401,
     "The webhook timestamp is too old.\n"},
    {"timestamp_in_future", "webhook_hmac_timestamp_in_future", 401,
     "The webhook timestamp is in the future.\n"},
    {"missing_id", "webhook_hmac_missing_id", 401, "The webhook id is missing.\n"},
    {"malformed_id", "webhook_hmac_malformed_id", 400, "The webhook id is malformed.\n"},
    {"body_too_large", "webhook_hmac_body_too_large", 413, "The webhook body is too large.\n"},
    {"mismatch", "webhook_hmac_mismatch", 401, "The webhook signature does not match.\n"},
    {"replayed", "webhook_hmac_replayed", 409, "The webhook was received before.\n"},
    {"replay_memory_full", "webhook_hmac_replay_memory_full", 503,
     "Too many webhooks at once; send it again later.\n"},
    {"no_secret", "webhook_hmac_no_secret", 503,
     "No secret has come yet; send the webhook again later.\n"},
}};

}  // namespace

const CauseText& cause_text(Cause cause) {
  return kTexts[static_cast<size_t>(cause)];
}

}  // namespace weir::webhook
