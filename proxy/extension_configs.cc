#include "proxy/extension_configs.h"

#include <algorithm>
#include <ctime>

#include "envoy/config/core/v3/config_source.pb.h"
#include "envoy/config/core/v3/extension.pb.h"
#include "proxy/control_planes.h"

namespace weir {

using envoy::config::core::v3::TypedExtensionConfig;
using xds::ResourceType;

ExtensionConfigs::ExtensionConfigs(Workers& workers, ResourceReader& reader, ControlPlanes& planes,
                                   stats::Registry& stats)
    : workers_(workers),
      reader_(reader),
      planes_(planes),
      stats_(stats),
      handlers_([this](auto& source, auto& update) { return apply(source, update); },
                [this](auto& source, auto, auto& name) { absent(source, name); }) {}

void ExtensionConfigs::use(const std::shared_ptr<const FilterUser>& user) {
  for (const DiscoveredFilter& filter : user->discovered()) {
    xds::Source* source = planes_.source(*filter.source, ResourceType::kExtension);
    const Key key{source, filter.name};
    const bool is_new = !entries_.contains(key);
    Entry& entry = entries_[key];
    const auto same = [&](const Use& known) { return known.filter == &filter; };
    if (std::any_of(entry.uses.begin(), entry.uses.end(), same)) continue;
    entry.uses.push_back({user, &filter});
    if (!is_new) {
      give_known(entry, *user, filter);
      continue;
    }
    for (const char* what : {"config_reload", "config_fail", "config_conflict"})
      stats_.counter("extension_config_discovery.http_filter." + filter.name + "." + what);
    handlers_.attach(*source, ResourceType::kExtension);
    source->subscribe(ResourceType::kExtension, filter.name, fetch_timeout_ms(*filter.source));
  }
}

void ExtensionConfigs::give_known(const Entry& entry, const FilterUser& user,
                                  const DiscoveredFilter& filter) {
  if (entry.absent) user.set_settled(filter);
  if (entry.last.content == nullptr) return;
  TypedExtensionConfig message;
  config::Diagnostics diagnostics;
  if (!reader_.read(*entry.last.content, message, diagnostics)) return;
  const http::ConfiguredFilter compiled = user.compile(filter, message, diagnostics);
  // Where it is not right for this one, its default serves until a better version comes.
  if (compiled.config == nullptr) count(filter.name, "config_conflict");
  give(user, filter, compiled.config == nullptr ? nullptr : &compiled);
}

void ExtensionConfigs::give(const FilterUser& user, const DiscoveredFilter& filter,
                            const http::ConfiguredFilter* config) {
  const auto list = user.put(filter, config);
  workers_.each([feed = user.feed(), list](Worker& worker) { feed->set(worker.index(), {list}); });
}

std::vector<xds::Rejection> ExtensionConfigs::apply(xds::Source& source,
                                                    const xds::Update& update) {
  auto rejections = apply_each(
      entries_, source, update, [&](const std::string& name) { absent(source, name); },
      [&](Entry& entry, const xds::Resource& resource) {
        std::string errors = apply_one(entry, resource);
        count(resource.name, errors.empty() ? "config_reload" : "config_fail");
        return errors;
      });
  if (told_ready_) told_ready_();
  return rejections;
}

// For all connection managers that use it, or for none.
std::string ExtensionConfigs::apply_one(Entry& entry, const xds::Resource& resource) {
  TypedExtensionConfig message;
  config::Diagnostics diagnostics;
  if (!reader_.read(*resource.content, message, diagnostics)) return error_text(diagnostics);
  struct Compiled {
    std::shared_ptr<const FilterUser> user;
    const DiscoveredFilter* filter;
    http::ConfiguredFilter config;
  };
  std::vector<Compiled> all;
  for (const Use& use : entry.uses) {
    auto user = use.user.lock();
    if (user == nullptr) continue;
    http::ConfiguredFilter config = user->compile(*use.filter, message, diagnostics);
    if (config.config == nullptr) return error_text(diagnostics);
    all.push_back({std::move(user), use.filter, std::move(config)});
  }
  entry.last = resource;
  entry.absent = false;
  entry.updated_s = std::time(nullptr);
  for (const Compiled& one : all) give(*one.user, *one.filter, &one.config);
  return {};
}

// The default is in force again, or the filter has no configuration.
void ExtensionConfigs::absent(xds::Source& source, const std::string& name) {
  const auto found = entries_.find({&source, name});
  if (found == entries_.end()) return;
  found->second.absent = true;
  found->second.last = {};
  for (const Use& use : found->second.uses)
    if (const auto user = use.user.lock()) give(*user, *use.filter, nullptr);
  if (told_ready_) told_ready_();
}

void ExtensionConfigs::sweep() {
  for (auto at = entries_.begin(); at != entries_.end();) {
    auto& [key, entry] = *at;
    std::erase_if(entry.uses, [](const Use& use) { return use.user.expired(); });
    if (entry.uses.empty()) key.first->unsubscribe(ResourceType::kExtension, key.second);
    at = entry.uses.empty() ? entries_.erase(at) : std::next(at);
  }
}

void ExtensionConfigs::describe(std::vector<DynamicResource>& out) const {
  for (const auto& [key, entry] : entries_)
    if (entry.last.content != nullptr)
      out.push_back({ResourceType::kExtension, key.second, entry.last.version, entry.updated_s,
                     entry.last.content});
}

void ExtensionConfigs::count(const std::string& name, const char* what) {
  stats_.main_shard().inc(
      stats_.counter("extension_config_discovery.http_filter." + name + "." + what));
}

}  // namespace weir
