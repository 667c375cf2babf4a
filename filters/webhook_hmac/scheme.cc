#include "filters/webhook_hmac/scheme.h"

#include <algorithm>

namespace weir::webhook {
namespace {

using Kind = ContentPart::Kind;

ContentPart literal(std::string_view text) {
  return {Kind::kLiteral, std::string(text)};
}
ContentPart field(Kind kind) {
  return {kind, {}};
}

// https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
Scheme github() {
  return {.name = "github",
          .signature_header = "x-hub-signature-256",
          .prefix = "sha256=",
          .timestamp_header = {},
          .id_header = {},
          .content = {field(Kind::kBody)}};
}

// https://docs.stripe.com/webhooks#verify-manually
Scheme stripe() {
  return {.name = "stripe",
          .signature_header = "stripe-signature",
          .prefix = "v1",
          .layout = Layout::kParameters,
          .timestamp_header = {},
          .id_header = {},
          .content = {field(Kind::kTimestamp), literal("."), field(Kind::kBody)}};
}

// https://docs.slack.dev/authentication/verifying-requests-from-slack
Scheme slack() {
  return {.name = "slack",
          .signature_header = "x-slack-signature",
          .prefix = "v0=",
          .timestamp_header = "x-slack-request-timestamp",
          .id_header = {},
          .content = {literal("v0:"), field(Kind::kTimestamp), literal(":"), field(Kind::kBody)}};
}

// https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
Scheme standard_webhooks() {
  return {.name = "standard_webhooks",
          .signature_header = "webhook-signature",
          .prefix = "v1",
          .layout = Layout::kVersions,
          .encoding = Encoding::kBase64,
          .secret_form = SecretForm::kWhsec,
          .timestamp_header = "webhook-timestamp",
          .id_header = "webhook-id",
          .content = {field(Kind::kId), literal("."), field(Kind::kTimestamp), literal("."),
                      field(Kind::kBody)}};
}

Error content_error(std::string message) {
  return {.code = "signed-content", .message = std::move(message)};
}

std::optional<Kind> field_kind(std::string_view name) {
  if (name == "timestamp") return Kind::kTimestamp;
  if (name == "id") return Kind::kId;
  if (name == "body") return Kind::kBody;
  return std::nullopt;
}

void append_literal(std::vector<ContentPart>& parts, char c) {
  if (parts.empty() || parts.back().kind != Kind::kLiteral) parts.push_back(literal(""));
  parts.back().text.push_back(c);
}

int count(const std::vector<ContentPart>& parts, Kind kind) {
  return static_cast<int>(std::count_if(parts.begin(), parts.end(),
                                        [&](const ContentPart& p) { return p.kind == kind; }));
}

}  // namespace

bool Scheme::signs(ContentPart::Kind kind) const {
  return count(content, kind) > 0;
}

std::optional<Scheme> preset(std::string_view name) {
  if (name == "github") return github();
  if (name == "stripe") return stripe();
  if (name == "slack") return slack();
  if (name == "standard_webhooks") return standard_webhooks();
  return std::nullopt;
}

Result<std::vector<ContentPart>> parse_content(std::string_view text) {
  std::vector<ContentPart> parts;
  for (size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if ((c == '{' || c == '}') && text.substr(at + 1, 1) == text.substr(at, 1)) {
      append_literal(parts, c);
      ++at;
      continue;
    }
    if (c == '}') return content_error("'}' without '{'; write '}}' for a literal brace");
    if (c != '{') {
      append_literal(parts, c);
      continue;
    }
    const size_t end = std::min(text.find('}', at), text.size());
    const auto kind = field_kind(text.substr(at + 1, end - at - 1));
    if (!kind || end == text.size())
      return content_error("'" + std::string(text.substr(at, end - at + 1)) +
                           "' is not {timestamp}, {id} or {body}; write '{{' for a literal brace");
    parts.push_back(field(*kind));
    at = end;
  }
  if (count(parts, Kind::kBody) != 1) return content_error("must have {body} exactly once");
  if (count(parts, Kind::kTimestamp) > 1 || count(parts, Kind::kId) > 1)
    return content_error("{timestamp} and {id} may stand in it once");
  return parts;
}

Result<void> check(const Scheme& scheme) {
  const bool timestamp_known =
      !scheme.timestamp_header.empty() || scheme.layout == Layout::kParameters;
  if (scheme.signs(Kind::kTimestamp) && !timestamp_known)
    return content_error("{timestamp} is signed, but timestamp_header does not say where it is");
  if (!scheme.timestamp_header.empty() && !scheme.signs(Kind::kTimestamp))
    return content_error(
        "a timestamp that is not signed proves nothing: add {timestamp} to "
        "signed_content, or leave timestamp_header out");
  if (scheme.signs(Kind::kId) && scheme.id_header.empty())
    return content_error("{id} is signed, but id_header does not say where it is");
  if (!scheme.id_header.empty() && !scheme.signs(Kind::kId))
    return content_error(
        "an id that is not signed can be exchanged: add {id} to signed_content, "
        "or leave id_header out");
  return {};
}

}  // namespace weir::webhook
