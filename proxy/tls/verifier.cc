#include "proxy/tls/verifier.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/mem.h>
#include <openssl/pem.h>
#include <openssl/pool.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <algorithm>

namespace weir::tls {
namespace {

using net::PeerVerdict;
using Outcome = Verifier::Outcome;

constexpr std::string_view kSpiffe = "spiffe://";

Sha256 sha256(const uint8_t* bytes, size_t count) {
  Sha256 out;
  SHA256(bytes, count, out.data());
  return out;
}

bool has(const std::vector<Sha256>& list, const Sha256& hash) {
  return std::find(list.begin(), list.end(), hash) != list.end();
}

// Of `allow_expired_certificate`: time is not looked at, everything else is.
int ignore_times(int good, X509_STORE_CTX* context) {
  const int error = X509_STORE_CTX_get_error(context);
  if (error != X509_V_ERR_CERT_HAS_EXPIRED && error != X509_V_ERR_CERT_NOT_YET_VALID) return good;
  X509_STORE_CTX_set_error(context, X509_V_OK);
  return 1;
}

bssl::UniquePtr<X509Stack> parse(const BufferStack& chain) {
  bssl::UniquePtr<X509Stack> out(sk_X509_new_null());
  for (size_t i = 0; i < sk_CRYPTO_BUFFER_num(&chain); ++i) {
    bssl::UniquePtr<X509> one(X509_parse_from_buffer(sk_CRYPTO_BUFFER_value(&chain, i)));
    if (one == nullptr || !bssl::PushToStack(out.get(), std::move(one))) return nullptr;
  }
  return out;
}

// SPIFFE X.509-SVID 4 and 5: a leaf is no authority and signs nothing.
bool is_svid_leaf(X509& leaf) {
  if (X509_check_ca(&leaf) != 0) return false;
  constexpr uint32_t kSigns = KU_KEY_CERT_SIGN | KU_CRL_SIGN;
  return (X509_get_extension_flags(&leaf) & EXFLAG_KUSAGE) == 0 ||
         (X509_get_key_usage(&leaf) & kSigns) == 0;
}

}  // namespace

// ---- trust store ----

TrustStore::TrustStore() : store_(X509_STORE_new()) {}

Result<size_t> TrustStore::add_pem(std::string_view pem) {
  ERR_clear_error();
  const bssl::UniquePtr<BIO> bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  const bssl::UniquePtr<STACK_OF(X509_INFO)> list(
      PEM_X509_INFO_read_bio(bio.get(), nullptr, nullptr, nullptr));
  if (list == nullptr) {
    ERR_clear_error();
    return Error{"bad-authority", "the text is not certificates in PEM form"};
  }
  const size_t before = authorities_.size();
  for (size_t i = 0; i < sk_X509_INFO_num(list.get()); ++i) {
    const X509_INFO* item = sk_X509_INFO_value(list.get(), i);
    if (item->x509 != nullptr) {
      X509_STORE_add_cert(store_.get(), item->x509);
      authorities_.push_back(net::read_facts(*item->x509));
      uint8_t* der = nullptr;
      const int length = i2d_X509_NAME(X509_get_subject_name(item->x509), &der);
      if (length > 0) names_.emplace_back(reinterpret_cast<char*>(der), length);
      OPENSSL_free(der);
    }
    if (item->crl != nullptr) {
      X509_STORE_add_crl(store_.get(), item->crl);
      has_revocations_ = true;
    }
  }
  ERR_clear_error();
  if (authorities_.size() == before)
    return Error{"bad-authority", "there is no certificate in PEM form"};
  return authorities_.size() - before;
}

Result<size_t> TrustStore::add_revocations(std::string_view pem) {
  ERR_clear_error();
  const bssl::UniquePtr<BIO> bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  size_t count = 0;
  for (;; ++count) {
    const bssl::UniquePtr<X509_CRL> one(
        PEM_read_bio_X509_CRL(bio.get(), nullptr, nullptr, nullptr));
    if (one == nullptr) break;
    X509_STORE_add_crl(store_.get(), one.get());
    has_revocations_ = true;
  }
  const uint32_t error = ERR_peek_last_error();
  const bool at_end =
      ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  if (!at_end || count == 0)
    return Error{"bad-crl", "there is no certificate revocation list in PEM form, or a broken one"};
  return count;
}

bssl::UniquePtr<BufferStack> TrustStore::names() const {
  bssl::UniquePtr<BufferStack> out(sk_CRYPTO_BUFFER_new_null());
  for (const std::string& name : names_) {
    bssl::UniquePtr<CRYPTO_BUFFER> buffer(
        CRYPTO_BUFFER_new(reinterpret_cast<const uint8_t*>(name.data()), name.size(), nullptr));
    bssl::PushToStack(out.get(), std::move(buffer));
  }
  return out;
}

// ---- verifier ----

Outcome Verifier::verify(const BufferStack& chain, bool peer_is_client,
                         std::string_view name) const {
  if (rules_.ask_nothing() && name.empty()) return {PeerVerdict::kNotChecked};
  const bssl::UniquePtr<X509Stack> certificates = parse(chain);
  if (certificates == nullptr || sk_X509_num(certificates.get()) == 0)
    return {PeerVerdict::kUntrusted, SSL_AD_BAD_CERTIFICATE, "the certificate cannot be read"};
  X509& leaf = *sk_X509_value(certificates.get(), 0);
  Outcome outcome = check_chain(leaf, *certificates, peer_is_client);
  if (outcome.verdict == PeerVerdict::kValid) outcome = check_names(leaf, name);
  ERR_clear_error();
  if (!outcome.accepted() && rules_.accept_untrusted) outcome.verdict = PeerVerdict::kAccepted;
  return outcome;
}

const TrustStore* Verifier::store_for(X509& leaf, std::string& why) const {
  if (rules_.trust_domains.empty()) return rules_.trusted.get();
  if (!is_svid_leaf(leaf)) {
    why = "the certificate is no SPIFFE leaf: it may sign others";
    return nullptr;
  }
  const std::vector<std::string> uris = net::read_facts(leaf).uri_sans;
  // SPIFFE X.509-SVID 2: with several, one domain's authority would vouch for a name of another.
  if (uris.size() > 1) {
    why = "the certificate has more than one URI, so it has no SPIFFE id";
    return nullptr;
  }
  if (!uris.empty() && uris[0].starts_with(kSpiffe)) {
    const std::string_view rest = std::string_view(uris[0]).substr(kSpiffe.size());
    const auto found = rules_.trust_domains.find(rest.substr(0, rest.find('/')));
    if (found != rules_.trust_domains.end()) return found->second.get();
  }
  why = "no trust bundle for the certificate's SPIFFE id";
  return nullptr;
}

Outcome Verifier::check_chain(X509& leaf, X509Stack& others, bool peer_is_client) const {
  const bool wanted = rules_.trusted != nullptr || !rules_.trust_domains.empty();
  if (!wanted) return {PeerVerdict::kValid};
  std::string why;
  const TrustStore* trust = store_for(leaf, why);
  if (trust == nullptr) return {PeerVerdict::kUntrusted, SSL_AD_CERTIFICATE_UNKNOWN, why};
  const bssl::UniquePtr<X509_STORE_CTX> context(X509_STORE_CTX_new());
  if (!X509_STORE_CTX_init(context.get(), &trust->store(), &leaf, &others) ||
      !X509_STORE_CTX_set_default(context.get(), peer_is_client ? "ssl_client" : "ssl_server"))
    return {PeerVerdict::kUntrusted, SSL_AD_INTERNAL_ERROR, "the library has no memory"};
  unsigned long flags = X509_V_FLAG_PARTIAL_CHAIN;
  if (trust->has_revocations()) {
    flags |= X509_V_FLAG_CRL_CHECK;
    if (!rules_.only_leaf_revocations) flags |= X509_V_FLAG_CRL_CHECK_ALL;
  }
  X509_STORE_CTX_set_flags(context.get(), flags);
  X509_STORE_CTX_set_depth(context.get(), rules_.max_depth);
  if (rules_.allow_expired) X509_STORE_CTX_set_verify_cb(context.get(), &ignore_times);
  if (X509_verify_cert(context.get()) == 1) return {PeerVerdict::kValid};
  const int error = X509_STORE_CTX_get_error(context.get());
  why = "verify cert failed: X509_verify_cert: certificate verification error at depth " +
        std::to_string(X509_STORE_CTX_get_error_depth(context.get())) + ": " +
        X509_verify_cert_error_string(error);
  return {PeerVerdict::kUntrusted, SSL_alert_from_verify_result(error), why};
}

Outcome Verifier::check_names(X509& leaf, std::string_view name) const {
  if (!name.empty() && !any_san_is(leaf, name))
    return {PeerVerdict::kWrongName, SSL_AD_BAD_CERTIFICATE,
            "verify cert failed: the certificate is not for '" + std::string(name) + "'"};
  if (!rules_.sans.empty() && !any_san_matches(leaf, rules_.sans))
    return {PeerVerdict::kWrongName, SSL_AD_BAD_CERTIFICATE, "verify cert failed: SAN matcher"};
  if (!hash_listed(leaf))
    return {PeerVerdict::kWrongHash, SSL_AD_BAD_CERTIFICATE,
            "verify cert failed: cert hash and spki"};
  return {PeerVerdict::kValid};
}

bool Verifier::hash_listed(X509& leaf) const {
  if (rules_.certificate_hashes.empty() && rules_.key_hashes.empty()) return true;
  uint8_t* der = nullptr;
  int length = i2d_X509(&leaf, &der);
  const bssl::UniquePtr<uint8_t> whole(der);
  if (length > 0 && has(rules_.certificate_hashes, sha256(der, static_cast<size_t>(length))))
    return true;
  uint8_t* key = nullptr;
  length = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(&leaf), &key);
  const bssl::UniquePtr<uint8_t> spki(key);
  return length > 0 && has(rules_.key_hashes, sha256(key, static_cast<size_t>(length)));
}

}  // namespace weir::tls
