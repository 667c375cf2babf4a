#include "proxy/tls/client_context.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <utility>

#include "proxy/tls/key_log.h"

namespace weir::tls {

using net::TlsSession;

// ---- sessions to resume ----

SessionCache::SessionCache(size_t most) : most_(most) {}
SessionCache::~SessionCache() = default;

void SessionCache::add(const std::string& key, bssl::UniquePtr<SSL_SESSION> session) {
  if (most_ == 0) return;
  if (entries_.size() >= most_) entries_.erase(entries_.begin());
  entries_.push_back({key, std::move(session)});
}

bssl::UniquePtr<SSL_SESSION> SessionCache::take(const std::string& key) {
  const auto found = std::find_if(entries_.rbegin(), entries_.rend(),
                                  [&](const Entry& entry) { return entry.key == key; });
  if (found == entries_.rend()) return nullptr;
  if (!SSL_SESSION_should_be_single_use(found->session.get())) return bssl::UpRef(found->session);
  bssl::UniquePtr<SSL_SESSION> out = std::move(found->session);
  entries_.erase(std::next(found).base());
  return out;
}

// ---- the context ----

// Of one session: what its callbacks look at.
struct ClientContext::State {
  std::shared_ptr<const ClientContext> context;
  std::shared_ptr<SessionCache> cache;
  std::string key;
  std::string verify_name;
};

struct ClientContext::Callbacks {
  static const State& of(const SSL* ssl) {
    return *static_cast<const State*>(TlsSession::of(ssl).context());
  }

  static ssl_verify_result_t verify(SSL* ssl, uint8_t* alert) {
    const State& state = of(ssl);
    const BufferStack* chain = SSL_get0_peer_certificates(ssl);
    if (chain == nullptr) return ssl_verify_invalid;
    const Verifier::Outcome outcome =
        state.context->verifier().verify(*chain, false, state.verify_name);
    TlsSession::of(ssl).set_verdict(outcome.verdict, outcome.why);
    if (outcome.accepted()) return ssl_verify_ok;
    *alert = static_cast<uint8_t>(outcome.alert);
    return ssl_verify_invalid;
  }

  static int keep_session(SSL* ssl, SSL_SESSION* session) {
    const State& state = of(ssl);
    // Whoever was let in without trust is looked at each time.
    if (state.cache == nullptr || TlsSession::of(ssl).verdict() == net::PeerVerdict::kAccepted)
      return 0;
    state.cache->add(state.key, bssl::UniquePtr<SSL_SESSION>(session));
    return 1;
  }
};

ClientContext::ClientContext(ClientSettings settings)
    : settings_(std::move(settings)), context_(SSL_CTX_new(TLS_with_buffers_method())) {}

ClientContext::~ClientContext() = default;

Result<std::shared_ptr<const ClientContext>> ClientContext::make(ClientSettings settings) {
  if (settings.verifier == nullptr) settings.verifier = std::make_shared<Verifier>(TrustRules{});
  std::shared_ptr<ClientContext> out(new ClientContext(std::move(settings)));
  if (out->context_ == nullptr) return Error{"tls", "the TLS library has no memory"};
  if (Result<void> good = out->set_up(); !good) return good.error();
  return std::shared_ptr<const ClientContext>(std::move(out));
}

Result<void> ClientContext::set_up() {
  SSL_CTX& context = *context_;
  if (settings_.logs_keys) KeyLog::allow(context);
  if (Result<void> good = apply(settings_.parameters, context); !good) return good;
  SSL_CTX_set_custom_verify(&context, SSL_VERIFY_PEER, &Callbacks::verify);
  if (const std::string alpn = alpn_wire(settings_.parameters.alpn); !alpn.empty())
    SSL_CTX_set_alpn_protos(&context, reinterpret_cast<const uint8_t*>(alpn.data()),
                            static_cast<unsigned>(alpn.size()));
  if (settings_.identity) {
    std::vector<CRYPTO_BUFFER*> chain;
    for (const auto& one : settings_.identity->chain.certificates) chain.push_back(one.get());
    if (!SSL_CTX_set_chain_and_key(&context, chain.data(), chain.size(),
                                   settings_.identity->key.get(), nullptr)) {
      ERR_clear_error();
      return Error{"tls", "the certificate cannot be used by a client"};
    }
  }
  if (settings_.max_session_keys > 0) {
    SSL_CTX_set_session_cache_mode(&context,
                                   SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
    SSL_CTX_sess_set_new_cb(&context, &Callbacks::keep_session);
  }
  return {};
}

bool ClientContext::checks_chain() const {
  return verifier().rules().trusted != nullptr || !verifier().rules().trust_domains.empty();
}

std::shared_ptr<SessionCache> ClientContext::new_cache() const {
  if (settings_.max_session_keys == 0) return nullptr;
  return std::make_shared<SessionCache>(settings_.max_session_keys);
}

std::string_view ClientContext::sni_for(const ClientWanted& wanted) const {
  if (!wanted.sni.empty()) return wanted.sni;
  if (settings_.host_sni && !wanted.host_name.empty()) return wanted.host_name;
  return settings_.sni;
}

std::unique_ptr<TlsSession> ClientContext::new_session(const ClientWanted& wanted) const {
  SSL* ssl = SSL_new(context_.get());
  if (ssl == nullptr) return nullptr;
  SSL_set_connect_state(ssl);
  SSL_set_enforce_rsa_key_usage(ssl, settings_.enforce_rsa_key_usage ? 1 : 0);
  auto state = std::make_shared<State>();
  state->context = shared_from_this();
  state->cache = wanted.cache;
  const std::string sni(sni_for(wanted));
  state->verify_name = wanted.verify_name;
  if (settings_.verify_sent_sni && wanted.verify_name.empty()) state->verify_name = sni;
  if (!sni.empty()) SSL_set_tlsext_host_name(ssl, sni.c_str());
  std::string alpn;
  if (!wanted.alpn.empty()) {
    alpn = alpn_wire({wanted.alpn.begin(), wanted.alpn.end()});
    SSL_set_alpn_protos(ssl, reinterpret_cast<const uint8_t*>(alpn.data()),
                        static_cast<unsigned>(alpn.size()));
  }
  if (wanted.cache != nullptr) {
    state->key = settings_.trust_hash + '\0' + sni + '\0' + state->verify_name + '\0' + alpn;
    if (const auto session = wanted.cache->take(state->key)) SSL_set_session(ssl, session.get());
  }
  const bool checks_peer = !verifier().rules().ask_nothing() || !state->verify_name.empty();
  auto out = std::make_unique<TlsSession>(ssl, std::move(state));
  if (settings_.identity) out->set_local_certificate(&settings_.identity->facts());
  out->set_checks_peer(checks_peer);
  return out;
}

}  // namespace weir::tls
