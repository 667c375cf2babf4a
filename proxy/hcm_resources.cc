#include "proxy/hcm_resources.h"

#include <algorithm>

#include "proxy/route_user.h"
#include "proxy/tls/secrets.h"

namespace weir {
namespace {

constexpr xds::ResourceType kTypes[] = {xds::ResourceType::kRoute, xds::ResourceType::kScopedRoute,
                                        xds::ResourceType::kExtension};

}  // namespace

void HcmResources::use(const HcmConfig& hcm) {
  if (hcm.rds != nullptr) routes_.use(hcm.rds);
  if (hcm.scopes != nullptr) scopes_.use(hcm.scopes);
  if (hcm.ecds != nullptr) extensions_.use(hcm.ecds);
}

bool HcmResources::ready(const HcmConfig& hcm) {
  return (hcm.rds == nullptr || hcm.rds->ready()) &&
         (hcm.scopes == nullptr || hcm.scopes->ready()) &&
         (hcm.ecds == nullptr || hcm.ecds->ready()) &&
         std::all_of(hcm.secrets.begin(), hcm.secrets.end(),
                     [](const auto& secret) { return secret->settled(); });
}

void HcmResources::on_ready(const std::function<void()>& told) {
  // Routes of scopes are handed on with their scopes.
  routes_.on_ready([this, told] {
    scopes_.publish();
    told();
  });
  scopes_.on_ready(told);
  extensions_.on_ready(told);
}

void HcmResources::sweep() {
  scopes_.sweep();
  routes_.sweep();
  extensions_.sweep();
}

void HcmResources::pause(xds::Source& source) {
  for (const xds::ResourceType type : kTypes) source.pause(type);
}

void HcmResources::resume(xds::Source& source) {
  for (const xds::ResourceType type : kTypes) source.resume(type);
}

void HcmResources::describe(std::vector<DynamicResource>& out) const {
  routes_.describe(out);
  scopes_.describe(out);
  extensions_.describe(out);
}

}  // namespace weir
