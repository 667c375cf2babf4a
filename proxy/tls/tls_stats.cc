#include "proxy/tls/tls_stats.h"

#include <openssl/ssl.h>

namespace weir::tls {

using net::PeerVerdict;

TlsStats::TlsStats(stats::Registry& registry, const std::string& prefix)
    : handshake_(registry.counter(prefix + "ssl.handshake")),
      connection_error_(registry.counter(prefix + "ssl.connection_error")),
      session_reused_(registry.counter(prefix + "ssl.session_reused")),
      no_certificate_(registry.counter(prefix + "ssl.no_certificate")),
      fail_verify_no_cert_(registry.counter(prefix + "ssl.fail_verify_no_cert")),
      fail_verify_error_(registry.counter(prefix + "ssl.fail_verify_error")),
      fail_verify_san_(registry.counter(prefix + "ssl.fail_verify_san")),
      fail_verify_cert_hash_(registry.counter(prefix + "ssl.fail_verify_cert_hash")),
      ocsp_requests_(registry.counter(prefix + "ssl.ocsp_staple_requests")),
      ocsp_responses_(registry.counter(prefix + "ssl.ocsp_staple_responses")),
      ocsp_omitted_(registry.counter(prefix + "ssl.ocsp_staple_omitted")),
      ocsp_failed_(registry.counter(prefix + "ssl.ocsp_staple_failed")) {
  for (const char* version : {"TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"})
    versions_[version] = registry.counter(prefix + "ssl.versions." + version);
  // Every cipher that BoringSSL has: workers cannot make up names.
  const bssl::UniquePtr<SSL_CTX> all(SSL_CTX_new(TLS_with_buffers_method()));
  SSL_CTX_set_cipher_list(all.get(), "ALL");
  const STACK_OF(SSL_CIPHER)* ciphers = SSL_CTX_get_ciphers(all.get());
  for (size_t i = 0; i < sk_SSL_CIPHER_num(ciphers); ++i) {
    const std::string name = SSL_CIPHER_get_name(sk_SSL_CIPHER_value(ciphers, i));
    ciphers_[name] = registry.counter(prefix + "ssl.ciphers." + name);
  }
  for (const uint16_t value : {0x1301, 0x1302, 0x1303}) {
    const std::string name = SSL_CIPHER_get_name(SSL_get_cipher_by_value(value));
    ciphers_[name] = registry.counter(prefix + "ssl.ciphers." + name);
  }
  for (const uint16_t curve :
       {SSL_CURVE_SECP256R1, SSL_CURVE_SECP384R1, SSL_CURVE_SECP521R1, SSL_CURVE_X25519})
    curves_[curve] = registry.counter(prefix + "ssl.curves." + SSL_get_curve_name(curve));
  for (const uint16_t sigalg :
       {SSL_SIGN_RSA_PKCS1_SHA1, SSL_SIGN_RSA_PKCS1_SHA256, SSL_SIGN_RSA_PKCS1_SHA384,
        SSL_SIGN_RSA_PKCS1_SHA512, SSL_SIGN_ECDSA_SHA1, SSL_SIGN_ECDSA_SECP256R1_SHA256,
        SSL_SIGN_ECDSA_SECP384R1_SHA384, SSL_SIGN_ECDSA_SECP521R1_SHA512,
        SSL_SIGN_RSA_PSS_RSAE_SHA256, SSL_SIGN_RSA_PSS_RSAE_SHA384, SSL_SIGN_RSA_PSS_RSAE_SHA512})
    sigalgs_[sigalg] =
        registry.counter(prefix + "ssl.sigalgs." + SSL_get_signature_algorithm_name(sigalg, 1));
}

void TlsStats::on_handshake(stats::Shard& shard, const net::TlsSession& session, int error) const {
  on_ocsp(shard, session.ocsp());
  if (error != 0) return on_failure(shard, session);
  shard.inc(handshake_);
  if (session.session_reused()) shard.inc(session_reused_);
  if (!session.peer_has_certificate()) shard.inc(no_certificate_);
  if (const auto found = versions_.find(session.version()); found != versions_.end())
    shard.inc(found->second);
  if (const auto found = ciphers_.find(session.cipher()); found != ciphers_.end())
    shard.inc(found->second);
  if (const auto found = curves_.find(session.curve()); found != curves_.end())
    shard.inc(found->second);
  if (const auto found = sigalgs_.find(session.peer_signature_algorithm()); found != sigalgs_.end())
    shard.inc(found->second);
}

void TlsStats::on_ocsp(stats::Shard& shard, net::OcspOutcome outcome) const {
  if (outcome == net::OcspOutcome::kNotAsked) return;
  shard.inc(ocsp_requests_);
  if (outcome == net::OcspOutcome::kStapled) shard.inc(ocsp_responses_);
  if (outcome == net::OcspOutcome::kOmitted) shard.inc(ocsp_omitted_);
  if (outcome == net::OcspOutcome::kRefused) shard.inc(ocsp_failed_);
}

void TlsStats::on_failure(stats::Shard& shard, const net::TlsSession& session) const {
  switch (session.verdict()) {
    case PeerVerdict::kNoCertificate:
      return shard.inc(fail_verify_no_cert_);
    case PeerVerdict::kUntrusted:
      return shard.inc(fail_verify_error_);
    case PeerVerdict::kWrongName:
      return shard.inc(fail_verify_san_);
    case PeerVerdict::kWrongHash:
      return shard.inc(fail_verify_cert_hash_);
    default:
      shard.inc(connection_error_);
  }
}

}  // namespace weir::tls
