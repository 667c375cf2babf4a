#pragma once

#include <openssl/base.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "proxy/base/result.h"
#include "proxy/net/tls_session.h"
#include "proxy/tls/certificate_choice.h"
#include "proxy/tls/identity.h"
#include "proxy/tls/parameters.h"
#include "proxy/tls/ticket_keys.h"
#include "proxy/tls/verifier.h"

namespace weir::tls {

// What a server's context is made of; read from a DownstreamTlsContext.
struct ServerSettings {
  std::vector<Identity> identities;  // at least one
  Parameters parameters;
  std::shared_ptr<const Verifier> verifier;  // null: clients are not asked for a certificate
  bool require_client_certificate = false;
  TicketKeys ticket_keys{{}};      // empty: a key of the context's own, changed by itself
  bool tickets = true;             // stateless resumption
  bool session_cache = true;       // stateful resumption, up to TLS 1.2
  uint32_t session_timeout_s = 0;  // 0: BoringSSL's
  OcspPolicy ocsp_policy = OcspPolicy::kLenient;
  bool scan_on_mismatch = false;
  bool prefer_client_ciphers = false;  // up to TLS 1.2
  bool logs_keys = false;              // a KeyLog may be attached to sessions
  // Sessions are resumed only where this is the same: 32 bytes that stand for all that decides who
  // may enter.
  std::string trust_hash;
};

// TLS on a listener's connections. Immutable; shared by all workers; sessions keep it alive.
class ServerContext : public std::enable_shared_from_this<ServerContext> {
 public:
  static Result<std::shared_ptr<const ServerContext>> make(ServerSettings settings);
  ~ServerContext();
  ServerContext(const ServerContext&) = delete;
  ServerContext& operator=(const ServerContext&) = delete;

  // Null only without memory. Any thread.
  std::unique_ptr<net::TlsSession> new_session() const;

  const std::vector<Identity>& identities() const { return settings_.identities; }
  const Verifier* verifier() const { return settings_.verifier.get(); }

 private:
  struct Callbacks;

  explicit ServerContext(ServerSettings settings);
  Result<void> set_up();
  bool set_identity(SSL* ssl, const Identity& identity, bool staple) const;
  void set_up_verification();
  void set_up_resumption();

  ServerSettings settings_;
  CertificateChoice choice_;
  std::string alpn_;
  bssl::UniquePtr<SSL_CTX> context_;
};

}  // namespace weir::tls
