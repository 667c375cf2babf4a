#include "proxy/secret_feed.h"

#include <ctime>

#include "envoy/config/core/v3/config_source.pb.h"
#include "envoy/extensions/transport_sockets/tls/v3/secret.pb.h"
#include "proxy/control_planes.h"

namespace weir {

using config::Diagnostics;
using config::FieldPath;
using envoy::extensions::transport_sockets::tls::v3::Secret;
using xds::ResourceType;

SecretFeed::SecretFeed(tls::Secrets& secrets, ResourceReader& reader, ControlPlanes& planes,
                       std::function<bool(const std::string&)> has_cluster)
    : secrets_(secrets),
      reader_(reader),
      planes_(planes),
      handlers_([this](auto& source, auto& update) { return apply(source, update); },
                [this](auto& source, auto, auto& name) { absent(source, name); }) {
  secrets_.set_remote(
      {.check =
           [this, has_cluster](const Source& from, const FieldPath& path, Diagnostics& errors) {
             return planes_.check(from, ResourceType::kSecret, path, has_cluster, errors);
           },
       .subscribe = [this](const Source& from, const std::string& name) { subscribe(from, name); },
       .unsubscribe = [this](const Source& from,
                             const std::string& name) { unsubscribe(from, name); }});
}

void SecretFeed::subscribe(const Source& from, const std::string& name) {
  xds::Source* source = planes_.source(from, ResourceType::kSecret);
  Entry& entry = entries_[{source, name}];
  entry.wanted_from.push_back(from);
  handlers_.attach(*source, ResourceType::kSecret);
  source->subscribe(ResourceType::kSecret, name, fetch_timeout_ms(from));
  if (entry.last.content == nullptr) return;
  // It is known from another way of naming the same source.
  apply_one(entry, xds::Resource(entry.last));
}

void SecretFeed::unsubscribe(const Source& from, const std::string& name) {
  xds::Source* source = planes_.source(from, ResourceType::kSecret);
  const auto found = entries_.find({source, name});
  if (found == entries_.end()) return;
  source->unsubscribe(ResourceType::kSecret, name);
  const std::string bytes = from.SerializeAsString();
  auto& wanted = found->second.wanted_from;
  std::erase_if(wanted, [&](const Source& one) { return one.SerializeAsString() == bytes; });
  if (wanted.empty()) entries_.erase(found);
}

std::vector<xds::Rejection> SecretFeed::apply(xds::Source& source, const xds::Update& update) {
  return apply_each(
      entries_, source, update, [&](const std::string& name) { absent(source, name); },
      [&](Entry& entry, const xds::Resource& resource) { return apply_one(entry, resource); });
}

std::string SecretFeed::apply_one(Entry& entry, const xds::Resource& resource) {
  Secret message;
  Diagnostics diagnostics;
  if (!reader_.read(*resource.content, message, diagnostics)) return error_text(diagnostics);
  for (const Source& from : entry.wanted_from)
    if (!secrets_.put(from, message, diagnostics)) return error_text(diagnostics);
  entry.last = resource;
  entry.updated_s = std::time(nullptr);
  return {};
}

void SecretFeed::absent(xds::Source& source, const std::string& name) {
  const auto found = entries_.find({&source, name});
  if (found == entries_.end()) return;
  for (const Source& from : found->second.wanted_from) secrets_.set_absent(from, name);
}

void SecretFeed::describe(std::vector<DynamicResource>& out) const {
  for (const auto& [key, entry] : entries_)
    if (entry.last.content != nullptr)
      out.push_back({ResourceType::kSecret, key.second, entry.last.version, entry.updated_s,
                     entry.last.content});
}

}  // namespace weir
