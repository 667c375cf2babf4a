#include "proxy/tls/secret_file.h"

#include <openssl/sha.h>

#include <algorithm>
#include <optional>

#include "config/proto_loader.h"
#include "config/read_file.h"
#include "config/read_yaml.h"
#include "envoy/service/discovery/v3/discovery.pb.h"
#include "proxy/net/file_watch.h"
#include "proxy/tls/secret_text.h"

namespace weir::tls {
namespace {

using config::Code;
using config::Diagnostics;
using config::FieldPath;
using envoy::config::core::v3::DataSource;
using envoy::service::discovery::v3::DiscoveryResponse;
using envoy::service::discovery::v3::Resource;
using Secret = SecretFile::Secret;

constexpr size_t kMaxBytes = 16 << 20;

bool load(const std::string& path, config::MessageCheck& check, Diagnostics& diagnostics,
          DiscoveryResponse& out) {
  std::optional<std::string> text = config::read_file(path, kMaxBytes, diagnostics);
  if (!text) return false;
  const config::Source& source = diagnostics.add_source(path, std::move(*text));
  const auto tree = config::read_yaml(source, {.max_bytes = kMaxBytes}, diagnostics);
  if (tree == nullptr) return false;
  config::ProtoLoadOptions options;
  options.is_json = path.ends_with(".json");
  options.extension_types = check.support().extension_types();
  options.on_any = [&](const google::protobuf::Message& content, const FieldPath& at) {
    if (content.GetDescriptor() != Resource::descriptor())
      check.check_extension(content, at, diagnostics);
  };
  const size_t errors_before = diagnostics.error_count();
  config::ProtoLoader(source, options, diagnostics).load(tree->root(), FieldPath::root(), out);
  return diagnostics.error_count() == errors_before;
}

void collect(const DataSource& source, std::vector<std::string>& out) {
  if (source.has_filename()) out.push_back(source.filename());
}

}  // namespace

SecretFile::SecretFile(const Secret& in_place) : in_place_(true) {
  secrets_[in_place.name()] = in_place;
  for (const std::string& file : named_files()) path_ += (path_.empty() ? "" : ", ") + file;
  for (const std::string& directory : directories()) path_ += " of " + directory;
}

bool SecretFile::read(config::MessageCheck& check, Diagnostics& diagnostics) {
  if (in_place_) return true;
  DiscoveryResponse response;
  if (!load(path_, check, diagnostics, response)) return false;
  std::map<std::string, Secret> secrets;
  const FieldPath root = FieldPath::root();
  const FieldPath resources = root.field("resources");
  bool good = true;
  for (int i = 0; i < response.resources_size(); ++i) {
    google::protobuf::Any any = response.resources(i);
    Resource wrapped;
    if (any.UnpackTo(&wrapped)) any = wrapped.resource();
    Secret secret;
    if (!any.UnpackTo(&secret)) {
      diagnostics.error(Code::kWrongType, resources.at(i),
                        "'" + path_ + "' holds a resource that is no Secret");
      good = false;
      continue;
    }
    secrets[secret.name()] = std::move(secret);
  }
  if (good) secrets_ = std::move(secrets);
  return good;
}

const Secret* SecretFile::find(const std::string& name) const {
  const auto found = secrets_.find(name);
  return found == secrets_.end() ? nullptr : &found->second;
}

std::vector<std::string> SecretFile::names() const {
  std::vector<std::string> out;
  if (in_place_) return out;
  for (const auto& [name, secret] : secrets_) out.push_back(name);
  return out;
}

std::vector<std::string> SecretFile::named_files() const {
  std::vector<std::string> out;
  for (const auto& [name, secret] : secrets_) {
    collect(secret.tls_certificate().certificate_chain(), out);
    collect(secret.tls_certificate().private_key(), out);
    collect(secret.tls_certificate().pkcs12(), out);
    collect(secret.tls_certificate().password(), out);
    collect(secret.tls_certificate().ocsp_staple(), out);
    collect(secret.validation_context().trusted_ca(), out);
    collect(secret.validation_context().crl(), out);
    for (const DataSource& key : secret.session_ticket_keys().keys()) collect(key, out);
    collect(secret.generic_secret().secret(), out);
  }
  return out;
}

std::vector<std::string> SecretFile::directories() const {
  std::vector<std::string> out = directories_;
  if (!in_place_) {
    out.push_back(net::parent_directory(path_));
    for (const std::string& file : named_files()) out.push_back(net::parent_directory(file));
  }
  for (const auto& [name, secret] : secrets_) {
    out.push_back(secret.tls_certificate().watched_directory().path());
    out.push_back(secret.validation_context().watched_directory().path());
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  std::erase(out, "");
  return out;
}

std::string SecretFile::fingerprint() const {
  std::vector<std::string> files = named_files();
  if (!in_place_) files.push_back(path_);
  SHA256_CTX hash;
  SHA256_Init(&hash);
  for (const std::string& file : files) {
    const Result<SecretText> text = SecretText::read_file(file);
    const std::string_view bytes = text ? text.value().view() : std::string_view("unreadable");
    const size_t size = bytes.size();
    SHA256_Update(&hash, &size, sizeof(size));
    SHA256_Update(&hash, bytes.data(), bytes.size());
  }
  uint8_t digest[SHA256_DIGEST_LENGTH];
  SHA256_Final(digest, &hash);
  return {reinterpret_cast<char*>(digest), sizeof(digest)};
}

}  // namespace weir::tls
