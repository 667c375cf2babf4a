#include "proxy/tls/generic_secret.h"

#include <utility>

#include "envoy/extensions/transport_sockets/tls/v3/secret.pb.h"
#include "proxy/tls/data_source.h"

namespace weir::tls {

using config::Code;
using config::Diagnostics;
using config::FieldPath;
using SdsSecretConfig = Secrets::SdsSecretConfig;

std::shared_ptr<const GenericSecret> GenericSecret::make(const SdsSecretConfig& wanted,
                                                         const FieldPath& path, Secrets& secrets,
                                                         Diagnostics& diagnostics, Take take) {
  auto out = std::make_shared<GenericSecret>(wanted, path.str(), secrets, std::move(take));
  std::vector<std::string> files;
  if (!out->read(path, diagnostics, files)) return nullptr;
  secrets.add_user(out, std::move(files));
  return out;
}

GenericSecret::GenericSecret(const SdsSecretConfig& wanted, std::string where, Secrets& secrets,
                             Take take)
    : wanted_(std::make_unique<const SdsSecretConfig>(wanted)),
      where_(std::move(where)),
      secrets_(secrets),
      take_(std::move(take)) {}

GenericSecret::~GenericSecret() = default;

bool GenericSecret::rebuild(Diagnostics& diagnostics) {
  std::vector<std::string> files;
  return read(FieldPath::root(where_), diagnostics, files);
}

// True also while it is waited for.
bool GenericSecret::read(const FieldPath& path, Diagnostics& diagnostics,
                         std::vector<std::string>& files) {
  const size_t errors_before = diagnostics.error_count();
  if (secrets_.waits_for(*wanted_, path, diagnostics, files)) return true;
  const Secrets::Secret* secret = secrets_.find(*wanted_, path, diagnostics, files);
  if (secret == nullptr) return diagnostics.error_count() == errors_before;
  const std::string named = "secret '" + wanted_->name() + "'";
  if (!secret->has_generic_secret()) {
    diagnostics.error(Code::kReference, path.field("name"),
                      "the " + named + " is no generic_secret");
    return false;
  }
  const FieldPath root = FieldPath::root(named);
  const FieldPath field = root.field("generic_secret.secret");
  if (!wanted_->has_sds_config() && secret->generic_secret().secret().has_filename()) {
    Secrets::Secret file;
    *file.mutable_generic_secret()->mutable_secret() = secret->generic_secret().secret();
    secrets_.watch_in_place(file, files);
  }
  const SecretText text = read_data(secret->generic_secret().secret(), field, diagnostics);
  if (diagnostics.error_count() != errors_before) return false;
  const Result<void> taken = take_(text.view());
  if (!taken) diagnostics.error(Code::kInvalidValue, field, taken.error().message);
  return static_cast<bool>(taken);
}

}  // namespace weir::tls
