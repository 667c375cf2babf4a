#pragma once

#include <openssl/base.h>

#include <memory>
#include <string>
#include <string_view>

#include "proxy/net/testing/raw_socket.h"
#include "proxy/net/tls_session.h"

namespace weir::tls::testing {

// One end of a TLS connection on a plain socket, step by step, with a time limit on everything.
class TlsPeer {
 public:
  TlsPeer(net::RawSocket socket, std::unique_ptr<net::TlsSession> session);
  // A server's end.
  TlsPeer(net::RawSocket socket, SSL_CTX& context);

  net::RawSocket& socket() { return socket_; }
  net::TlsSession& session() { return *session_; }

  // What came in the clear before the handshake: `bytes` of it, or less.
  std::string receive_clear(size_t bytes);
  // False: refused, or broken off.
  bool shake_hands();
  // Decrypted; empty: the end, an error, or nothing came.
  std::string receive_some();
  void send(std::string_view text);

 private:
  net::RawSocket socket_;
  std::unique_ptr<net::TlsSession> session_;
  std::string clear_;
};

// The context's servers agree on this protocol and refuse clients that do not offer it; on none if
// it is empty. `protocol` outlives the context.
void agree_on(SSL_CTX& context, const std::string& protocol);

}  // namespace weir::tls::testing
