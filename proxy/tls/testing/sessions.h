#pragma once

#include <openssl/base.h>

#include <memory>
#include <string>

#include "proxy/net/tls_session.h"
#include "proxy/tls/testing/certificates.h"

// The other side of a connection under test, on bare BoringSSL.
namespace weir::tls::testing {

// A server that shows this certificate and asks for none.
bssl::UniquePtr<SSL_CTX> bare_server(const Certificate& certificate);
// A client that trusts everybody.
bssl::UniquePtr<SSL_CTX> bare_client();

std::unique_ptr<net::TlsSession> server_session(SSL_CTX& context);
std::unique_ptr<net::TlsSession> client_session(SSL_CTX& context, const std::string& sni = {});

// Takes turns until both are done or one failed. What the last flight held stays in the sessions.
struct Met {
  net::TlsSession::Progress server;
  net::TlsSession::Progress client;
  bool both_done() const {
    return server == net::TlsSession::Progress::kDone && client == net::TlsSession::Progress::kDone;
  }
};
Met handshake(net::TlsSession& server, net::TlsSession& client);

// Sends through both in memory: what `from` seals, `to` opens.
std::string send(net::TlsSession& from, net::TlsSession& to, std::string_view text);

}  // namespace weir::tls::testing
