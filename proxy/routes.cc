#include "proxy/routes.h"

#include <algorithm>
#include <ctime>

#include "envoy/config/core/v3/config_source.pb.h"
#include "envoy/config/route/v3/route.pb.h"
#include "proxy/control_planes.h"

namespace weir {

using envoy::config::route::v3::RouteConfiguration;
using xds::ResourceType;

Routes::Routes(Workers& workers, LastOwner& last_owner, ResourceReader& reader,
               ControlPlanes& planes)
    : workers_(workers),
      last_owner_(last_owner),
      reader_(reader),
      planes_(planes),
      handlers_([this](auto& source, auto& update) { return apply(source, update); },
                [this](auto& source, auto, auto& name) { absent(source, name); }) {}

void Routes::use(const std::shared_ptr<const RouteUser>& user) {
  xds::Source* source = planes_.source(user->source(), ResourceType::kRoute);
  const Key key{source, user->name()};
  const bool is_new = !entries_.contains(key);
  Entry& entry = entries_[key];
  const auto same = [&](const User& known) { return known.user.lock() == user; };
  if (std::any_of(entry.users.begin(), entry.users.end(), same)) return;
  entry.users.push_back({user, nullptr});
  if (is_new) {
    handlers_.attach(*source, ResourceType::kRoute);
    source->subscribe(ResourceType::kRoute, user->name(), fetch_timeout_ms(user->source()));
  } else {
    give_known(entry, entry.users.back());
  }
}

void Routes::give_known(const Entry& entry, User& to) {
  const auto held = to.user.lock();
  const RouteUser& user = *held;
  if (entry.absent) user.set_ready();
  if (entry.last.content == nullptr) return;
  RouteConfiguration message;
  config::Diagnostics diagnostics;
  if (!reader_.read(*entry.last.content, message, diagnostics)) return;
  // Where it is not right for this one, it has no routes until a better version comes.
  if (Table table = user.compile(message, config::FieldPath::root(), diagnostics))
    give(to, user, table);
  else
    user.set_ready();
}

void Routes::give(User& to, const RouteUser& user, const Table& table) {
  user.set_ready();
  last_owner_.keep(std::exchange(to.table, table));
  if (user.feed() == nullptr) return user.set_table(table);
  workers_.each(
      [feed = user.feed(), table](Worker& worker) { feed->set(worker.index(), {.table = table}); });
}

std::vector<xds::Rejection> Routes::apply(xds::Source& source, const xds::Update& update) {
  auto rejections = apply_each(
      entries_, source, update, [&](const std::string& name) { absent(source, name); },
      [&](Entry& entry, const xds::Resource& resource) { return apply_one(entry, resource); });
  if (told_ready_) told_ready_();
  return rejections;
}

// For all connection managers that use it, or for none.
std::string Routes::apply_one(Entry& entry, const xds::Resource& resource) {
  RouteConfiguration message;
  config::Diagnostics diagnostics;
  if (!reader_.read(*resource.content, message, diagnostics)) return error_text(diagnostics);
  struct Compiled {
    User& to;
    std::shared_ptr<const RouteUser> user;
    Table table;
  };
  std::vector<Compiled> compiled;
  for (User& known : entry.users) {
    auto user = known.user.lock();
    if (user == nullptr) continue;
    Table table = user->compile(message, config::FieldPath::root(), diagnostics);
    if (table == nullptr) return error_text(diagnostics);
    compiled.push_back({known, std::move(user), std::move(table)});
  }
  entry.last = resource;
  entry.absent = false;
  entry.updated_s = std::time(nullptr);
  for (const Compiled& one : compiled) give(one.to, *one.user, one.table);
  return {};
}

// Routes that were there stay: they go with the listeners that use them.
void Routes::absent(xds::Source& source, const std::string& name) {
  const auto found = entries_.find({&source, name});
  if (found == entries_.end()) return;
  found->second.absent = true;
  for (const User& known : found->second.users)
    if (const auto user = known.user.lock()) user->set_ready();
  if (told_ready_) told_ready_();
}

void Routes::sweep() {
  for (auto at = entries_.begin(); at != entries_.end();) {
    auto& [key, entry] = *at;
    std::erase_if(entry.users, [this](User& known) {
      if (!known.user.expired()) return false;
      last_owner_.keep(std::move(known.table));
      return true;
    });
    if (entry.users.empty()) key.first->unsubscribe(ResourceType::kRoute, key.second);
    at = entry.users.empty() ? entries_.erase(at) : std::next(at);
  }
}

void Routes::describe(std::vector<DynamicResource>& out) const {
  for (const auto& [key, entry] : entries_)
    if (entry.last.content != nullptr)
      out.push_back({ResourceType::kRoute, key.second, entry.last.version, entry.updated_s,
                     entry.last.content});
}

}  // namespace weir
