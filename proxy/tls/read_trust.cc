#include "proxy/tls/read_trust.h"

#include <openssl/base64.h>

#include <utility>

#include "envoy/extensions/transport_sockets/tls/v3/common.pb.h"
#include "envoy/extensions/transport_sockets/tls/v3/tls_spiffe_validator_config.pb.h"
#include "proxy/tls/data_source.h"

namespace weir::tls {
namespace {

namespace tlsv3 = envoy::extensions::transport_sockets::tls::v3;
using config::Code;
using config::Diagnostics;
using config::FieldPath;
using tlsv3::CertificateValidationContext;
using tlsv3::SPIFFECertValidatorConfig;
using tlsv3::SubjectAltNameMatcher;

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// 64 hexadecimal digits, or with a colon between each two.
bool read_hex(std::string_view text, Sha256& out) {
  const size_t step = text.size() == 95 ? 3 : 2;
  if (text.size() != 64 && text.size() != 95) return false;
  for (size_t i = 0; i < out.size(); ++i) {
    const int high = hex_digit(text[step * i]);
    const int low = hex_digit(text[step * i + 1]);
    if (high < 0 || low < 0) return false;
    if (step == 3 && i + 1 < out.size() && text[step * i + 2] != ':') return false;
    out[i] = static_cast<uint8_t>(high * 16 + low);
  }
  return true;
}

bool read_base64(std::string_view text, Sha256& out) {
  uint8_t bytes[64];
  size_t length = 0;
  if (text.size() > 64 ||
      !EVP_DecodeBase64(bytes, &length, sizeof(bytes),
                        reinterpret_cast<const uint8_t*>(text.data()), text.size()) ||
      length != out.size())
    return false;
  std::copy(bytes, bytes + length, out.begin());
  return true;
}

// One message read: where it stands, where errors go, and what it amounts to.
class TrustReader {
 public:
  TrustReader(const CertificateValidationContext& in, const FieldPath& path,
              Diagnostics& diagnostics)
      : in_(in), path_(path), diagnostics_(diagnostics) {}

  Trust read() {
    const size_t errors_before = diagnostics_.error_count();
    essence_ = in_.SerializeAsString();
    if (in_.has_custom_validator_config()) {
      read_spiffe();
    } else {
      read_authorities();
    }
    read_names();
    read_hashes();
    rules_.accept_untrusted =
        in_.trust_chain_verification() == CertificateValidationContext::ACCEPT_UNTRUSTED;
    rules_.allow_expired = in_.allow_expired_certificate();
    rules_.only_leaf_revocations = in_.only_verify_leaf_cert_crl();
    if (in_.has_max_verify_depth())
      rules_.max_depth = static_cast<int>(in_.max_verify_depth().value());
    if (diagnostics_.error_count() != errors_before) return {};
    return {std::make_shared<Verifier>(std::move(rules_)), std::move(essence_)};
  }

 private:
  std::unique_ptr<TrustStore> read_store(const envoy::config::core::v3::DataSource& source,
                                         const FieldPath& field) {
    const SecretText pem = read_data(source, field, diagnostics_);
    if (pem.empty()) return nullptr;
    essence_ += pem.view();
    auto store = std::make_unique<TrustStore>();
    Result<size_t> added = store->add_pem(pem.view());
    store->set_path(source.filename());
    if (added) return store;
    const std::string file = source.filename().empty() ? "" : "'" + source.filename() + "': ";
    diagnostics_.error(Code::kInvalidValue, field, file + added.error().message,
                       "give the authorities' certificates as PEM");
    return nullptr;
  }

  void read_authorities() {
    if (is_set(in_.trusted_ca()))
      rules_.trusted = read_store(in_.trusted_ca(), path_.field("trusted_ca"));
    if (!is_set(in_.crl())) return;
    const FieldPath field = path_.field("crl");
    if (!is_set(in_.trusted_ca()))
      diagnostics_.error(Code::kSemantic, field, "a revocation list needs trusted_ca beside it");
    const SecretText pem = read_data(in_.crl(), field, diagnostics_);
    if (rules_.trusted == nullptr || pem.empty()) return;
    essence_ += pem.view();
    if (Result<size_t> added = rules_.trusted->add_revocations(pem.view()); !added)
      diagnostics_.error(Code::kInvalidValue, field, added.error().message);
  }

  void read_spiffe() {
    const FieldPath field = path_.field("custom_validator_config.typed_config");
    SPIFFECertValidatorConfig config;
    if (!in_.custom_validator_config().typed_config().Is<SPIFFECertValidatorConfig>() ||
        !in_.custom_validator_config().typed_config().UnpackTo(&config)) {
      diagnostics_.error(Code::kNotSupported, field,
                         "Weir has no certificate validator of this type",
                         "SPIFFECertValidatorConfig is supported");
      return;
    }
    const FieldPath domains = field.field("trust_domains");
    for (int i = 0; i < config.trust_domains_size(); ++i) {
      const FieldPath at = domains.at(i);
      const auto& domain = config.trust_domains(i);
      if (rules_.trust_domains.count(domain.name()) != 0) {
        diagnostics_.error(Code::kDuplicateKey, at.field("name"),
                           "the trust domain '" + domain.name() + "' is given twice");
        continue;
      }
      if (!is_set(domain.trust_bundle())) {
        diagnostics_.error(Code::kSemantic, at, "the trust domain has no trust_bundle");
        continue;
      }
      auto store = read_store(domain.trust_bundle(), at.field("trust_bundle"));
      if (store != nullptr) rules_.trust_domains.emplace(domain.name(), std::move(store));
    }
  }

  void read_names() {
    const bool typed = in_.match_typed_subject_alt_names_size() > 0;
    const FieldPath field =
        path_.field(typed ? "match_typed_subject_alt_names" : "match_subject_alt_names");
    if (typed) {
      for (int i = 0; i < in_.match_typed_subject_alt_names_size(); ++i)
        read_name(in_.match_typed_subject_alt_names(i), field.at(i));
    } else {
      // The older field does not tell names apart.
      for (int i = 0; i < in_.match_subject_alt_names_size(); ++i)
        for (const SanType type : {SanType::kDns, SanType::kUri, SanType::kEmail, SanType::kIp})
          add_name(type, in_.match_subject_alt_names(i), {}, field.at(i));
    }
    if (rules_.sans.empty() || rules_.trusted != nullptr || !rules_.trust_domains.empty()) return;
    if (is_set(in_.trusted_ca()) || in_.has_custom_validator_config()) return;
    diagnostics_.error(Code::kSemantic, field, "names prove nothing where no authority is trusted",
                       "add trusted_ca");
  }

  void read_name(const SubjectAltNameMatcher& in, const FieldPath& at) {
    const FieldPath matcher = at.field("matcher");
    switch (in.san_type()) {
      case SubjectAltNameMatcher::EMAIL:
        return add_name(SanType::kEmail, in.matcher(), {}, matcher);
      case SubjectAltNameMatcher::DNS:
        return add_name(SanType::kDns, in.matcher(), {}, matcher);
      case SubjectAltNameMatcher::URI:
        return add_name(SanType::kUri, in.matcher(), {}, matcher);
      case SubjectAltNameMatcher::IP_ADDRESS:
        return add_name(SanType::kIp, in.matcher(), {}, matcher);
      case SubjectAltNameMatcher::OTHER_NAME:
        if (in.oid().empty())
          diagnostics_.error(Code::kSemantic, at, "a matcher of OTHER_NAME needs its oid");
        return add_name(SanType::kOtherName, in.matcher(), in.oid(), matcher);
      default:
        diagnostics_.error(Code::kUnknownValue, at.field("san_type"), "unknown type of name");
    }
  }

  void add_name(SanType type, const envoy::type::matcher::v3::StringMatcher& in,
                const std::string& oid, const FieldPath& at) {
    auto match = http::StringMatch::compile(in, at, diagnostics_);
    if (match) rules_.sans.emplace_back(type, std::move(*match), in.exact(), oid);
  }

  void read_hashes() {
    const FieldPath whole = path_.field("verify_certificate_hash");
    const FieldPath key = path_.field("verify_certificate_spki");
    Sha256 hash;
    for (int i = 0; i < in_.verify_certificate_hash_size(); ++i) {
      if (read_hex(in_.verify_certificate_hash(i), hash)) {
        rules_.certificate_hashes.push_back(hash);
      } else {
        diagnostics_.error(Code::kInvalidValue, whole.at(i), "not a SHA-256 in hexadecimal",
                           "64 digits, or 32 pairs of them with colons between");
      }
    }
    for (int i = 0; i < in_.verify_certificate_spki_size(); ++i) {
      if (read_base64(in_.verify_certificate_spki(i), hash)) {
        rules_.key_hashes.push_back(hash);
      } else {
        diagnostics_.error(Code::kInvalidValue, key.at(i), "not a SHA-256 in base64");
      }
    }
  }

  const CertificateValidationContext& in_;
  const FieldPath& path_;
  Diagnostics& diagnostics_;
  TrustRules rules_;
  std::string essence_;
};

}  // namespace

Trust read_trust(const CertificateValidationContext& in, const FieldPath& path,
                 Diagnostics& diagnostics) {
  return TrustReader(in, path, diagnostics).read();
}

}  // namespace weir::tls
