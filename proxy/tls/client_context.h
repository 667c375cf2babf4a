#pragma once

#include <openssl/base.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/base/result.h"
#include "proxy/net/tls_session.h"
#include "proxy/tls/identity.h"
#include "proxy/tls/parameters.h"
#include "proxy/tls/verifier.h"

namespace weir::tls {

// Sessions that a worker may resume, the latest first. Belongs to one worker and one cluster;
// sessions of TLS that are under way keep it alive.
class SessionCache {
 public:
  explicit SessionCache(size_t most);
  ~SessionCache();
  SessionCache(const SessionCache&) = delete;
  SessionCache& operator=(const SessionCache&) = delete;

  // Only what was agreed on under the same key is given back: who is trusted, and for which name.
  void add(const std::string& key, bssl::UniquePtr<SSL_SESSION> session);
  // Null when there is none. One that may be used once only is gone then.
  bssl::UniquePtr<SSL_SESSION> take(const std::string& key);
  size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    std::string key;
    bssl::UniquePtr<SSL_SESSION> session;
  };
  std::vector<Entry> entries_;  // the oldest first
  size_t most_;
};

// What a client's context is made of; read from an UpstreamTlsContext.
struct ClientSettings {
  std::optional<Identity> identity;
  Parameters parameters;
  std::shared_ptr<const Verifier> verifier;  // null: every server is trusted
  std::string sni;
  bool host_sni = false;         // auto_host_sni: the endpoint's name, if it has one, goes before
  bool verify_sent_sni = false;  // auto_sni_san_validation: the server must be for what was sent
  uint32_t max_session_keys = 1;
  bool enforce_rsa_key_usage = false;
  bool logs_keys = false;  // a KeyLog may be attached to sessions
  std::string trust_hash;  // as of ServerSettings
};

// What one connection wants of its session.
struct ClientWanted {
  std::string_view sni = {};        // goes before all others
  std::string_view host_name = {};  // the endpoint's, for auto_host_sni
  // The server's certificate must be for this name, in addition to what is configured.
  std::string_view verify_name = {};
  std::span<const std::string> alpn = {};         // instead of the configured ones
  std::shared_ptr<SessionCache> cache = nullptr;  // null: nothing is resumed
};

// TLS on a cluster's connections. Immutable; shared by all workers; sessions keep it alive.
class ClientContext : public std::enable_shared_from_this<ClientContext> {
 public:
  static Result<std::shared_ptr<const ClientContext>> make(ClientSettings settings);
  ~ClientContext();
  ClientContext(const ClientContext&) = delete;
  ClientContext& operator=(const ClientContext&) = delete;

  // Null only without memory. Any thread, the cache's own.
  std::unique_ptr<net::TlsSession> new_session(const ClientWanted& wanted) const;
  // A cache as large as configured; null when sessions are not to be resumed.
  std::shared_ptr<SessionCache> new_cache() const;

  // Whether a server must be known by an authority: without, checking names proves nothing.
  bool checks_chain() const;
  const std::vector<std::string>& alpn() const { return settings_.parameters.alpn; }
  const std::optional<Identity>& identity() const { return settings_.identity; }
  const Verifier& verifier() const { return *settings_.verifier; }

 private:
  struct Callbacks;
  struct State;

  explicit ClientContext(ClientSettings settings);
  Result<void> set_up();
  std::string_view sni_for(const ClientWanted& wanted) const;

  ClientSettings settings_;
  bssl::UniquePtr<SSL_CTX> context_;
};

}  // namespace weir::tls
