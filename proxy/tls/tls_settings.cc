#include "proxy/tls/tls_settings.h"

#include <openssl/sha.h>
#include <openssl/ssl.h>

#include <utility>

#include "envoy/extensions/transport_sockets/tls/v3/tls.pb.h"
#include "proxy/tls/read_certificate.h"
#include "proxy/tls/read_trust.h"

namespace weir::tls {
namespace {

namespace tlsv3 = envoy::extensions::transport_sockets::tls::v3;
using config::Code;
using config::FieldPath;
using envoy::config::core::v3::DataSource;
using tlsv3::CertificateValidationContext;
using tlsv3::CommonTlsContext;
using tlsv3::DownstreamTlsContext;
using tlsv3::SdsSecretConfig;
using tlsv3::Secret;
using tlsv3::TlsParameters;
using tlsv3::UpstreamTlsContext;

// ---- secrets ----

// The secret if it is of the wanted kind; what it holds is reported under the secret's own name.
const Secret* find_secret(const SdsSecretConfig& wanted, Secret::TypeCase type, const char* kind,
                          const FieldPath& path, SettingsRead& read) {
  const Secret* found = read.secrets.find(wanted, path, read.diagnostics, read.files);
  if (found == nullptr || found->type_case() == type) return found;
  read.diagnostics.error(Code::kReference, path.field("name"),
                         "the secret '" + wanted.name() + "' is no " + kind);
  return nullptr;
}

std::string secret_root(const SdsSecretConfig& wanted) {
  return "secret '" + wanted.name() + "'";
}

// What is not of a file that is watched anyway may have a directory of its own that is.
void watch_files(const tlsv3::TlsCertificate& in, SettingsRead& read) {
  Secret secret;
  auto& out = *secret.mutable_tls_certificate();
  // Names only: what stands there itself does not change, and may be secret.
  const auto keep = [](const DataSource& source, DataSource& to) {
    if (source.has_filename()) to.set_filename(source.filename());
  };
  keep(in.certificate_chain(), *out.mutable_certificate_chain());
  keep(in.private_key(), *out.mutable_private_key());
  keep(in.pkcs12(), *out.mutable_pkcs12());
  keep(in.password(), *out.mutable_password());
  keep(in.ocsp_staple(), *out.mutable_ocsp_staple());
  if (in.has_watched_directory()) *out.mutable_watched_directory() = in.watched_directory();
  read.secrets.watch_in_place(secret, read.files);
}

void watch_files(const CertificateValidationContext& in, SettingsRead& read) {
  Secret secret;
  auto& out = *secret.mutable_validation_context();
  if (in.trusted_ca().has_filename())
    out.mutable_trusted_ca()->set_filename(in.trusted_ca().filename());
  if (in.crl().has_filename()) out.mutable_crl()->set_filename(in.crl().filename());
  if (in.has_watched_directory()) *out.mutable_watched_directory() = in.watched_directory();
  read.secrets.watch_in_place(secret, read.files);
}

void watch_files(const tlsv3::TlsSessionTicketKeys& in, SettingsRead& read) {
  Secret secret;
  for (const DataSource& key : in.keys())
    if (key.has_filename())
      secret.mutable_session_ticket_keys()->add_keys()->set_filename(key.filename());
  read.secrets.watch_in_place(secret, read.files);
}

// ---- certificates ----

std::vector<Identity> read_identities(const CommonTlsContext& in, const FieldPath& path,
                                      SettingsRead& read) {
  std::vector<Identity> out;
  const FieldPath inline_field = path.field("tls_certificates");
  for (int i = 0; i < in.tls_certificates_size(); ++i) {
    watch_files(in.tls_certificates(i), read);
    auto one = read_certificate(in.tls_certificates(i), inline_field.at(i), read.diagnostics);
    if (one) out.push_back(std::move(*one));
  }
  if (in.tls_certificates_size() > 0) return out;
  const FieldPath sds_field = path.field("tls_certificate_sds_secret_configs");
  for (int i = 0; i < in.tls_certificate_sds_secret_configs_size(); ++i) {
    const SdsSecretConfig& wanted = in.tls_certificate_sds_secret_configs(i);
    const Secret* secret =
        find_secret(wanted, Secret::kTlsCertificate, "tls_certificate", sds_field.at(i), read);
    if (secret == nullptr) continue;
    if (!wanted.has_sds_config()) watch_files(secret->tls_certificate(), read);
    const std::string name = secret_root(wanted);
    const FieldPath root = FieldPath::root(name);
    auto one = read_certificate(secret->tls_certificate(), root.field("tls_certificate"),
                                read.diagnostics);
    if (!one) continue;
    one->secret = wanted.name();
    out.push_back(std::move(*one));
  }
  return out;
}

// ---- trust ----

// Also of a secret merged over a default, as CombinedCertificateValidationContext says.
// `without_names`: another rule stands for those of the message.
Trust read_validation(const CommonTlsContext& in, bool without_names, const FieldPath& path,
                      SettingsRead& read) {
  const auto read_rules = [&](CertificateValidationContext rules, const FieldPath& field) {
    if (without_names) {
      rules.clear_match_typed_subject_alt_names();
      rules.clear_match_subject_alt_names();
    }
    watch_files(rules, read);
    return read_trust(rules, field, read.diagnostics);
  };
  if (in.has_validation_context())
    return read_rules(in.validation_context(), path.field("validation_context"));
  const bool combined = in.has_combined_validation_context();
  if (!combined && !in.has_validation_context_sds_secret_config()) return {};
  const SdsSecretConfig& wanted =
      combined ? in.combined_validation_context().validation_context_sds_secret_config()
               : in.validation_context_sds_secret_config();
  const FieldPath field =
      path.field(combined ? "combined_validation_context.validation_context_sds_secret_config"
                          : "validation_context_sds_secret_config");
  const Secret* secret =
      find_secret(wanted, Secret::kValidationContext, "validation_context", field, read);
  if (secret == nullptr) return {};
  CertificateValidationContext merged;
  if (combined) merged = in.combined_validation_context().default_validation_context();
  merged.MergeFrom(secret->validation_context());
  const std::string name = secret_root(wanted);
  const FieldPath root = FieldPath::root(name);
  return read_rules(std::move(merged), root.field("validation_context"));
}

// ---- parameters ----

uint16_t version_of(TlsParameters::TlsProtocol version, uint16_t otherwise) {
  switch (version) {
    case TlsParameters::TLSv1_0:
      return TLS1_VERSION;
    case TlsParameters::TLSv1_1:
      return TLS1_1_VERSION;
    case TlsParameters::TLSv1_2:
      return TLS1_2_VERSION;
    case TlsParameters::TLSv1_3:
      return TLS1_3_VERSION;
    default:
      return otherwise;
  }
}

template <class Check>
std::vector<std::string> read_names(const google::protobuf::RepeatedPtrField<std::string>& in,
                                    const FieldPath& path, config::Diagnostics& diagnostics,
                                    Check check) {
  for (int i = 0; i < in.size(); ++i)
    if (Result<void> good = check(in[i]); !good)
      diagnostics.error(Code::kInvalidValue, path.at(i), good.error().message);
  return {in.begin(), in.end()};
}

// Each item may itself be a list with commas, as Envoy reads it.
std::vector<std::string> read_alpn(const CommonTlsContext& in, const FieldPath& path,
                                   config::Diagnostics& diagnostics) {
  std::vector<std::string> out;
  for (const std::string& item : in.alpn_protocols()) {
    size_t at = 0;
    for (size_t comma; (comma = item.find(',', at)) != std::string::npos; at = comma + 1)
      out.push_back(item.substr(at, comma - at));
    out.push_back(item.substr(at));
  }
  if (Result<void> good = check_alpn(out); !good)
    diagnostics.error(Code::kInvalidValue, path.field("alpn_protocols"), good.error().message);
  return out;
}

Parameters read_parameters(const CommonTlsContext& in, uint16_t highest, const FieldPath& path,
                           config::Diagnostics& diagnostics) {
  Parameters out;
  const TlsParameters& from = in.tls_params();
  const FieldPath field = path.field("tls_params");
  out.min_version = version_of(from.tls_minimum_protocol_version(), TLS1_2_VERSION);
  out.max_version = version_of(from.tls_maximum_protocol_version(), highest);
  // A client that asks for TLS 1.3 at least means it, although its default stops below.
  if (from.tls_maximum_protocol_version() == TlsParameters::TLS_AUTO)
    out.max_version = std::max(out.max_version, out.min_version);
  if (out.min_version > out.max_version)
    diagnostics.error(Code::kSemantic, field.field("tls_minimum_protocol_version"),
                      "the lowest TLS version is above the highest");
  out.ciphers =
      read_names(from.cipher_suites(), field.field("cipher_suites"), diagnostics, &check_cipher);
  out.curves =
      read_names(from.ecdh_curves(), field.field("ecdh_curves"), diagnostics, &check_curve);
  out.signature_algorithms =
      read_names(from.signature_algorithms(), field.field("signature_algorithms"), diagnostics,
                 &check_signature_algorithm);
  out.alpn = read_alpn(in, path, diagnostics);
  return out;
}

// ---- sessions ----

// 32 bytes: who is trusted, whether that is asked, and which names this side stands for. Not the
// certificates themselves, so that a renewed one goes on with its sessions.
std::string trust_hash(const Trust& trust, bool required, const std::vector<Identity>& identities) {
  SHA256_CTX hash;
  SHA256_Init(&hash);
  const auto add = [&](std::string_view part) {
    const size_t size = part.size();
    SHA256_Update(&hash, &size, sizeof(size));
    SHA256_Update(&hash, part.data(), part.size());
  };
  add(trust.verifier == nullptr ? "nobody is asked" : "asked");
  add(trust.essence);
  add(required ? "required" : "optional");
  for (const Identity& identity : identities) {
    add(identity.facts().issuer);
    add(identity.facts().subject);
    for (const std::string& name : identity.names) add(name);
    for (const std::string& uri : identity.facts().uri_sans) add(uri);
  }
  std::string out(SHA256_DIGEST_LENGTH, '\0');
  SHA256_Final(reinterpret_cast<uint8_t*>(out.data()), &hash);
  return out;
}

void read_tickets(const DownstreamTlsContext& in, const FieldPath& path, SettingsRead& read,
                  ServerSettings& out) {
  std::optional<TicketKeys> keys;
  if (in.has_session_ticket_keys()) {
    watch_files(in.session_ticket_keys(), read);
    keys = read_ticket_keys(in.session_ticket_keys(), path.field("session_ticket_keys"),
                            read.diagnostics);
  } else if (in.has_session_ticket_keys_sds_secret_config()) {
    const SdsSecretConfig& wanted = in.session_ticket_keys_sds_secret_config();
    const FieldPath field = path.field("session_ticket_keys_sds_secret_config");
    const Secret* secret =
        find_secret(wanted, Secret::kSessionTicketKeys, "session_ticket_keys", field, read);
    if (secret == nullptr) return;
    const std::string name = secret_root(wanted);
    const FieldPath root = FieldPath::root(name);
    keys = read_ticket_keys(secret->session_ticket_keys(), root.field("session_ticket_keys"),
                            read.diagnostics);
  }
  if (keys) out.ticket_keys = std::move(*keys);
  out.tickets = !in.disable_stateless_session_resumption();
  out.session_cache = !in.disable_stateful_session_resumption();
  out.session_timeout_s = static_cast<uint32_t>(in.session_timeout().seconds());
}

void read_ocsp_policy(const DownstreamTlsContext& in, const FieldPath& path, SettingsRead& read,
                      ServerSettings& out) {
  if (in.ocsp_staple_policy() == DownstreamTlsContext::STRICT_STAPLING)
    out.ocsp_policy = OcspPolicy::kStrict;
  if (in.ocsp_staple_policy() == DownstreamTlsContext::MUST_STAPLE)
    out.ocsp_policy = OcspPolicy::kMustStaple;
  for (const Identity& identity : out.identities)
    if (identity.ocsp.der.empty() &&
        (out.ocsp_policy == OcspPolicy::kMustStaple || identity.must_staple))
      read.diagnostics.error(
          Code::kSemantic, path.field("ocsp_staple_policy"),
          "the certificate '" + identity.facts().subject + "' must be stapled and has no response",
          "give its ocsp_staple");
}

// All are asked for at once.
bool waits_for_common(const CommonTlsContext& in, const FieldPath& path, SettingsRead& read) {
  bool waits = false;
  const auto ask = [&](const SdsSecretConfig& wanted, const FieldPath& field) {
    waits |= read.secrets.waits_for(wanted, field, read.diagnostics, read.files);
  };
  const FieldPath certificates = path.field("tls_certificate_sds_secret_configs");
  for (int i = 0; i < in.tls_certificate_sds_secret_configs_size(); ++i)
    ask(in.tls_certificate_sds_secret_configs(i), certificates.at(i));
  if (in.has_validation_context_sds_secret_config())
    ask(in.validation_context_sds_secret_config(),
        path.field("validation_context_sds_secret_config"));
  if (in.has_combined_validation_context())
    ask(in.combined_validation_context().validation_context_sds_secret_config(),
        path.field("combined_validation_context.validation_context_sds_secret_config"));
  return waits;
}

}  // namespace

bool waits_for_secrets(const DownstreamTlsContext& in, const FieldPath& path, SettingsRead& read) {
  const FieldPath common = path.field("common_tls_context");
  bool waits = waits_for_common(in.common_tls_context(), common, read);
  if (in.has_session_ticket_keys_sds_secret_config())
    waits |= read.secrets.waits_for(in.session_ticket_keys_sds_secret_config(),
                                    path.field("session_ticket_keys_sds_secret_config"),
                                    read.diagnostics, read.files);
  return waits;
}

bool waits_for_secrets(const UpstreamTlsContext& in, const FieldPath& path, SettingsRead& read) {
  const FieldPath common = path.field("common_tls_context");
  return waits_for_common(in.common_tls_context(), common, read);
}

std::optional<ServerSettings> read_settings(const DownstreamTlsContext& in, const FieldPath& path,
                                            SettingsRead& read) {
  const size_t errors_before = read.diagnostics.error_count();
  const FieldPath common = path.field("common_tls_context");
  ServerSettings out;
  out.parameters =
      read_parameters(in.common_tls_context(), TLS1_3_VERSION, common, read.diagnostics);
  out.identities = read_identities(in.common_tls_context(), common, read);
  if (in.common_tls_context().tls_certificates_size() == 0 &&
      in.common_tls_context().tls_certificate_sds_secret_configs_size() == 0)
    read.diagnostics.error(Code::kSemantic, common, "a server needs a certificate",
                           "add tls_certificates or tls_certificate_sds_secret_configs");
  const Trust trust = read_validation(in.common_tls_context(), false, common, read);
  out.verifier = trust.verifier;
  out.require_client_certificate = in.require_client_certificate().value();
  if (out.require_client_certificate &&
      (trust.verifier == nullptr || trust.verifier->rules().ask_nothing()))
    read.diagnostics.warning(Code::kSemantic, path.field("require_client_certificate"),
                             "clients must show a certificate, and nobody checks it",
                             "add validation_context with trusted_ca");
  read_tickets(in, path, read, out);
  read_ocsp_policy(in, path, read, out);
  out.prefer_client_ciphers = in.prefer_client_ciphers();
  out.logs_keys = in.common_tls_context().has_key_log();
  out.scan_on_mismatch = in.full_scan_certs_on_sni_mismatch().value();
  out.trust_hash = trust_hash(trust, out.require_client_certificate, out.identities);
  if (read.diagnostics.error_count() != errors_before) return std::nullopt;
  return out;
}

std::optional<ClientSettings> read_settings(const UpstreamTlsContext& in, const FieldPath& path,
                                            SettingsRead& read) {
  const size_t errors_before = read.diagnostics.error_count();
  const FieldPath common = path.field("common_tls_context");
  ClientSettings out;
  out.parameters =
      read_parameters(in.common_tls_context(), TLS1_2_VERSION, common, read.diagnostics);
  std::vector<Identity> identities = read_identities(in.common_tls_context(), common, read);
  if (in.common_tls_context().tls_certificates_size() > 1 ||
      in.common_tls_context().tls_certificate_sds_secret_configs_size() > 1)
    read.diagnostics.error(Code::kSemantic, common, "a client shows at most one certificate");
  out.verify_sent_sni = in.auto_sni_san_validation();
  const Trust trust = read_validation(in.common_tls_context(), out.verify_sent_sni, common, read);
  out.verifier = trust.verifier;
  if (out.verify_sent_sni && read.diagnostics.error_count() == errors_before &&
      (trust.verifier == nullptr || (trust.verifier->rules().trusted == nullptr &&
                                     trust.verifier->rules().trust_domains.empty())))
    read.diagnostics.error(Code::kSemantic, path.field("auto_sni_san_validation"),
                           "names prove nothing where no authority is trusted",
                           "add validation_context with trusted_ca");
  out.sni = in.sni();
  out.host_sni = in.auto_host_sni();
  if (out.sni.find('\0') != std::string::npos)
    read.diagnostics.error(Code::kInvalidValue, path.field("sni"), "a host name has no NUL byte");
  if (in.has_max_session_keys()) out.max_session_keys = in.max_session_keys().value();
  out.logs_keys = in.common_tls_context().has_key_log();
  out.enforce_rsa_key_usage = in.enforce_rsa_key_usage().value();
  out.trust_hash = trust_hash(trust, false, identities);
  if (read.diagnostics.error_count() != errors_before) return std::nullopt;
  if (trust.verifier == nullptr || trust.verifier->rules().ask_nothing())
    read.diagnostics.warning(Code::kSemantic, common,
                             "nobody checks whether the server is who it says",
                             "add validation_context with trusted_ca");
  if (!identities.empty()) out.identity = std::move(identities.front());
  return out;
}

}  // namespace weir::tls
