#include "proxy/tls/server_context.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <ctime>
#include <utility>

#include "proxy/tls/key_log.h"

namespace weir::tls {

using net::OcspOutcome;
using net::PeerVerdict;
using net::TlsSession;

// What BoringSSL calls; each finds its context by the SSL.
struct ServerContext::Callbacks {
  static const ServerContext& of(const SSL* ssl) {
    return *static_cast<const ServerContext*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
  }

  static ssl_select_cert_result_t choose(const SSL_CLIENT_HELLO* hello) {
    const ServerContext& self = of(hello->ssl);
    const bool tls13 = self.settings_.parameters.max_version >= TLS1_3_VERSION;
    const ClientAbilities client = ClientAbilities::read(*hello, tls13);
    const auto chosen = self.choice_.choose(client, std::time(nullptr));
    if (client.ocsp) TlsSession::of(hello->ssl).set_ocsp(outcome_of(chosen));
    if (chosen.identity == nullptr) return ssl_select_cert_error;
    return self.set_identity(hello->ssl, *chosen.identity, chosen.staple) ? ssl_select_cert_success
                                                                          : ssl_select_cert_error;
  }

  static OcspOutcome outcome_of(const CertificateChoice::Chosen& chosen) {
    if (chosen.identity == nullptr) return OcspOutcome::kRefused;
    return chosen.staple ? OcspOutcome::kStapled : OcspOutcome::kOmitted;
  }

  // Where there is nothing to choose, and nothing to staple.
  static ssl_select_cert_result_t note_ocsp(const SSL_CLIENT_HELLO* hello) {
    if (ClientAbilities::asks_for_ocsp(*hello))
      TlsSession::of(hello->ssl).set_ocsp(OcspOutcome::kOmitted);
    return ssl_select_cert_success;
  }

  static ssl_verify_result_t verify(SSL* ssl, uint8_t* alert) {
    const ServerContext& self = of(ssl);
    const BufferStack* chain = SSL_get0_peer_certificates(ssl);
    if (self.settings_.verifier == nullptr || chain == nullptr) return ssl_verify_ok;
    const Verifier::Outcome outcome = self.settings_.verifier->verify(*chain, true, {});
    TlsSession::of(ssl).set_verdict(outcome.verdict, outcome.why);
    if (outcome.accepted()) return ssl_verify_ok;
    *alert = static_cast<uint8_t>(outcome.alert);
    return ssl_verify_invalid;
  }

  static int select_alpn(SSL* ssl, const uint8_t** out, uint8_t* out_length, const uint8_t* in,
                         unsigned in_length, void* /*unused*/) {
    const std::string& ours = of(ssl).alpn_;
    const int result = SSL_select_next_proto(const_cast<uint8_t**>(out), out_length,
                                             reinterpret_cast<const uint8_t*>(ours.data()),
                                             static_cast<unsigned>(ours.size()), in, in_length);
    return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
  }

  static int ticket_key(SSL* ssl, uint8_t* name, uint8_t* iv, EVP_CIPHER_CTX* cipher,
                        HMAC_CTX* hmac, int seals) {
    const TicketKeys& keys = of(ssl).settings_.ticket_keys;
    return seals != 0 ? keys.seal(name, iv, *cipher, *hmac) : keys.open(name, iv, *cipher, *hmac);
  }
};

ServerContext::ServerContext(ServerSettings settings)
    : settings_(std::move(settings)),
      choice_(settings_.identities, settings_.ocsp_policy, settings_.scan_on_mismatch),
      alpn_(alpn_wire(settings_.parameters.alpn)),
      context_(SSL_CTX_new(TLS_with_buffers_method())) {}

ServerContext::~ServerContext() = default;

Result<std::shared_ptr<const ServerContext>> ServerContext::make(ServerSettings settings) {
  std::shared_ptr<ServerContext> out(new ServerContext(std::move(settings)));
  if (out->context_ == nullptr) return Error{"tls", "the TLS library has no memory"};
  if (Result<void> good = out->set_up(); !good) return good.error();
  return std::shared_ptr<const ServerContext>(std::move(out));
}

Result<void> ServerContext::set_up() {
  SSL_CTX& context = *context_;
  SSL_CTX_set_app_data(&context, this);
  if (settings_.logs_keys) KeyLog::allow(context);
  if (Result<void> good = apply(settings_.parameters, context); !good) return good;
  if (!settings_.prefer_client_ciphers)
    SSL_CTX_set_options(&context, SSL_OP_CIPHER_SERVER_PREFERENCE);
  const Identity& first = settings_.identities.front();
  const bool choose = settings_.identities.size() > 1 || !first.ocsp.der.empty() ||
                      first.must_staple || settings_.ocsp_policy == OcspPolicy::kMustStaple;
  SSL_CTX_set_select_certificate_cb(&context, choose ? &Callbacks::choose : &Callbacks::note_ocsp);
  if (!choose) {
    std::vector<CRYPTO_BUFFER*> chain;
    for (const auto& one : first.chain.certificates) chain.push_back(one.get());
    if (!SSL_CTX_set_chain_and_key(&context, chain.data(), chain.size(), first.key.get(),
                                   nullptr)) {
      ERR_clear_error();
      return Error{"tls", "the certificate cannot be used by a server"};
    }
  }
  if (!alpn_.empty()) SSL_CTX_set_alpn_select_cb(&context, &Callbacks::select_alpn, nullptr);
  set_up_verification();
  set_up_resumption();
  return {};
}

void ServerContext::set_up_verification() {
  if (settings_.verifier == nullptr && !settings_.require_client_certificate) return;
  int mode = SSL_VERIFY_PEER;
  if (settings_.require_client_certificate) mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
  SSL_CTX_set_custom_verify(context_.get(), mode, &Callbacks::verify);
  if (settings_.verifier == nullptr) return;
  if (const TrustStore* trusted = settings_.verifier->rules().trusted.get())
    SSL_CTX_set0_client_CAs(context_.get(), trusted->names().release());
}

void ServerContext::set_up_resumption() {
  SSL_CTX& context = *context_;
  const auto* hash = reinterpret_cast<const uint8_t*>(settings_.trust_hash.data());
  SSL_CTX_set_session_id_context(&context, hash, settings_.trust_hash.size());
  // Whoever is let in without trust is looked at each time: a ticket would not tell who that was.
  const bool resumes =
      settings_.verifier == nullptr || !settings_.verifier->rules().accept_untrusted;
  if (!settings_.tickets || !resumes) SSL_CTX_set_options(&context, SSL_OP_NO_TICKET);
  if (!settings_.ticket_keys.empty())
    SSL_CTX_set_tlsext_ticket_key_cb(&context, &Callbacks::ticket_key);
  SSL_CTX_set_session_cache_mode(
      &context, settings_.session_cache && resumes ? SSL_SESS_CACHE_SERVER : SSL_SESS_CACHE_OFF);
  if (settings_.session_timeout_s == 0) return;
  SSL_CTX_set_timeout(&context, settings_.session_timeout_s);
  SSL_CTX_set_session_psk_dhe_timeout(&context, settings_.session_timeout_s);
}

bool ServerContext::set_identity(SSL* ssl, const Identity& identity, bool staple) const {
  std::vector<CRYPTO_BUFFER*> chain;
  for (const auto& one : identity.chain.certificates) chain.push_back(one.get());
  if (!SSL_set_chain_and_key(ssl, chain.data(), chain.size(), identity.key.get(), nullptr))
    return false;
  const std::string& ocsp = identity.ocsp.der;
  if (staple &&
      !SSL_set_ocsp_response(ssl, reinterpret_cast<const uint8_t*>(ocsp.data()), ocsp.size()))
    return false;
  TlsSession::of(ssl).set_local_certificate(&identity.facts());
  return true;
}

std::unique_ptr<TlsSession> ServerContext::new_session() const {
  SSL* ssl = SSL_new(context_.get());
  if (ssl == nullptr) return nullptr;
  SSL_set_accept_state(ssl);
  auto session = std::make_unique<TlsSession>(ssl, shared_from_this());
  session->set_local_certificate(&settings_.identities.front().facts());
  session->set_checks_peer(settings_.verifier != nullptr &&
                           !settings_.verifier->rules().ask_nothing());
  return session;
}

}  // namespace weir::tls
