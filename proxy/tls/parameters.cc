#include "proxy/tls/parameters.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <array>

namespace weir::tls {
namespace {

// Envoy's defaults: forward secret and authenticated only.
constexpr char kDefaultCiphers[] =
    "[ECDHE-ECDSA-AES128-GCM-SHA256|ECDHE-ECDSA-CHACHA20-POLY1305]:"
    "[ECDHE-RSA-AES128-GCM-SHA256|ECDHE-RSA-CHACHA20-POLY1305]:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384";
constexpr char kDefaultCurves[] = "X25519:P-256";

struct SignatureAlgorithm {
  std::string_view name;
  uint16_t value;
};
constexpr std::array<SignatureAlgorithm, 12> kSignatureAlgorithms = {{
    {"rsa_pkcs1_sha256", SSL_SIGN_RSA_PKCS1_SHA256},
    {"rsa_pkcs1_sha384", SSL_SIGN_RSA_PKCS1_SHA384},
    {"rsa_pkcs1_sha512", SSL_SIGN_RSA_PKCS1_SHA512},
    {"ecdsa_secp256r1_sha256", SSL_SIGN_ECDSA_SECP256R1_SHA256},
    {"ecdsa_secp384r1_sha384", SSL_SIGN_ECDSA_SECP384R1_SHA384},
    {"ecdsa_secp521r1_sha512", SSL_SIGN_ECDSA_SECP521R1_SHA512},
    {"rsa_pss_rsae_sha256", SSL_SIGN_RSA_PSS_RSAE_SHA256},
    {"rsa_pss_rsae_sha384", SSL_SIGN_RSA_PSS_RSAE_SHA384},
    {"rsa_pss_rsae_sha512", SSL_SIGN_RSA_PSS_RSAE_SHA512},
    {"ed25519", SSL_SIGN_ED25519},
    {"rsa_pkcs1_sha1", SSL_SIGN_RSA_PKCS1_SHA1},
    {"ecdsa_sha1", SSL_SIGN_ECDSA_SHA1},
}};

std::string joined(const std::vector<std::string>& items) {
  std::string out;
  for (const std::string& item : items) out += (out.empty() ? "" : ":") + item;
  return out;
}

bssl::UniquePtr<SSL_CTX> scratch_context() {
  ERR_clear_error();
  return bssl::UniquePtr<SSL_CTX>(SSL_CTX_new(TLS_with_buffers_method()));
}

uint16_t signature_value(std::string_view name) {
  for (const SignatureAlgorithm& one : kSignatureAlgorithms)
    if (one.name == name) return one.value;
  return 0;
}

Result<void> apply_signature_algorithms(const Parameters& parameters, SSL_CTX& context) {
  std::vector<uint16_t> values;
  for (const std::string& name : parameters.signature_algorithms)
    values.push_back(signature_value(name));
  if (values.empty()) return {};
  if (!SSL_CTX_set_signing_algorithm_prefs(&context, values.data(), values.size()) ||
      !SSL_CTX_set_verify_algorithm_prefs(&context, values.data(), values.size()))
    return Error{"bad-signature-algorithms", "the signature algorithms cannot be used together"};
  return {};
}

}  // namespace

Result<void> check_cipher(const std::string& name) {
  const auto context = scratch_context();
  // An operator such as '!' changes a list, and needs one to stand in.
  const bool good = SSL_CTX_set_strict_cipher_list(context.get(), name.c_str()) != 0 ||
                    (!name.empty() && std::string_view("!-+@").find(name[0]) != name.npos &&
                     SSL_CTX_set_strict_cipher_list(context.get(), ("ALL:" + name).c_str()) != 0);
  ERR_clear_error();
  if (good) return {};
  return Error{"unknown-cipher",
               "unknown cipher '" + name +
                   "'; such as ECDHE-RSA-AES128-GCM-SHA256; those of TLS 1.3 are not chosen"};
}

Result<void> check_curve(const std::string& name) {
  const auto context = scratch_context();
  const bool good = !name.empty() && name.find(':') == std::string::npos &&
                    SSL_CTX_set1_curves_list(context.get(), name.c_str()) != 0;
  ERR_clear_error();
  if (good) return {};
  return Error{"unknown-curve",
               "unknown curve '" + name + "'; there are X25519, P-256, P-384 and P-521"};
}

Result<void> check_signature_algorithm(const std::string& name) {
  if (signature_value(name) != 0) return {};
  std::string known;
  for (const SignatureAlgorithm& one : kSignatureAlgorithms)
    known += (known.empty() ? "" : ", ") + std::string(one.name);
  return Error{"unknown-signature-algorithm",
               "unknown signature algorithm '" + name + "'; there are " + known};
}

Result<void> check_alpn(const std::vector<std::string>& names) {
  constexpr size_t kMostBytes = 65535;
  for (const std::string& name : names)
    if (name.empty() || name.size() > 255)
      return Error{"bad-alpn", "a protocol's name has 1 to 255 bytes"};
  if (alpn_wire(names).size() >= kMostBytes)
    return Error{"bad-alpn", "the list of protocols is longer than 65535 bytes"};
  return {};
}

std::string alpn_wire(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += static_cast<char>(name.size()) + name;
  return out;
}

Result<void> apply(const Parameters& parameters, SSL_CTX& context) {
  ERR_clear_error();
  if (!SSL_CTX_set_min_proto_version(&context, parameters.min_version) ||
      !SSL_CTX_set_max_proto_version(&context, parameters.max_version) ||
      parameters.min_version > parameters.max_version)
    return Error{"bad-version", "the lowest TLS version is above the highest"};
  const std::string ciphers =
      parameters.ciphers.empty() ? kDefaultCiphers : joined(parameters.ciphers);
  if (!SSL_CTX_set_strict_cipher_list(&context, ciphers.c_str()))
    return Error{"bad-ciphers", "the cipher list '" + ciphers + "' leaves no cipher"};
  const std::string curves = parameters.curves.empty() ? kDefaultCurves : joined(parameters.curves);
  if (!SSL_CTX_set1_curves_list(&context, curves.c_str()))
    return Error{"bad-curves", "the curves '" + curves + "' cannot be used together"};
  return apply_signature_algorithms(parameters, context);
}

}  // namespace weir::tls
