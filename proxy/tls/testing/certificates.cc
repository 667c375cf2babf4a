#include "proxy/tls/testing/certificates.h"

#include <arpa/inet.h>
#include <openssl/base64.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/digest.h>
#include <openssl/ec_key.h>
#include <openssl/evp.h>
#include <openssl/mem.h>
#include <openssl/pem.h>
#include <openssl/pkcs8.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <cstdlib>
#include <ctime>
#include <fstream>
#include <functional>

namespace weir::tls::testing {
namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

bssl::UniquePtr<EVP_PKEY> make_key(KeyKind kind) {
  bssl::UniquePtr<EVP_PKEY> key(EVP_PKEY_new());
  if (kind == KeyKind::kRsa2048) {
    bssl::UniquePtr<BIGNUM> e(BN_new());
    bssl::UniquePtr<RSA> rsa(RSA_new());
    require(BN_set_word(e.get(), RSA_F4) && RSA_generate_key_ex(rsa.get(), 2048, e.get(), nullptr));
    require(EVP_PKEY_set1_RSA(key.get(), rsa.get()));
  } else if (kind == KeyKind::kEd25519) {
    uint8_t seed[32];
    RAND_bytes(seed, sizeof(seed));
    key.reset(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, seed, sizeof(seed)));
  } else {
    const int curve = kind == KeyKind::kP384 ? NID_secp384r1 : NID_X9_62_prime256v1;
    bssl::UniquePtr<EC_KEY> ec(EC_KEY_new_by_curve_name(curve));
    require(EC_KEY_generate_key(ec.get()) && EVP_PKEY_set1_EC_KEY(key.get(), ec.get()));
  }
  require(key != nullptr);
  return key;
}

const EVP_MD* digest_for(const EVP_PKEY& key) {
  return EVP_PKEY_id(&key) == EVP_PKEY_ED25519 ? nullptr : EVP_sha256();
}

GENERAL_NAME* text_name(int type, const std::string& text) {
  GENERAL_NAME* name = GENERAL_NAME_new();
  ASN1_IA5STRING* value = ASN1_IA5STRING_new();
  require(ASN1_STRING_set(value, text.data(), static_cast<int>(text.size())));
  GENERAL_NAME_set0_value(name, type, value);
  return name;
}

GENERAL_NAME* ip_name(const std::string& text) {
  uint8_t bytes[16];
  const bool v6 = text.find(':') != std::string::npos;
  require(inet_pton(v6 ? AF_INET6 : AF_INET, text.c_str(), bytes) == 1);
  GENERAL_NAME* name = GENERAL_NAME_new();
  ASN1_OCTET_STRING* value = ASN1_OCTET_STRING_new();
  require(ASN1_OCTET_STRING_set(value, bytes, v6 ? 16 : 4));
  GENERAL_NAME_set0_value(name, GEN_IPADD, value);
  return name;
}

GENERAL_NAME* other_name(const std::string& text) {
  GENERAL_NAME* name = GENERAL_NAME_new();
  ASN1_TYPE* value = ASN1_TYPE_new();
  ASN1_UTF8STRING* utf8 = ASN1_UTF8STRING_new();
  require(ASN1_STRING_set(utf8, text.data(), static_cast<int>(text.size())));
  ASN1_TYPE_set(value, V_ASN1_UTF8STRING, utf8);
  require(GENERAL_NAME_set0_othername(name, OBJ_txt2obj("1.2.3.4.5", 1), value));
  return name;
}

void add_names(X509& certificate, const Wanted& wanted) {
  bssl::UniquePtr<GENERAL_NAMES> names(GENERAL_NAMES_new());
  const auto add = [&](GENERAL_NAME* name) {
    require(bssl::PushToStack(names.get(), bssl::UniquePtr<GENERAL_NAME>(name)));
  };
  for (const std::string& dns : wanted.dns) add(text_name(GEN_DNS, dns));
  for (const std::string& uri : wanted.uris) add(text_name(GEN_URI, uri));
  for (const std::string& email : wanted.emails) add(text_name(GEN_EMAIL, email));
  for (const std::string& ip : wanted.ips) add(ip_name(ip));
  if (!wanted.other_name.empty()) add(other_name(wanted.other_name));
  if (sk_GENERAL_NAME_num(names.get()) == 0) return;
  require(X509_add1_ext_i2d(&certificate, NID_subject_alt_name, names.get(), 0, X509V3_ADD_APPEND));
}

void add_constraints(X509& certificate, const Wanted& wanted) {
  bssl::UniquePtr<BASIC_CONSTRAINTS> basic(BASIC_CONSTRAINTS_new());
  basic->ca = wanted.authority ? 0xff : 0;
  require(
      X509_add1_ext_i2d(&certificate, NID_basic_constraints, basic.get(), 1, X509V3_ADD_APPEND));
  if (!wanted.authority) return;
  bssl::UniquePtr<ASN1_BIT_STRING> usage(ASN1_BIT_STRING_new());
  // Bits of RFC 5280 4.2.1.3: keyCertSign is 5, cRLSign is 6.
  if (!wanted.cannot_sign) require(ASN1_BIT_STRING_set_bit(usage.get(), 5, 1));
  require(ASN1_BIT_STRING_set_bit(usage.get(), 6, 1));
  require(X509_add1_ext_i2d(&certificate, NID_key_usage, usage.get(), 1, X509V3_ADD_APPEND));
}

std::string from_bio(const std::function<bool(BIO*)>& write) {
  bssl::UniquePtr<BIO> bio(BIO_new(BIO_s_mem()));
  require(write(bio.get()));
  const uint8_t* bytes;
  size_t length;
  require(BIO_mem_contents(bio.get(), &bytes, &length));
  return {reinterpret_cast<const char*>(bytes), length};
}

}  // namespace

Certificate::Certificate(const Wanted& wanted) : Certificate(wanted, nullptr) {}
Certificate Certificate::issue(const Wanted& wanted) const {
  return {wanted, this};
}

Certificate::Certificate(const Wanted& wanted, const Certificate* issuer)
    : key_(make_key(wanted.key)), certificate_(X509_new()) {
  X509& c = *certificate_;
  require(X509_set_version(&c, X509_VERSION_3));
  uint64_t serial;
  RAND_bytes(reinterpret_cast<uint8_t*>(&serial), sizeof(serial));
  require(ASN1_INTEGER_set_uint64(X509_get_serialNumber(&c), serial >> 1 | 1));
  const auto* name = reinterpret_cast<const uint8_t*>(wanted.common_name.data());
  X509_NAME* subject = X509_get_subject_name(&c);
  require(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, name,
                                     static_cast<int>(wanted.common_name.size()), -1, 0));
  require(X509_set_issuer_name(
      &c, issuer == nullptr ? subject : X509_get_subject_name(issuer->certificate_.get())));
  const time_t now = time(nullptr);
  const time_t from = now + wanted.valid_from_s;
  require(ASN1_TIME_set(X509_getm_notBefore(&c), from) != nullptr);
  require(ASN1_TIME_set(X509_getm_notAfter(&c), now + wanted.valid_for_s) != nullptr);
  require(X509_set_pubkey(&c, key_.get()));
  add_constraints(c, wanted);
  add_names(c, wanted);
  EVP_PKEY* signer = issuer == nullptr ? key_.get() : issuer->key_.get();
  require(X509_sign(&c, signer, digest_for(*signer)) > 0);
}

std::string Certificate::revoke(const std::vector<const Certificate*>& revoked) const {
  bssl::UniquePtr<X509_CRL> list(X509_CRL_new());
  require(X509_CRL_set_version(list.get(), X509_CRL_VERSION_2));
  require(X509_CRL_set_issuer_name(list.get(), X509_get_subject_name(certificate_.get())));
  const time_t now = time(nullptr);
  bssl::UniquePtr<ASN1_TIME> from(ASN1_TIME_set(nullptr, now - 3600));
  bssl::UniquePtr<ASN1_TIME> to(ASN1_TIME_set(nullptr, now + 86400));
  require(X509_CRL_set1_lastUpdate(list.get(), from.get()));
  require(X509_CRL_set1_nextUpdate(list.get(), to.get()));
  for (const Certificate* one : revoked) {
    bssl::UniquePtr<X509_REVOKED> entry(X509_REVOKED_new());
    require(X509_REVOKED_set_serialNumber(entry.get(), X509_get_serialNumber(&one->x509())));
    require(X509_REVOKED_set_revocationDate(entry.get(), from.get()));
    require(X509_CRL_add0_revoked(list.get(), entry.release()));
  }
  require(X509_CRL_sort(list.get()) && X509_CRL_sign(list.get(), key_.get(), EVP_sha256()) > 0);
  return from_bio([&](BIO* bio) { return PEM_write_bio_X509_CRL(bio, list.get()) == 1; });
}

std::string Certificate::pem() const {
  return from_bio([&](BIO* bio) { return PEM_write_bio_X509(bio, certificate_.get()) == 1; });
}

std::string Certificate::key_pem() const {
  return from_bio([&](BIO* bio) {
    return PEM_write_bio_PrivateKey(bio, key_.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1;
  });
}

std::string Certificate::encrypted_key_pem(const std::string& password) const {
  std::string text = password;
  return from_bio([&](BIO* bio) {
    return PEM_write_bio_PKCS8PrivateKey(bio, key_.get(), EVP_aes_256_cbc(), text.data(),
                                         static_cast<int>(text.size()), nullptr, nullptr) == 1;
  });
}

std::string Certificate::pkcs12(const std::string& password) const {
  bssl::UniquePtr<PKCS12> both(PKCS12_create(password.c_str(), "test", key_.get(),
                                             certificate_.get(), nullptr, 0, 0, 0, 0, 0));
  require(both != nullptr);
  return from_bio([&](BIO* bio) { return i2d_PKCS12_bio(bio, both.get()) == 1; });
}

std::string Certificate::der() const {
  uint8_t* bytes = nullptr;
  const int length = i2d_X509(certificate_.get(), &bytes);
  require(length > 0);
  std::string out(reinterpret_cast<char*>(bytes), static_cast<size_t>(length));
  OPENSSL_free(bytes);
  return out;
}

std::string Certificate::spki_sha256_base64() const {
  uint8_t* bytes = nullptr;
  const int length = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate_.get()), &bytes);
  require(length > 0);
  uint8_t digest[SHA256_DIGEST_LENGTH];
  SHA256(bytes, static_cast<size_t>(length), digest);
  OPENSSL_free(bytes);
  uint8_t text[64];
  const size_t n = EVP_EncodeBlock(text, digest, sizeof(digest));
  return {reinterpret_cast<char*>(text), n};
}

std::string Certificate::sha256_hex() const {
  uint8_t digest[SHA256_DIGEST_LENGTH];
  const std::string bytes = der();
  SHA256(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size(), digest);
  std::string out;
  for (uint8_t byte : digest) {
    out += "0123456789abcdef"[byte >> 4];
    out += "0123456789abcdef"[byte & 15];
  }
  return out;
}

Certificate make_root(const std::string& name) {
  return Certificate({.common_name = name, .authority = true});
}

void write_file(const std::string& path, const std::string& content) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << content;
  require(file.good());
}

}  // namespace weir::tls::testing
