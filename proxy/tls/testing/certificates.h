#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <cstdint>
#include <string>
#include <vector>

// Certificates for tests, made when they run.
namespace weir::tls::testing {

enum class KeyKind : uint8_t { kP256, kP384, kRsa2048, kEd25519 };

// What a certificate is to say.
struct Wanted {
  std::string common_name = "test";
  std::vector<std::string> dns;
  std::vector<std::string> uris;
  std::vector<std::string> ips;  // as text
  std::vector<std::string> emails;
  std::string other_name;  // UTF8String under OID 1.2.3.4.5
  KeyKind key = KeyKind::kP256;
  bool authority = false;
  bool cannot_sign = false;  // an authority whose key usage lacks keyCertSign
  int64_t valid_from_s = -3600;
  int64_t valid_for_s = 86400;
};

// A certificate with its key, and the authority that both may be.
class Certificate {
 public:
  // Signed by itself.
  explicit Certificate(const Wanted& wanted);
  // Signed by this one.
  Certificate issue(const Wanted& wanted) const;
  // A revocation list of this authority.
  std::string revoke(const std::vector<const Certificate*>& revoked) const;

  std::string pem() const;
  std::string key_pem() const;
  std::string encrypted_key_pem(const std::string& password) const;
  std::string pkcs12(const std::string& password) const;
  std::string der() const;
  std::string spki_sha256_base64() const;
  std::string sha256_hex() const;
  X509& x509() const { return *certificate_; }
  EVP_PKEY& key() const { return *key_; }

 private:
  Certificate(const Wanted& wanted, const Certificate* issuer);

  bssl::UniquePtr<EVP_PKEY> key_;
  bssl::UniquePtr<X509> certificate_;
};

// A root of that name.
Certificate make_root(const std::string& name = "test root");

// Writes a file, for those who read one.
void write_file(const std::string& path, const std::string& content);

}  // namespace weir::tls::testing
