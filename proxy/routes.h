#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "proxy/dynamic_resource.h"
#include "proxy/last_owner.h"
#include "proxy/resource_reader.h"
#include "proxy/route_user.h"
#include "proxy/source_handlers.h"
#include "proxy/workers.h"

namespace weir {

class ControlPlanes;

// The route configurations of RDS: what came last under each name, compiled for each connection
// manager that uses it, and handed to the workers. Main thread.
class Routes {
 public:
  Routes(Workers& workers, LastOwner& last_owner, ResourceReader& reader, ControlPlanes& planes);

  // Asks for the routes of a connection manager; once for each. It is ready at once when they are
  // known.
  void use(const std::shared_ptr<const RouteUser>& user);
  // Called when a user may have become ready.
  void on_ready(std::function<void()> told) { told_ready_ = std::move(told); }
  // Forgets users that are no more, and what only they asked for.
  void sweep();

  void describe(std::vector<DynamicResource>& out) const;

 private:
  using Key = std::pair<xds::Source*, std::string>;
  using Table = std::shared_ptr<const http::RouteTable>;
  struct User {
    std::weak_ptr<const RouteUser> user;
    Table table;  // what it was given last
  };
  struct Entry {
    xds::Resource last;  // `content` is null before anything came
    int64_t updated_s = 0;
    std::vector<User> users;
    bool absent = false;
  };

  std::vector<xds::Rejection> apply(xds::Source& source, const xds::Update& update);
  std::string apply_one(Entry& entry, const xds::Resource& resource);
  void absent(xds::Source& source, const std::string& name);
  void give(User& to, const RouteUser& user, const Table& table);
  void give_known(const Entry& entry, User& to);

  Workers& workers_;
  LastOwner& last_owner_;
  ResourceReader& reader_;
  ControlPlanes& planes_;
  SourceHandlers handlers_;
  std::map<Key, Entry> entries_;
  std::function<void()> told_ready_;
};

}  // namespace weir
