#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/diagnostic.h"
#include "config/field_path.h"
#include "proxy/base/log.h"
#include "proxy/net/certificate.h"
#include "proxy/net/loop.h"
#include "proxy/stats/registry.h"

namespace envoy::config::core::v3 {
class ConfigSource;
}
namespace envoy::extensions::transport_sockets::tls::v3 {
class SdsSecretConfig;
class Secret;
}  // namespace envoy::extensions::transport_sockets::tls::v3

namespace weir::tls {

// A certificate in use, for the admin's list.
struct CertificateEntry {
  std::string path;  // its file; empty when it was given in place
  net::CertificateFacts facts;
  bool authority = false;

  int64_t days_left(int64_t now_s) const {
    return facts.not_after_s <= now_s ? 0 : (facts.not_after_s - now_s) / 86400;
  }
};

// Somebody whose TLS is made of secrets, and is made anew when they change. Main thread.
class SecretUser {
 public:
  virtual ~SecretUser() = default;
  // On errors, which are then in `diagnostics`, everything stays as it was.
  virtual bool rebuild(config::Diagnostics& diagnostics) = 0;
  virtual std::vector<CertificateEntry> certificates() const = 0;
  // Whether every secret is there, or known not to come.
  bool settled() const { return settled_; }

 private:
  friend class Secrets;
  bool settled_ = true;
};

// Who has secrets of control planes: asked for each ConfigSource and name once, and told when
// nobody needs it any more. Main thread.
struct RemoteSecrets {
  using ConfigSource = envoy::config::core::v3::ConfigSource;
  // Whether secrets can be had from there; if not, that is in the diagnostics.
  std::function<bool(const ConfigSource&, const config::FieldPath&, config::Diagnostics&)> check;
  std::function<void(const ConfigSource&, const std::string& name)> subscribe;
  std::function<void(const ConfigSource&, const std::string& name)> unsubscribe;
};

// Secrets by name: those of the bootstrap, those of files that are watched (SDS by
// `path_config_source`), and those of control planes. Main thread. Outlives nobody: users are only
// known as long as they live.
//
// A file that changes is read again, with the files that its secrets name; then whoever uses it is
// rebuilt. What cannot be used is logged, counted as `sds.<name>.update_rejected`, and the old one
// stays.
class Secrets {
 public:
  using Secret = envoy::extensions::transport_sockets::tls::v3::Secret;
  using SdsSecretConfig = envoy::extensions::transport_sockets::tls::v3::SdsSecretConfig;

  Secrets(stats::Registry& stats, Logger& log);
  ~Secrets();
  Secrets(const Secrets&) = delete;
  Secrets& operator=(const Secrets&) = delete;

  // The static_resources.secrets of a configuration that is being read are found from now on, in
  // place of those before: until it is in force, when those who use one that has changed are
  // rebuilt, or is refused.
  void stage_static(std::vector<Secret> secrets);
  void commit_static();
  void drop_static();

  // Before the first configuration; without it, secrets of control planes are refused.
  void set_remote(RemoteSecrets remote);
  // True when the secret is a control plane's and has not come. It is asked for then, and whoever
  // waits for it is rebuilt when it comes: what it waits for is added to `files`.
  bool waits_for(const SdsSecretConfig& wanted, const config::FieldPath& path,
                 config::Diagnostics& diagnostics, std::vector<std::string>& files);
  // A control plane's secret has come. False on errors, which are then in the diagnostics:
  // everything stays as it was, for all users.
  bool put(const envoy::config::core::v3::ConfigSource& source, const Secret& secret,
           config::Diagnostics& diagnostics);
  // It will not come, or is gone: whoever waits goes on without, and serves nobody.
  void set_absent(const envoy::config::core::v3::ConfigSource& source, const std::string& name);
  // Forgets secrets of control planes that nobody uses.
  void sweep();
  // Called when a user may have become settled.
  void on_settled(std::function<void()> told);

  // Null on errors, which are then in the diagnostics. The file it comes from, if it does, is added
  // to `files`. Valid until the next call.
  const Secret* find(const SdsSecretConfig& wanted, const config::FieldPath& path,
                     config::Diagnostics& diagnostics, std::vector<std::string>& files);

  // For a secret of the configuration itself that names files: they are read again on reload(), and
  // when something is moved into its watched_directory, if it has one. Call it before they are
  // read; what stands for them is added to `files`.
  void watch_in_place(const Secret& secret, std::vector<std::string>& files);

  // Is told of changes of these files, as long as it lives.
  void add_user(const std::shared_ptr<SecretUser>& user, std::vector<std::string> files);

  // Begins to watch: from the server's start on. The loop outlives this.
  void watch(net::Loop& loop);
  // Reads what changed of what is watched. The watch calls this.
  void reread();
  // Reads what changed, watched or not: the configuration is read again.
  void reload();

  // Of all users that live.
  std::vector<CertificateEntry> certificates() const;
  // Sets the gauge `server.days_until_first_cert_expiring`; while watching this happens by itself.
  void record_expiry(int64_t now_s);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace weir::tls
