#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/diagnostic.h"
#include "config/field_path.h"
#include "proxy/base/result.h"
#include "proxy/tls/secrets.h"

namespace weir::tls {

// A secret resource that is neither a certificate nor trust (GenericSecret of
// extensions.transport_sockets.tls.v3): its text is told to whoever takes it, at once if it is
// there, and whenever it changes. Main thread.
class GenericSecret : public SecretUser {
 public:
  // An error refuses the text; the one before is told again if it was another.
  using Take = std::function<Result<void>(std::string_view text)>;

  // Null on errors, which are then in the diagnostics. The secrets outlive what is returned.
  static std::shared_ptr<const GenericSecret> make(const Secrets::SdsSecretConfig& wanted,
                                                   const config::FieldPath& path, Secrets& secrets,
                                                   config::Diagnostics& diagnostics, Take take);
  GenericSecret(const Secrets::SdsSecretConfig& wanted, std::string where, Secrets& secrets,
                Take take);
  ~GenericSecret() override;

  bool rebuild(config::Diagnostics& diagnostics) override;
  std::vector<CertificateEntry> certificates() const override { return {}; }

 private:
  bool read(const config::FieldPath& path, config::Diagnostics& diagnostics,
            std::vector<std::string>& files);

  std::unique_ptr<const Secrets::SdsSecretConfig> wanted_;
  std::string where_;  // for errors
  Secrets& secrets_;
  Take take_;
};

}  // namespace weir::tls
