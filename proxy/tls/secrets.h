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
};

// Secrets by name: those of the bootstrap, and those of files that are watched (SDS by
// `path_config_source`). Main thread. Outlives nobody: users are only known as long as they live.
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

  // One of static_resources.secrets; replaces what had its name. The message is copied.
  void set_static(const Secret& secret);

  // Null on errors, which are then in the diagnostics. The file it comes from, if it does, is added
  // to `files`. Valid until the next call.
  const Secret* find(const SdsSecretConfig& wanted, const config::FieldPath& path,
                     config::Diagnostics& diagnostics, std::vector<std::string>& files);

  // For a secret of the configuration itself that has a watched_directory: what is moved there may
  // be new content of the files that it names. Call it before they are read; what stands for them
  // is added to `files`.
  void watch_in_place(const Secret& secret, std::vector<std::string>& files);

  // Is told of changes of these files, as long as it lives.
  void add_user(const std::shared_ptr<SecretUser>& user, std::vector<std::string> files);

  // Begins to watch: from the server's start on. The loop outlives this.
  void watch(net::Loop& loop);
  // Reads what changed. The watch calls this.
  void reread();

  // Of all users that live.
  std::vector<CertificateEntry> certificates() const;
  // Sets the gauge `server.days_until_first_cert_expiring`; while watching this happens by itself.
  void record_expiry(int64_t now_s);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace weir::tls
