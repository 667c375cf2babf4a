#include "filters/webhook_hmac/webhook_config.h"

#include <algorithm>
#include <optional>

#include "filters/webhook_hmac/secret.h"
#include "filters/webhook_hmac/signature.h"
#include "proxy/http/header_name.h"
#include "weir/filters/http/webhook_hmac/v1/webhook_hmac.pb.h"

namespace weir::webhook {
namespace {

namespace v1 = weir::filters::http::webhook_hmac::v1;
using config::Code;
using config::Diagnostics;
using config::FieldPath;
using ContentKind = ContentPart::Kind;

constexpr uint32_t kDefaultMaxEvents = 262'144;

Encoding encoding_of(v1::CustomScheme::Encoding encoding) {
  if (encoding == v1::CustomScheme::BASE64) return Encoding::kBase64;
  return encoding == v1::CustomScheme::BASE64URL ? Encoding::kBase64Url : Encoding::kHex;
}

std::optional<Scheme> custom_scheme(const v1::CustomScheme& custom, const FieldPath& path,
                                    Diagnostics& diagnostics) {
  const auto content =
      parse_content(custom.signed_content().empty() ? "{body}" : custom.signed_content());
  if (!content) {
    diagnostics.error(Code::kInvalidValue, path.field("signed_content"), content.error().message);
    return std::nullopt;
  }
  Scheme scheme{.name = "custom",
                .signature_header = http::lower_case(custom.signature_header()),
                .prefix = custom.prefix(),
                .layout = Layout::kList,
                .encoding = encoding_of(custom.encoding()),
                .timestamp_header = http::lower_case(custom.timestamp_header()),
                .id_header = http::lower_case(custom.id_header()),
                .content = *content};
  if (const auto fine = check(scheme); !fine) {
    diagnostics.error(Code::kSemantic, path, fine.error().message);
    return std::nullopt;
  }
  return scheme;
}

std::optional<Scheme> compile_scheme(const v1::WebhookHmac& config, const FieldPath& path,
                                     Diagnostics& diagnostics) {
  if (config.has_custom()) {
    const FieldPath custom = path.field("custom");
    return custom_scheme(config.custom(), custom, diagnostics);
  }
  std::optional<Scheme> scheme = preset(config.preset());
  if (!scheme) {
    diagnostics.error(Code::kUnknownValue, path.field("preset"),
                      "no preset is called '" + config.preset() + "'",
                      "the presets are " + std::string(kPresetNames));
  }
  return scheme;
}

SecretForm form_of(v1::Secret::Form form, const Scheme& scheme) {
  switch (form) {
    case v1::Secret::RAW:
      return SecretForm::kRaw;
    case v1::Secret::BASE64:
      return SecretForm::kBase64;
    case v1::Secret::HEX:
      return SecretForm::kHex;
    default:
      return scheme.secret_form;
  }
}

// The text of a secret's source; an error is already reported when there is none.
std::optional<std::string> secret_text(const envoy::config::core::v3::DataSource& source,
                                       bool allow_inline, const FieldPath& data,
                                       Diagnostics& diagnostics) {
  using Source = envoy::config::core::v3::DataSource;
  if (source.has_watched_directory()) {
    diagnostics.error(Code::kNotSupported, data.field("watched_directory"),
                      "Weir does not watch the files of filters",
                      "name the file in a secret resource, and that with sds");
    return std::nullopt;
  }
  Result<std::string> text = std::string();
  switch (source.specifier_case()) {
    case Source::kFilename:
      text = read_secret_file(source.filename());
      if (text) diagnostics.note_content(*text);
      break;
    case Source::kEnvironmentVariable:
      text = read_secret_variable(source.environment_variable());
      break;
    default:
      if (!allow_inline) {
        diagnostics.error(Code::kSemantic, data, "a secret must not stand in the configuration",
                          "use filename or environment_variable; in a test, set "
                          "allow_inline_secret_for_test: true");
        return std::nullopt;
      }
      text = source.has_inline_bytes() ? source.inline_bytes() : source.inline_string();
  }
  if (text) return std::move(*text);
  diagnostics.error(Code::kIo, data, text.error().message);
  return std::nullopt;
}

std::optional<HmacKey> read_key(const v1::Secret& secret, SecretForm form, bool allow_inline,
                                const FieldPath& path, Diagnostics& diagnostics) {
  const FieldPath data = path.field("data");
  const auto text = secret_text(secret.data(), allow_inline, data, diagnostics);
  if (!text) return std::nullopt;
  const auto key = secret_key(form, *text);
  if (key) return HmacKey(*key);
  diagnostics.error(Code::kInvalidValue, path, key.error().message);
  return std::nullopt;
}

// The keys of a configuration some secrets of which are resources, which come and change by
// themselves. Main thread.
struct ChangingKeys {
  explicit ChangingKeys(size_t secrets) : by_secret(secrets) {}

  void set(size_t secret, const HmacKey& key) {
    by_secret[secret] = key;
    WebhookConfig::Keys keys;
    for (const std::optional<HmacKey>& one : by_secret)
      if (one) keys.push_back(*one);
    out->set(keys);
  }

  std::vector<std::optional<HmacKey>> by_secret;
  std::shared_ptr<filters::LiveValue<WebhookConfig::Keys>> out;
};

// Has the key of a secret resource put in its place, now or later.
void use_resource(const v1::Secret& secret, SecretForm form, size_t place,
                  const std::shared_ptr<ChangingKeys>& keys, const FieldPath& path,
                  const http::FilterBuild& build, WebhookConfig& out) {
  const FieldPath sds = path.field("sds");
  if (!build.use_secret) {
    build.diagnostics.error(Code::kNotSupported, sds, "there are no secret resources here");
    return;
  }
  auto take = [keys, form, place](std::string_view text) -> Result<void> {
    const auto key = secret_key(form, text);
    if (!key) return key.error();
    keys->set(place, HmacKey(*key));
    return {};
  };
  if (auto held = build.use_secret(secret.sds(), sds, std::move(take)))
    out.held_secrets.push_back(std::move(held));
}

void compile_secrets(const v1::WebhookHmac& config, const http::FilterBuild& build,
                     WebhookConfig& out) {
  const auto& secrets = config.secrets();
  if (secrets.empty())
    build.diagnostics.error(Code::kConstraint, build.path.field("secrets"),
                            "at least one secret is needed");
  std::shared_ptr<ChangingKeys> changing;
  if (std::any_of(secrets.begin(), secrets.end(), [](const auto& one) { return one.has_sds(); })) {
    changing = std::make_shared<ChangingKeys>(secrets.size());
    changing->out = out.live_keys =
        std::make_shared<filters::LiveValue<WebhookConfig::Keys>>(build.workers);
  }
  for (int i = 0; i < secrets.size(); ++i) {
    const FieldPath at = build.path.field("secrets", i);
    const SecretForm form = form_of(secrets[i].form(), out.scheme);
    const auto place = static_cast<size_t>(i);
    if (secrets[i].has_sds()) {
      use_resource(secrets[i], form, place, changing, at, build, out);
      continue;
    }
    const auto key =
        read_key(secrets[i], form, config.allow_inline_secret_for_test(), at, build.diagnostics);
    if (!key) continue;
    if (changing != nullptr)
      changing->set(place, *key);
    else
      out.keys.push_back(*key);
  }
}

// How long events are remembered; an error is already reported when that is not said as it must.
void compile_times(const v1::WebhookHmac& config, const FieldPath& path, Diagnostics& diagnostics,
                   WebhookConfig& out) {
  const bool timed = out.scheme.signs(ContentKind::kTimestamp);
  const v1::ReplayProtection& replay = config.replay_protection();
  if (config.has_timestamp_tolerance()) {
    out.tolerance_s = config.timestamp_tolerance().seconds();
    if (!timed)
      diagnostics.error(Code::kSemantic, path.field("timestamp_tolerance"),
                        "the scheme '" + out.scheme.name + "' signs no timestamp");
  }
  out.remember_s = replay.remember().seconds();
  if (timed && replay.has_remember()) {
    diagnostics.error(Code::kSemantic, path.field("replay_protection.remember"),
                      "events are remembered for as long as their timestamp is accepted",
                      "leave it out, and set timestamp_tolerance");
  } else if (!timed && config.has_replay_protection() && !replay.disabled() &&
             !replay.has_remember()) {
    diagnostics.error(Code::kSemantic, path.field("replay_protection"),
                      "the scheme '" + out.scheme.name +
                          "' signs no timestamp, so this must say how long to remember events",
                      "set remember, e.g. 86400s");
  }
}

void compile_replay(const v1::WebhookHmac& config, const http::FilterBuild& build,
                    WebhookConfig& out) {
  const v1::ReplayProtection& replay = config.replay_protection();
  const bool wanted = out.scheme.signs(ContentKind::kTimestamp) || config.has_replay_protection();
  if (!wanted || replay.disabled()) return;
  out.keep_after_failure = replay.keep_after_failure();
  if (replay.has_duplicate_status())
    out.duplicate_status = static_cast<uint16_t>(replay.duplicate_status().value());
  const size_t events = replay.has_max_events() ? replay.max_events().value() : kDefaultMaxEvents;
  const auto when_full = replay.when_full() == v1::ReplayProtection::DISPLACE_OLDEST
                             ? ReplayGuard::WhenFull::kDisplaceOldest
                             : ReplayGuard::WhenFull::kRefuse;
  const auto make = [&] { return std::make_shared<ReplayGuard>(events, when_full); };
  // A new configuration must not make old events new.
  out.replay = build.kept == nullptr
                   ? make()
                   : build.kept->find_or_make<ReplayGuard>(config.SerializeAsString(), make);
}

void name_counters(const v1::WebhookHmac& config, const http::FilterBuild& build,
                   WebhookConfig& out) {
  std::string prefix = build.stat_prefix + "webhook_hmac.";
  if (!config.stat_prefix().empty()) prefix += config.stat_prefix() + ".";
  for (size_t i = 1; i < kCauses; ++i)
    out.refused[i] =
        build.stats.counter(prefix + std::string(cause_text(static_cast<Cause>(i)).name));
  out.verified = build.stats.counter(prefix + "verified");
}

bool check_per_route_only(const v1::WebhookHmac& config, const http::FilterBuild& build) {
  v1::WebhookHmac alone;
  alone.set_per_route_only(true);
  if (config.SerializeAsString() == alone.SerializeAsString()) return true;
  build.diagnostics.error(Code::kSemantic, build.path,
                          "per_route_only checks nothing here, so nothing else may be set");
  return false;
}

}  // namespace

std::unique_ptr<http::FilterConfig> compile(const google::protobuf::Message& message,
                                            const http::FilterBuild& build) {
  const auto& config = static_cast<const v1::WebhookHmac&>(message);
  auto out = std::make_unique<WebhookConfig>();
  out->per_route_only = config.scheme_case() == v1::WebhookHmac::kPerRouteOnly;
  if (out->per_route_only) return check_per_route_only(config, build) ? std::move(out) : nullptr;
  const size_t errors = build.diagnostics.error_count();
  std::optional<Scheme> scheme = compile_scheme(config, build.path, build.diagnostics);
  if (!scheme) return nullptr;
  out->scheme = std::move(*scheme);
  compile_secrets(config, build, *out);
  compile_times(config, build.path, build.diagnostics, *out);
  if (build.diagnostics.error_count() != errors) return nullptr;
  compile_replay(config, build, *out);
  name_counters(config, build, *out);
  if (config.has_max_body_bytes()) out->max_body_bytes = config.max_body_bytes().value();
  out->forward_verified_header = config.forward_verified_header();
  out->challenge = "HMAC-SHA256 header=\"" + out->scheme.signature_header + "\"";
  return out;
}

}  // namespace weir::webhook
