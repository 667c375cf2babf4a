#include "proxy/plan.h"

#include <set>

#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "proxy/listener_compile.h"
#include "proxy/tls/secrets.h"

namespace weir {
namespace {

using config::Code;
using config::FieldPath;

void read_clusters(const config::Bootstrap& bootstrap, const FieldPath& path, const AppBuild& build,
                   Plan& plan) {
  config::Diagnostics& diagnostics = build.diagnostics;
  const FieldPath clusters = path.field("clusters");
  const upstream::DnsResolvers resolvers =
      upstream::compile_default_resolvers(bootstrap, FieldPath::root(), diagnostics);
  for (int i = 0; i < bootstrap.static_resources().clusters_size(); ++i) {
    const FieldPath at = clusters.at(i);
    auto compiled =
        upstream::compile_cluster(bootstrap.static_resources().clusters(i), at, diagnostics,
                                  resolvers, {build.secrets, &build.stats});
    if (compiled == nullptr) continue;
    const std::string name = compiled->name;
    if (!plan.clusters.emplace(name, std::move(compiled)).second)
      diagnostics.error(Code::kSemantic, at, "there is another cluster named '" + name + "'");
  }
}

void read_listeners(const config::Bootstrap& bootstrap, const FieldPath& path,
                    const AppBuild& build, Plan& plan) {
  const FieldPath listeners = path.field("listeners");
  std::set<std::string> names;
  for (int i = 0; i < bootstrap.static_resources().listeners_size(); ++i) {
    const FieldPath at = listeners.at(i);
    auto compiled = compile_listener(bootstrap.static_resources().listeners(i), at, build);
    if (compiled == nullptr) continue;
    if (!names.insert(compiled->name).second)
      build.diagnostics.error(Code::kSemantic, at,
                              "there is another listener named '" + compiled->name + "'");
    plan.listeners.push_back(std::move(compiled));
  }
}

void read_admin(const config::Bootstrap& bootstrap, config::Diagnostics& diagnostics, Plan& plan) {
  if (!bootstrap.has_admin() || !bootstrap.admin().has_address()) return;
  const auto& address = bootstrap.admin().address();
  Result<net::Address> parsed =
      address.has_pipe()
          ? net::Address::unix_path(address.pipe().path())
          : net::Address::ip(address.socket_address().address(),
                             static_cast<uint16_t>(address.socket_address().port_value()));
  if (!parsed) {
    diagnostics.error(Code::kInvalidValue, FieldPath::root("admin.address"),
                      parsed.error().message);
    return;
  }
  plan.admin_address = parsed.take();
}

}  // namespace

std::unique_ptr<const Plan> compile_plan(const config::Bootstrap& bootstrap, AppBuild build) {
  auto plan = std::make_unique<Plan>();
  const size_t errors_before = build.diagnostics.error_count();
  const FieldPath root = FieldPath::root("static_resources");
  plan->node_id = bootstrap.node().id();
  plan->node_cluster = bootstrap.node().cluster();
  auto runtime = std::make_shared<Runtime>(Runtime::compile(bootstrap, build.diagnostics));
  if (!runtime->empty()) plan->runtime = build.runtime = std::move(runtime);
  if (build.secrets != nullptr)
    for (const auto& secret : bootstrap.static_resources().secrets())
      build.secrets->set_static(secret);
  read_clusters(bootstrap, root, build, *plan);
  build.service_cluster = plan->node_cluster;
  build.has_cluster = [&plan](std::string_view name) {
    return plan->clusters.contains(std::string(name));
  };
  read_listeners(bootstrap, root, build, *plan);
  read_admin(bootstrap, build.diagnostics, *plan);
  if (build.diagnostics.error_count() != errors_before) return nullptr;
  return plan;
}

}  // namespace weir
