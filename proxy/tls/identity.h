#pragma once

#include <openssl/evp.h>
#include <openssl/pool.h>
#include <openssl/x509.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/base/result.h"
#include "proxy/net/certificate.h"

// Certificates that this side shows, and their keys.
namespace weir::tls {

// A chain as it is sent, the leaf first.
struct Chain {
  std::vector<bssl::UniquePtr<CRYPTO_BUFFER>> certificates;
  std::vector<net::CertificateFacts> facts;  // of each
  bssl::UniquePtr<X509> leaf;
};

// PEM, any text around the certificates is skipped. Refuses a chain of which a certificate has
// expired or is not valid yet at `now_s`.
Result<Chain> parse_chain(std::string_view pem, int64_t now_s);
// PEM (PKCS#1, SEC 1, PKCS#8), encrypted ones with their password. RSA of at least 2048 bits, or
// ECDSA on P-256, P-384 or P-521.
Result<bssl::UniquePtr<EVP_PKEY>> parse_key(std::string_view pem, std::string_view password);
// Both in one PKCS#12 file.
struct ChainAndKey {
  Chain chain;
  bssl::UniquePtr<EVP_PKEY> key;
};
Result<ChainAndKey> parse_pkcs12(std::string_view der, std::string_view password, int64_t now_s);

// The stapled OCSP response (RFC 6960) for one certificate.
struct OcspStaple {
  std::string der;
  int64_t next_update_s = INT64_MAX;  // when it has expired

  bool valid_at(int64_t now_s) const { return !der.empty() && now_s < next_update_s; }
};
// Refuses one that is broken, says that the certificate is not good, or is for another serial.
Result<OcspStaple> parse_ocsp(std::string_view der, const net::CertificateFacts& leaf);

// Immutable once made; shared by threads.
struct Identity {
  Chain chain;
  bssl::UniquePtr<EVP_PKEY> key;
  OcspStaple ocsp;
  std::string path;    // of the chain's file; empty when it was inline
  std::string secret;  // the secret's name; empty when it was given in place
  bool ecdsa = false;
  bool must_staple = false;        // RFC 7633
  uint16_t curve = 0;              // an SSL_CURVE_ number, of ECDSA keys
  std::vector<std::string> names;  // DNS names in lower case: for the client's SNI

  const net::CertificateFacts& facts() const { return chain.facts.front(); }
};

// Refuses a key that is not the leaf's.
Result<Identity> make_identity(Chain chain, bssl::UniquePtr<EVP_PKEY> key);

}  // namespace weir::tls
