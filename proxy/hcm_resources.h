#pragma once

#include <functional>
#include <vector>

#include "proxy/dynamic_resource.h"
#include "proxy/extension_configs.h"
#include "proxy/hcm_config.h"
#include "proxy/routes.h"
#include "proxy/scoped_routes.h"

namespace weir {

// What connection managers get from control planes besides their listener: routes (RDS), scopes of
// routes (SRDS) and configurations of filters (ECDS). Main thread.
class HcmResources {
 public:
  HcmResources(Workers& workers, LastOwner& last_owner, ResourceReader& reader,
               ControlPlanes& planes, stats::Registry& stats)
      : routes_(workers, last_owner, reader, planes),
        scopes_(workers, reader, planes, routes_),
        extensions_(workers, reader, planes, stats) {}

  // Asks for what it needs; once for each.
  void use(const HcmConfig& hcm);
  // Whether all that it needs is there, or will not come.
  static bool ready(const HcmConfig& hcm);
  // Called when ready() may have become true of some.
  void on_ready(const std::function<void()>& told);
  // Forgets what nobody uses any longer.
  void sweep();
  // The requests of a source for these types wait until resume(), and are gathered.
  static void pause(xds::Source& source);
  static void resume(xds::Source& source);

  void describe(std::vector<DynamicResource>& out) const;

 private:
  Routes routes_;
  ScopedRoutes scopes_;
  ExtensionConfigs extensions_;
};

}  // namespace weir
