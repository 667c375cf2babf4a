#include "proxy/tls/testing/sessions.h"

#include <openssl/pool.h>
#include <openssl/ssl.h>

#include <cstdlib>

namespace weir::tls::testing {

using net::TlsSession;

bssl::UniquePtr<SSL_CTX> bare_server(const Certificate& certificate) {
  bssl::UniquePtr<SSL_CTX> context(SSL_CTX_new(TLS_with_buffers_method()));
  const std::string der = certificate.der();
  bssl::UniquePtr<CRYPTO_BUFFER> leaf(
      CRYPTO_BUFFER_new(reinterpret_cast<const uint8_t*>(der.data()), der.size(), nullptr));
  CRYPTO_BUFFER* chain[] = {leaf.get()};
  if (!SSL_CTX_set_chain_and_key(context.get(), chain, 1, &certificate.key(), nullptr))
    std::abort();
  return context;
}

bssl::UniquePtr<SSL_CTX> bare_client() {
  bssl::UniquePtr<SSL_CTX> context(SSL_CTX_new(TLS_with_buffers_method()));
  SSL_CTX_set_custom_verify(context.get(), SSL_VERIFY_PEER,
                            [](SSL*, uint8_t*) { return ssl_verify_ok; });
  return context;
}

std::unique_ptr<TlsSession> server_session(SSL_CTX& context) {
  SSL* ssl = SSL_new(&context);
  SSL_set_accept_state(ssl);
  return std::make_unique<TlsSession>(ssl, nullptr);
}

std::unique_ptr<TlsSession> client_session(SSL_CTX& context, const std::string& sni) {
  SSL* ssl = SSL_new(&context);
  SSL_set_connect_state(ssl);
  if (!sni.empty()) SSL_set_tlsext_host_name(ssl, sni.c_str());
  return std::make_unique<TlsSession>(ssl, nullptr);
}

Met handshake(TlsSession& server, TlsSession& client) {
  Met met{TlsSession::Progress::kWantsMore, TlsSession::Progress::kWantsMore};
  const auto step = [](TlsSession& one, TlsSession& other, TlsSession::Progress& progress) {
    std::string out;
    progress = one.handshake(out);
    other.feed(out);
    other.keep_unread();
    return !out.empty();
  };
  bool moved = true;
  while (moved) {
    moved = step(client, server, met.client);
    moved = step(server, client, met.server) || moved;
  }
  return met;
}

std::string send(TlsSession& from, TlsSession& to, std::string_view text) {
  std::string wire;
  std::string answer;
  std::string got(text.size() + 1024, '\0');
  if (!from.seal(text, wire)) return {};
  to.feed(wire);
  to.keep_unread();
  got.resize(to.open(got.data(), got.size(), answer).bytes);
  from.feed(answer);
  from.keep_unread();
  return got;
}

}  // namespace weir::tls::testing
