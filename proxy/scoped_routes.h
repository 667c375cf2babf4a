#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "proxy/dynamic_resource.h"
#include "proxy/resource_reader.h"
#include "proxy/scope_user.h"
#include "proxy/source_handlers.h"
#include "proxy/workers.h"

namespace weir {

class ControlPlanes;
class Routes;

// The scopes of SRDS: what came last, compiled for each connection manager that uses it, and handed
// to the workers together with the routes that they lead to. Main thread.
class ScopedRoutes {
 public:
  ScopedRoutes(Workers& workers, ResourceReader& reader, ControlPlanes& planes, Routes& routes);

  // Asks for the scopes of a connection manager, and for their routes; once for each.
  void use(const std::shared_ptr<const ScopeUser>& user);
  // Called when a user may have become ready.
  void on_ready(std::function<void()> told) { told_ready_ = std::move(told); }
  // Hands the tables of routes that came to the workers.
  void publish();
  // Forgets users that are no more, and what only they asked for.
  void sweep();

  void describe(std::vector<DynamicResource>& out) const;

 private:
  using UserPtr = std::shared_ptr<const ScopeUser>;
  struct Scope {
    xds::Resource resource;
    int64_t updated_s = 0;
    std::string key;
  };
  // Of one source; those of the configuration itself have none.
  struct Entry {
    std::map<std::string, Scope> scopes;
    std::vector<std::weak_ptr<const ScopeUser>> users;
    bool loaded = false;
  };
  // What came in an update, compiled for each user.
  struct Candidate {
    const xds::Resource* resource;
    std::string key;
    std::vector<RouteScope> scopes;
  };
  using Candidates = std::vector<Candidate>;

  std::vector<xds::Rejection> apply(xds::Source& source, const xds::Update& update);
  std::string read(const xds::Resource& resource, const std::vector<UserPtr>& users,
                   Candidate& out);
  static void reject_conflicts(const Entry& entry, Candidates& candidates,
                               std::vector<xds::Rejection>& rejections);
  void take_over(Entry& entry, const std::vector<UserPtr>& users, Candidates candidates);
  void give_known(const Entry& entry, const ScopeUser& user);
  void use_routes(const ScopeUser& user);
  void set_loaded(xds::Source& source);
  void publish(const ScopeUser& user);
  static std::vector<UserPtr> users_of(const Entry& entry);

  Workers& workers_;
  ResourceReader& reader_;
  ControlPlanes& planes_;
  Routes& routes_;
  SourceHandlers handlers_;
  std::map<xds::Source*, Entry> entries_;
  std::function<void()> told_ready_;
};

}  // namespace weir
