#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "filters/webhook_hmac/text_encoding.h"
#include "proxy/base/result.h"

namespace weir::webhook {

// How the signature header's value is built.
enum class Layout : uint8_t {
  kOne,         // <prefix><signature>
  kList,        // <prefix><signature>, several separated by commas
  kParameters,  // t=<timestamp>,<prefix>=<signature>,...
  kVersions,    // <prefix>,<signature>, several separated by spaces
};

// How a secret's text stands for the key's bytes.
enum class SecretForm : uint8_t {
  kRaw,
  kBase64,
  kHex,
  kWhsec,  // base64, after "whsec_" if that is there
};

// A piece of what is signed.
struct ContentPart {
  enum class Kind : uint8_t { kLiteral, kTimestamp, kId, kBody };
  Kind kind = Kind::kLiteral;
  std::string text;  // of a literal
};

// What a sender signs and where it puts the signature. A value; header names in lower case.
struct Scheme {
  std::string name;
  std::string signature_header;
  std::string prefix;
  Layout layout = Layout::kOne;
  Encoding encoding = Encoding::kHex;
  SecretForm secret_form = SecretForm::kRaw;
  std::string timestamp_header;  // empty: there is none, or it stands in the signature header
  std::string id_header;         // empty: none is signed
  std::vector<ContentPart> content;

  bool signs(ContentPart::Kind kind) const;
};

// "github", "stripe", "slack" or "standard_webhooks"; nothing for another name.
std::optional<Scheme> preset(std::string_view name);
inline constexpr std::string_view kPresetNames = "github, stripe, slack, standard_webhooks";

// Splits e.g. "{timestamp}.{body}" into its parts; "{{" and "}}" are literal braces. Fails unless
// {body} is in it exactly once and each other field at most once.
Result<std::vector<ContentPart>> parse_content(std::string_view text);

// Fails when a timestamp or id is named but not signed, or signed but not named.
Result<void> check(const Scheme& scheme);

}  // namespace weir::webhook
