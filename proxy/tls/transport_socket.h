#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "config/diagnostic.h"
#include "config/field_path.h"
#include "proxy/net/connection.h"
#include "proxy/stats/registry.h"
#include "proxy/tls/client_context.h"
#include "proxy/tls/key_log.h"
#include "proxy/tls/secrets.h"
#include "proxy/tls/server_context.h"
#include "proxy/tls/tls_stats.h"

namespace envoy::config::core::v3 {
class TransportSocket;
}
namespace envoy::extensions::transport_sockets::tls::v3 {
class DownstreamTlsContext;
class UpstreamTlsContext;
}  // namespace envoy::extensions::transport_sockets::tls::v3

namespace weir::stats {
class LogWriters;
}

namespace weir::tls {

// The context of the present, which the main thread exchanges when secrets change. The lock is held
// for a copy of the pointer, once a handshake.
template <class Context>
class CurrentContext {
 public:
  explicit CurrentContext(std::shared_ptr<const Context> context) : context_(std::move(context)) {}
  std::shared_ptr<const Context> get() const {
    const std::lock_guard lock(mutex_);
    return context_;
  }
  void set(std::shared_ptr<const Context> context) {
    const std::lock_guard lock(mutex_);
    context_.swap(context);
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const Context> context_;
};

// What compiling a transport socket needs. Main thread.
struct SocketBuild {
  Secrets& secrets;
  config::Diagnostics& diagnostics;
  stats::Registry& stats;
  stats::LogWriters* logs = nullptr;  // null: key_log is refused
};

// TLS of a listener's filter chain.
class ServerTls : public SecretUser {
 public:
  using Config = envoy::extensions::transport_sockets::tls::v3::DownstreamTlsContext;

  // Any thread. Null while its secrets have not come: nobody can be served then.
  std::unique_ptr<net::TlsSession> new_session() const {
    const auto context = context_.get();
    return context == nullptr ? nullptr : context->new_session();
  }
  std::shared_ptr<const ServerContext> context() const { return context_.get(); }
  const TlsStats& stats() const { return stats_; }

  // Before the session's handshake, with the addresses that its connection has for filter chains.
  void log_keys(net::TlsSession& session, const net::Address& local,
                const net::Address& remote) const {
    if (key_log_ != nullptr) key_log_->attach(session, local, remote);
  }

  ServerTls(std::unique_ptr<Config> config, std::string where, const SocketBuild& build,
            const std::string& stat_prefix, std::shared_ptr<const ServerContext> context,
            std::shared_ptr<const KeyLog> key_log);
  ~ServerTls() override;
  bool rebuild(config::Diagnostics& diagnostics) override;
  std::vector<CertificateEntry> certificates() const override;

 private:
  std::unique_ptr<Config> config_;
  std::string where_;  // for errors
  Secrets& secrets_;
  TlsStats stats_;
  CurrentContext<ServerContext> context_;
  std::shared_ptr<const KeyLog> key_log_;  // null: none
};

// TLS of a cluster, or of some of its endpoints.
class ClientTls : public SecretUser {
 public:
  using Config = envoy::extensions::transport_sockets::tls::v3::UpstreamTlsContext;

  // Whether its secrets have come; before, there is no context.
  bool ready() const { return context_.get() != nullptr; }
  // Any thread; the cache is its worker's.
  std::unique_ptr<net::TlsSession> new_session(const ClientWanted& wanted) const {
    return context_.get()->new_session(wanted);
  }
  std::shared_ptr<const ClientContext> context() const { return context_.get(); }
  const TlsStats& stats() const { return stats_; }

  // For a connection that begins to connect to `remote`.
  void log_keys(net::Connection& connection, const net::Address& remote) const;

  ClientTls(std::unique_ptr<Config> config, std::string where, const SocketBuild& build,
            const std::string& stat_prefix, std::shared_ptr<const ClientContext> context,
            std::shared_ptr<const KeyLog> key_log);
  ~ClientTls() override;
  bool rebuild(config::Diagnostics& diagnostics) override;
  std::vector<CertificateEntry> certificates() const override;

 private:
  std::unique_ptr<Config> config_;
  std::string where_;
  Secrets& secrets_;
  TlsStats stats_;
  CurrentContext<ClientContext> context_;
  std::shared_ptr<const KeyLog> key_log_;
};

// By its type, or, without one, by its name.
bool is_raw_buffer(const envoy::config::core::v3::TransportSocket& socket);

// What a TransportSocket stands for. Null without errors: in the clear (raw_buffer). Null with
// errors, which are then in the diagnostics. `stat_prefix` ends in a dot. The secrets
// outlive what is returned.
std::shared_ptr<const ServerTls> compile_downstream(
    const envoy::config::core::v3::TransportSocket& socket, const config::FieldPath& path,
    const SocketBuild& build, const std::string& stat_prefix);
std::shared_ptr<const ClientTls> compile_upstream(
    const envoy::config::core::v3::TransportSocket& socket, const config::FieldPath& path,
    const SocketBuild& build, const std::string& stat_prefix);

}  // namespace weir::tls
