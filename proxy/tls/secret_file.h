#pragma once

#include <map>
#include <string>
#include <vector>

#include "config/diagnostic.h"
#include "config/field_path.h"
#include "config/message_check.h"
#include "envoy/extensions/transport_sockets/tls/v3/secret.pb.h"

namespace weir::tls {

// A file of secrets: a DiscoveryResponse in YAML or JSON, as Envoy reads it for SDS. Main thread.
class SecretFile {
 public:
  using Secret = envoy::extensions::transport_sockets::tls::v3::Secret;

  explicit SecretFile(std::string path) : path_(std::move(path)) {}
  // A secret that stands in the configuration itself and names files, which are its path() for
  // logs, with its watched_directory. Only that is watched, as in Envoy. Empty: it names none.
  explicit SecretFile(const Secret& in_place);

  // Replaces what was read before, unless there are errors. Errors stand at the file's own lines.
  bool read(config::MessageCheck& check, config::Diagnostics& diagnostics);

  const std::string& path() const { return path_; }
  const Secret* find(const std::string& name) const;
  std::vector<std::string> names() const;  // none of one that is in place

  // Directories whose changes may mean new secrets. Grows with `watch_too`.
  std::vector<std::string> directories() const;
  void watch_too(const std::string& directory) { directories_.push_back(directory); }
  // A hash of the contents of this file and of those that its secrets name.
  std::string fingerprint() const;

 private:
  std::vector<std::string> named_files() const;

  std::string path_;
  std::map<std::string, Secret> secrets_;
  std::vector<std::string> directories_;
  bool in_place_ = false;
};

}  // namespace weir::tls
