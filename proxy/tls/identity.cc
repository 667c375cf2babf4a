#include "proxy/tls/identity.h"

#include <openssl/bio.h>
#include <openssl/bytestring.h>
#include <openssl/ec.h>
#include <openssl/ec_key.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <openssl/obj.h>
#include <openssl/pem.h>
#include <openssl/pkcs8.h>
#include <openssl/pool.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>
#include <cstring>
#include <ctime>

namespace weir::tls {
namespace {

// The reason of BoringSSL's last error in its own words, for the end of a sentence.
std::string last_reason() {
  const uint32_t error = ERR_peek_last_error();
  const char* reason = error == 0 ? nullptr : ERR_reason_error_string(error);
  return reason == nullptr ? std::string() : std::string(" (") + reason + ")";
}

// The same, and no error is left.
std::string library_reason() {
  std::string out = last_reason();
  ERR_clear_error();
  return out;
}

// Whether one of BoringSSL's errors is a curve that it does not have. Takes them all.
bool take_unknown_curve() {
  bool out = false;
  for (uint32_t error = ERR_get_error(); error != 0; error = ERR_get_error())
    out |= ERR_GET_LIB(error) == ERR_LIB_EC && ERR_GET_REASON(error) == EC_R_UNKNOWN_GROUP;
  return out;
}

bssl::UniquePtr<BIO> bio_over(std::string_view text) {
  return bssl::UniquePtr<BIO>(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

std::string date_text(int64_t time_s) {
  const time_t time = time_s;
  tm parts{};
  gmtime_r(&time, &parts);
  char text[32];
  std::strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &parts);
  return text;
}

Result<void> check_dates(const net::CertificateFacts& facts, int64_t now_s) {
  const auto what = [&] { return "the certificate '" + facts.subject + "' "; };
  if (now_s > facts.not_after_s)
    return Error{"expired", what() + "expired on " + date_text(facts.not_after_s)};
  if (now_s < facts.not_before_s)
    return Error{"not-yet-valid", what() + "is not valid before " + date_text(facts.not_before_s)};
  return {};
}

Result<void> add_certificate(Chain& chain, bssl::UniquePtr<X509> certificate, int64_t now_s) {
  uint8_t* der = nullptr;
  const int length = i2d_X509(certificate.get(), &der);
  if (length <= 0) return Error{"bad-chain", "a certificate cannot be encoded"};
  bssl::UniquePtr<uint8_t> owned(der);
  net::CertificateFacts facts = net::read_facts(*certificate);
  if (Result<void> dates = check_dates(facts, now_s); !dates) return dates.error();
  chain.certificates.emplace_back(CRYPTO_BUFFER_new(der, static_cast<size_t>(length), nullptr));
  chain.facts.push_back(std::move(facts));
  if (chain.leaf == nullptr) chain.leaf = std::move(certificate);
  return {};
}

// A password callback of PEM: `user` is a string_view.
int give_password(char* to, int capacity, int /*writing*/, void* user) {
  const auto& password = *static_cast<const std::string_view*>(user);
  if (password.empty() || password.size() > static_cast<size_t>(capacity)) return -1;
  std::memcpy(to, password.data(), password.size());
  return static_cast<int>(password.size());
}

uint16_t curve_of(const EVP_PKEY& key) {
  const EC_KEY* ec = EVP_PKEY_get0_EC_KEY(&key);
  switch (ec == nullptr ? 0 : EC_GROUP_get_curve_name(EC_KEY_get0_group(ec))) {
    case NID_X9_62_prime256v1:
      return SSL_CURVE_SECP256R1;
    case NID_secp384r1:
      return SSL_CURVE_SECP384R1;
    case NID_secp521r1:
      return SSL_CURVE_SECP521R1;
    default:
      return 0;
  }
}

// The curve's identifier in a key: of SEC 1 (RFC 5915 3) or PKCS#8 (RFC 5208 5, RFC 5480 2.1.1).
bool find_curve(CBS der, CBS& out) {
  CBS key, within;
  if (!CBS_get_asn1(&der, &key, CBS_ASN1_SEQUENCE) ||
      !CBS_get_asn1(&key, nullptr, CBS_ASN1_INTEGER))
    return false;
  if (CBS_peek_asn1_tag(&key, CBS_ASN1_SEQUENCE))
    return CBS_get_asn1(&key, &within, CBS_ASN1_SEQUENCE) &&
           CBS_get_asn1(&within, nullptr, CBS_ASN1_OBJECT) &&
           CBS_get_asn1(&within, &out, CBS_ASN1_OBJECT);
  return CBS_get_asn1(&key, nullptr, CBS_ASN1_OCTETSTRING) &&
         CBS_get_asn1(&key, &within, CBS_ASN1_CONTEXT_SPECIFIC | CBS_ASN1_CONSTRUCTED | 0) &&
         CBS_get_asn1(&within, &out, CBS_ASN1_OBJECT);
}

// The name of a curve that the library does not have, or the identifier in dots; else empty.
std::string unknown_curve_name(const CBS& identifier) {
  const int nid = OBJ_cbs2nid(&identifier);
  const bssl::UniquePtr<EC_GROUP> known(EC_GROUP_new_by_curve_name(nid));
  if (known != nullptr) return {};
  if (nid != NID_undef) return OBJ_nid2sn(nid);
  const bssl::UniquePtr<char> dotted(CBS_asn1_oid_to_text(&identifier));
  return dotted == nullptr ? std::string() : dotted.get();
}

// The curve of a key in `pem` that cannot be read because of it. Empty: there is none, or it is
// encrypted.
std::string unknown_curve_in(std::string_view pem) {
  const bssl::UniquePtr<BIO> bio = bio_over(pem);
  std::string out;
  char* kind = nullptr;
  char* header = nullptr;
  uint8_t* bytes = nullptr;
  long length = 0;
  while (out.empty() && PEM_read_bio(bio.get(), &kind, &header, &bytes, &length) == 1) {
    const bssl::UniquePtr<char> owned_kind(kind), owned_header(header);
    const bssl::UniquePtr<uint8_t> owned_bytes(bytes);  // wiped when it is freed
    CBS der, curve;
    CBS_init(&der, bytes, static_cast<size_t>(length));
    const bool is_key = std::string_view(kind).ends_with("PRIVATE KEY");
    if (is_key && find_curve(der, curve)) out = unknown_curve_name(curve);
  }
  ERR_clear_error();
  return out;
}

std::string refused_curve(const std::string& name) {
  return (name.empty() ? "the private key is on a curve that is not supported"
                       : "the private key is on the curve " + name + ", which is not supported") +
         "; ECDSA keys work on P-256, P-384 and P-521";
}

// Why a key in PEM form could not be read. Takes the library's errors.
std::string why_unread(std::string_view pem, std::string_view password) {
  const std::string reason = last_reason();
  const bool unknown_curve = take_unknown_curve();
  const std::string curve = unknown_curve_in(pem);
  if (unknown_curve || !curve.empty()) return refused_curve(curve);
  const auto has = [&](std::string_view text) { return pem.find(text) != std::string_view::npos; };
  if (!has("PRIVATE KEY-----")) return "there is no private key in PEM form" + reason;
  if (!has("ENCRYPTED")) return "the private key is broken" + reason;
  return (password.empty() ? "the private key is encrypted: give its password"
                           : "the password does not open the private key") +
         reason;
}

Result<void> check_key(const EVP_PKEY& key) {
  constexpr int kLeastRsaBits = 2048;
  const int kind = EVP_PKEY_id(&key);
  if (kind == EVP_PKEY_RSA) {
    if (EVP_PKEY_bits(&key) >= kLeastRsaBits) return {};
    return Error{"weak-key", "an RSA key has at least 2048 bits, this one has " +
                                 std::to_string(EVP_PKEY_bits(&key))};
  }
  if (kind != EVP_PKEY_EC)
    return Error{"bad-key", "the key is neither RSA nor ECDSA on P-256, P-384 or P-521"};
  if (curve_of(key) != 0) return {};
  const EC_GROUP* const group = EC_KEY_get0_group(EVP_PKEY_get0_EC_KEY(&key));
  return Error{"bad-key", refused_curve(OBJ_nid2sn(EC_GROUP_get_curve_name(group)))};
}

std::string in_lower_case(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

bool requires_staple(const X509& leaf) {
  const bssl::UniquePtr<ASN1_OBJECT> feature(OBJ_txt2obj("1.3.6.1.5.5.7.1.24", 1));
  return X509_get_ext_by_OBJ(&leaf, feature.get(), -1) >= 0;
}

}  // namespace

Result<Chain> parse_chain(std::string_view pem, int64_t now_s) {
  ERR_clear_error();
  Chain chain;
  bssl::UniquePtr<BIO> bio = bio_over(pem);
  for (;;) {
    bssl::UniquePtr<X509> certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    if (certificate == nullptr) break;
    if (Result<void> added = add_certificate(chain, std::move(certificate), now_s); !added)
      return added.error();
  }
  // No further line that begins a certificate is how a list ends.
  const uint32_t error = ERR_peek_last_error();
  const bool at_end =
      ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
  if (!at_end) return Error{"bad-chain", "a certificate is broken" + library_reason()};
  ERR_clear_error();
  if (chain.certificates.empty()) return Error{"bad-chain", "there is no certificate in PEM form"};
  return chain;
}

Result<bssl::UniquePtr<EVP_PKEY>> parse_key(std::string_view pem, std::string_view password) {
  ERR_clear_error();
  bssl::UniquePtr<BIO> bio = bio_over(pem);
  bssl::UniquePtr<EVP_PKEY> key(
      PEM_read_bio_PrivateKey(bio.get(), nullptr, &give_password, &password));
  if (key == nullptr) return Error{"bad-key", why_unread(pem, password)};
  if (Result<void> good = check_key(*key); !good) return good.error();
  return key;
}

Result<ChainAndKey> parse_pkcs12(std::string_view der, std::string_view password, int64_t now_s) {
  ERR_clear_error();
  CBS in;
  CBS_init(&in, reinterpret_cast<const uint8_t*>(der.data()), der.size());
  EVP_PKEY* key = nullptr;
  bssl::UniquePtr<STACK_OF(X509)> certificates(sk_X509_new_null());
  const std::string secret(password);
  if (!PKCS12_get_key_and_certs(&key, certificates.get(), &in, secret.c_str())) {
    const std::string reason = last_reason();
    if (take_unknown_curve()) return Error{"bad-key", refused_curve("")};
    return Error{"bad-pkcs12", "the PKCS#12 data cannot be read" + reason};
  }
  ChainAndKey out;
  out.key.reset(key);
  if (key == nullptr || sk_X509_num(certificates.get()) == 0)
    return Error{"bad-pkcs12", "the PKCS#12 data lacks a key or a certificate"};
  if (Result<void> good = check_key(*key); !good) return good.error();
  // The key's own certificate comes first, whatever the order of the file.
  for (const bool leaf : {true, false}) {
    for (size_t i = 0; i < sk_X509_num(certificates.get()); ++i) {
      X509* one = sk_X509_value(certificates.get(), i);
      if ((X509_check_private_key(one, key) == 1) != leaf) continue;
      Result<void> added = add_certificate(out.chain, bssl::UpRef(one), now_s);
      if (!added) return added.error();
    }
  }
  ERR_clear_error();
  return out;
}

Result<Identity> make_identity(Chain chain, bssl::UniquePtr<EVP_PKEY> key) {
  bssl::UniquePtr<EVP_PKEY> shown(X509_get_pubkey(chain.leaf.get()));
  if (shown == nullptr || EVP_PKEY_cmp(shown.get(), key.get()) != 1) {
    ERR_clear_error();
    return Error{"key-mismatch",
                 "the private key is not that of the certificate '" + chain.facts[0].subject + "'"};
  }
  Identity out;
  out.ecdsa = EVP_PKEY_id(key.get()) == EVP_PKEY_EC;
  out.curve = curve_of(*key);
  out.must_staple = requires_staple(*chain.leaf);
  for (const std::string& name : chain.facts[0].dns_sans) out.names.push_back(in_lower_case(name));
  if (out.names.empty()) {
    char name[256];
    const int length = X509_NAME_get_text_by_NID(X509_get_subject_name(chain.leaf.get()),
                                                 NID_commonName, name, sizeof(name));
    if (length > 0) out.names.push_back(in_lower_case(name));
  }
  out.chain = std::move(chain);
  out.key = std::move(key);
  return out;
}

}  // namespace weir::tls
