#include "proxy/scoped_routes.h"

#include <algorithm>
#include <ctime>
#include <set>

#include "envoy/config/core/v3/config_source.pb.h"
#include "envoy/config/route/v3/scoped_route.pb.h"
#include "proxy/control_planes.h"
#include "proxy/route_user.h"
#include "proxy/routes.h"
#include "proxy/scope_keys.h"

namespace weir {

using config::FieldPath;
using envoy::config::route::v3::ScopedRouteConfiguration;
using xds::ResourceType;

ScopedRoutes::ScopedRoutes(Workers& workers, ResourceReader& reader, ControlPlanes& planes,
                           Routes& routes)
    : workers_(workers),
      reader_(reader),
      planes_(planes),
      routes_(routes),
      handlers_([this](auto& source, auto& update) { return apply(source, update); },
                [this](auto& source, auto, auto&) { set_loaded(source); }) {}

void ScopedRoutes::use(const UserPtr& user) {
  xds::Source* const source = user->source() == nullptr
                                  ? nullptr
                                  : planes_.source(*user->source(), ResourceType::kScopedRoute);
  Entry& entry = entries_[source];
  const bool is_new = entry.users.empty();
  const auto same = [&](const auto& known) { return known.lock() == user; };
  if (std::any_of(entry.users.begin(), entry.users.end(), same)) return;
  entry.users.push_back(user);
  if (source != nullptr && is_new) {
    handlers_.attach(*source, ResourceType::kScopedRoute);
    source->subscribe(ResourceType::kScopedRoute, "*", fetch_timeout_ms(*user->source()));
  }
  if (entry.loaded) user->set_loaded();
  give_known(entry, *user);
  use_routes(*user);
  publish(*user);
}

// Scopes that are not right for this one are not there until a better version comes.
void ScopedRoutes::give_known(const Entry& entry, const ScopeUser& user) {
  for (const auto& [name, scope] : entry.scopes) {
    ScopedRouteConfiguration message;
    config::Diagnostics diagnostics;
    if (!reader_.read(*scope.resource.content, message, diagnostics)) continue;
    if (auto compiled = user.compile_scope(message, FieldPath::root(), diagnostics))
      user.put(name, std::move(*compiled));
  }
}

void ScopedRoutes::use_routes(const ScopeUser& user) {
  for (const auto& [name, scope] : user.scopes())
    if (scope.rds != nullptr) routes_.use(scope.rds);
}

// ---- updates ----

std::vector<ScopedRoutes::UserPtr> ScopedRoutes::users_of(const Entry& entry) {
  std::vector<UserPtr> users;
  for (const auto& known : entry.users)
    if (auto user = known.lock()) users.push_back(std::move(user));
  return users;
}

std::vector<xds::Rejection> ScopedRoutes::apply(xds::Source& source, const xds::Update& update) {
  Entry& entry = entries_[&source];
  const std::vector<UserPtr> users = users_of(entry);
  source.pause(ResourceType::kRoute);
  for (const std::string& name : update.removed) {
    entry.scopes.erase(name);
    for (const UserPtr& user : users) user->remove(name);
  }
  std::vector<xds::Rejection> rejections;
  Candidates candidates;
  for (const xds::Resource& resource : update.added) {
    Candidate candidate;
    std::string errors = read(resource, users, candidate);
    if (errors.empty())
      candidates.push_back(std::move(candidate));
    else
      rejections.push_back({resource.name, std::move(errors)});
  }
  reject_conflicts(entry, candidates, rejections);
  take_over(entry, users, std::move(candidates));
  routes_.sweep();
  source.resume(ResourceType::kRoute);
  set_loaded(source);
  return rejections;
}

// For all connection managers, or for none. Returns the errors.
std::string ScopedRoutes::read(const xds::Resource& resource, const std::vector<UserPtr>& users,
                               Candidate& out) {
  ScopedRouteConfiguration message;
  config::Diagnostics diagnostics;
  if (!reader_.read(*resource.content, message, diagnostics)) return error_text(diagnostics);
  out.resource = &resource;
  out.key = scope_key(message.key());
  for (const UserPtr& user : users) {
    auto scope = user->compile_scope(message, FieldPath::root(), diagnostics);
    if (!scope) return error_text(diagnostics);
    out.scopes.push_back(std::move(*scope));
  }
  return {};
}

// No two scopes have one key. What is in force stays; of those that came, the first is taken. One
// that is refused keeps its old key, which may be another's new one: so until all fit.
void ScopedRoutes::reject_conflicts(const Entry& entry, Candidates& candidates,
                                    std::vector<xds::Rejection>& rejections) {
  for (bool again = true; again;) {
    again = false;
    std::set<std::string_view> changed;
    for (const Candidate& one : candidates) changed.insert(one.resource->name);
    std::map<std::string, std::string_view> owners;  // names by key
    for (const auto& [name, scope] : entry.scopes)
      if (!changed.contains(name)) owners.emplace(scope.key, name);
    std::erase_if(candidates, [&](const Candidate& one) {
      const auto [owner, is_new] = owners.emplace(one.key, one.resource->name);
      if (is_new) return false;
      rejections.push_back(
          {one.resource->name, "key: the scope '" + std::string(owner->second) + "' has the same"});
      again = true;
      return true;
    });
  }
}

void ScopedRoutes::take_over(Entry& entry, const std::vector<UserPtr>& users,
                             Candidates candidates) {
  for (Candidate& one : candidates) {
    const std::string& name = one.resource->name;
    for (size_t i = 0; i < users.size(); ++i) {
      if (one.scopes[i].rds != nullptr) routes_.use(one.scopes[i].rds);
      users[i]->put(name, std::move(one.scopes[i]));
    }
    entry.scopes[name] = {*one.resource, std::time(nullptr), std::move(one.key)};
  }
}

void ScopedRoutes::set_loaded(xds::Source& source) {
  Entry& entry = entries_[&source];
  entry.loaded = true;
  for (const UserPtr& user : users_of(entry)) {
    user->set_loaded();
    publish(*user);
  }
  if (told_ready_) told_ready_();
}

// ---- what is in force ----

void ScopedRoutes::publish() {
  for (const auto& [source, entry] : entries_)
    for (const UserPtr& user : users_of(entry)) publish(*user);
}

void ScopedRoutes::publish(const ScopeUser& user) {
  const ScopeUser::Tables tables = user.changed_tables();
  if (tables == nullptr) return;
  workers_.each([feed = user.feed(), tables](Worker& worker) {
    feed->set(worker.index(), {.scopes = tables});
  });
}

void ScopedRoutes::sweep() {
  for (auto at = entries_.begin(); at != entries_.end();) {
    auto& [source, entry] = *at;
    std::erase_if(entry.users, [](const auto& user) { return user.expired(); });
    if (entry.users.empty() && source != nullptr)
      source->unsubscribe(ResourceType::kScopedRoute, "*");
    at = entry.users.empty() ? entries_.erase(at) : std::next(at);
  }
}

void ScopedRoutes::describe(std::vector<DynamicResource>& out) const {
  for (const auto& [source, entry] : entries_)
    for (const auto& [name, scope] : entry.scopes)
      out.push_back({ResourceType::kScopedRoute, name, scope.resource.version, scope.updated_s,
                     scope.resource.content});
}

}  // namespace weir
