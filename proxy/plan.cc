#include "proxy/plan.h"

#include <google/protobuf/util/json_util.h>

#include <set>
#include <string_view>

#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "envoy/extensions/access_loggers/file/v3/file.pb.h"
#include "proxy/base/log_format.h"
#include "proxy/control_planes.h"
#include "proxy/listener_compile.h"
#include "proxy/overload_watch.h"
#include "proxy/runtime_layers.h"
#include "proxy/stats_config.h"
#include "proxy/tls/secrets.h"

namespace weir {
namespace {

using config::Code;
using config::FieldPath;

void read_clusters(const config::Bootstrap& bootstrap, const FieldPath& path, const AppBuild& build,
                   Plan& plan) {
  config::Diagnostics& diagnostics = build.diagnostics;
  const FieldPath clusters = path.field("clusters");
  plan.resolvers = upstream::compile_default_resolvers(bootstrap, FieldPath::root(), diagnostics);
  for (int i = 0; i < bootstrap.static_resources().clusters_size(); ++i) {
    const FieldPath at = clusters.at(i);
    auto compiled =
        upstream::compile_cluster(bootstrap.static_resources().clusters(i), at, diagnostics,
                                  plan.resolvers, {build.secrets, &build.stats, &build.logs});
    if (compiled == nullptr) continue;
    const std::string name = compiled->name;
    if (!plan.clusters.emplace(name, std::move(compiled)).second)
      diagnostics.error(Code::kSemantic, at, "there is another cluster named '" + name + "'");
  }
}

void check_secret_names(const config::Bootstrap& bootstrap, const FieldPath& path,
                        config::Diagnostics& diagnostics) {
  const FieldPath secrets = path.field("secrets");
  std::set<std::string_view> names;
  for (int i = 0; i < bootstrap.static_resources().secrets_size(); ++i) {
    const std::string& name = bootstrap.static_resources().secrets(i).name();
    if (!names.insert(name).second)
      diagnostics.error(Code::kSemantic, secrets.at(i),
                        "there is another secret named '" + name + "'");
  }
}

// Endpoints and control planes need each other's clusters, so this comes when those are known.
void read_sources(const config::Bootstrap& bootstrap, const FieldPath& path, const AppBuild& build,
                  ControlPlanes& planes) {
  const auto has_cluster = [&](const std::string& name) { return build.has_cluster(name); };
  planes.configure(bootstrap, has_cluster, build.diagnostics);
  const FieldPath clusters = path.field("clusters");
  const auto& all = bootstrap.static_resources().clusters();
  for (int i = 0; i < all.size(); ++i) {
    const auto& eds = all[i].eds_cluster_config();
    const FieldPath at = clusters.at(i);
    if (all[i].has_lrs_server())
      planes.check_load_server(all[i].lrs_server(), true, at.field("lrs_server"), has_cluster,
                               build.diagnostics);
    if (!eds.has_eds_config()) continue;
    planes.check(eds.eds_config(), xds::ResourceType::kEndpoint,
                 at.field("eds_cluster_config.eds_config"), has_cluster, build.diagnostics);
  }
  if (const auto& manager = bootstrap.cluster_manager(); manager.has_load_stats_config())
    ControlPlanes::check_load_service(manager.load_stats_config(),
                                      FieldPath::root("cluster_manager.load_stats_config"),
                                      has_cluster, build.diagnostics);
  if (bootstrap.has_hds_config())
    ControlPlanes::check_health_service(bootstrap.hds_config(), FieldPath::root("hds_config"),
                                        has_cluster, build.diagnostics);
  RuntimeLayers::check(bootstrap, planes, has_cluster, build.diagnostics);
  const auto& dynamic = bootstrap.dynamic_resources();
  const FieldPath root = FieldPath::root("dynamic_resources");
  if (dynamic.has_cds_config())
    planes.check(dynamic.cds_config(), xds::ResourceType::kCluster, root.field("cds_config"),
                 has_cluster, build.diagnostics);
  if (dynamic.has_lds_config())
    planes.check(dynamic.lds_config(), xds::ResourceType::kListener, root.field("lds_config"),
                 has_cluster, build.diagnostics);
}

void read_listeners(const config::Bootstrap& bootstrap, const FieldPath& path,
                    const AppBuild& build, const PlanBuild& more, Plan& plan) {
  const FieldPath listeners = path.field("listeners");
  std::set<std::string> names;
  for (int i = 0; i < bootstrap.static_resources().listeners_size(); ++i) {
    const FieldPath at = listeners.at(i);
    const auto& listener = bootstrap.static_resources().listeners(i);
    auto compiled = compile_listener(listener, at, build, more.old_listener(listener.name()));
    if (compiled == nullptr) continue;
    if (!names.insert(compiled->name).second)
      build.diagnostics.error(Code::kSemantic, at,
                              "there is another listener named '" + compiled->name + "'");
    for (const auto& other : plan.listeners)
      if (const net::Address* both = compiled->common_address(*other))
        build.diagnostics.error(
            Code::kSemantic, at.field("address"),
            "listener '" + other->name + "' accepts connections at " + both->text() + " already",
            "one listener may have several filter chains");
    plan.listeners.push_back(std::move(compiled));
  }
}

// Nobody writes one; what is thrown away need not be written.
void warn_of_admin_logs(const envoy::config::bootstrap::v3::Admin& admin,
                        config::Diagnostics& diagnostics) {
  const FieldPath logs = FieldPath::root("admin.access_log");
  for (int i = 0; i < admin.access_log_size(); ++i) {
    envoy::extensions::access_loggers::file::v3::FileAccessLog file;
    if (admin.access_log(i).typed_config().UnpackTo(&file) && file.path() == "/dev/null") continue;
    diagnostics.warning(Code::kNotSupported, logs.at(i),
                        "Weir writes no access log of the admin port");
  }
}

void read_admin(const config::Bootstrap& bootstrap, config::Diagnostics& diagnostics, Plan& plan) {
  warn_of_admin_logs(bootstrap.admin(), diagnostics);
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

// A line of the log as application_log_config wants it; a JSON line is a pattern too.
std::string read_log_format(const config::Bootstrap& bootstrap, config::Diagnostics& diagnostics) {
  const auto& format = bootstrap.application_log_config().log_format();
  const FieldPath root = FieldPath::root("application_log_config");
  const FieldPath path = root.field("log_format");
  if (!format.has_text_format() && !format.has_json_format())
    return std::string(LogFormat::kDefault);
  std::string pattern = format.text_format();
  if (format.has_json_format() &&
      !google::protobuf::util::MessageToJsonString(format.json_format(), &pattern).ok())
    diagnostics.error(Code::kInvalidValue, path.field("json_format"), "it cannot be JSON");
  if (Result<LogFormat> parsed = LogFormat::parse(pattern); !parsed)
    diagnostics.error(Code::kInvalidValue,
                      path.field(format.has_json_format() ? "json_format" : "text_format"),
                      parsed.error().message);
  return pattern;
}

}  // namespace

std::unique_ptr<const Plan> compile_plan(const config::Bootstrap& bootstrap, AppBuild build,
                                         const PlanBuild& more) {
  auto plan = std::make_unique<Plan>();
  const size_t errors_before = build.diagnostics.error_count();
  plan->stats = StatsSettings::compile(bootstrap, build.diagnostics);
  // Before the first of a configuration's metrics; later ones cannot change which there are.
  if (more.sets_metrics) build.stats.set_filter(plan->stats->accepts);
  plan->log_format = read_log_format(bootstrap, build.diagnostics);
  const FieldPath root = FieldPath::root("static_resources");
  plan->node_id = bootstrap.node().id();
  plan->node_cluster = bootstrap.node().cluster();
  const auto& secrets = bootstrap.static_resources().secrets();
  check_secret_names(bootstrap, root, build.diagnostics);
  if (build.secrets != nullptr) build.secrets->stage_static({secrets.begin(), secrets.end()});
  const auto& locality = bootstrap.node().locality();
  plan->node_locality = {locality.region(), locality.zone(), locality.sub_zone()};
  read_clusters(bootstrap, root, build, *plan);
  plan->local_cluster = bootstrap.cluster_manager().local_cluster_name();
  if (!plan->local_cluster.empty() && !plan->clusters.contains(plan->local_cluster))
    build.diagnostics.error(Code::kReference, FieldPath::root("cluster_manager.local_cluster_name"),
                            "the bootstrap has no cluster '" + plan->local_cluster + "'",
                            "name the one that this process belongs to");
  build.service_cluster = plan->node_cluster;
  build.clusters_may_follow = bootstrap.dynamic_resources().has_cds_config();
  // By value: who gets routes later asks again then. One that is not well-formed is there all the
  // same: its own errors are enough.
  auto names = std::make_shared<std::set<std::string, std::less<>>>();
  for (const auto& cluster : bootstrap.static_resources().clusters()) names->insert(cluster.name());
  build.has_cluster = [names, known = std::move(build.has_cluster)](std::string_view name) {
    return names->contains(name) || (known && known(name));
  };
  read_sources(bootstrap, root, build, more.planes);
  read_listeners(bootstrap, root, build, more, *plan);
  read_admin(bootstrap, build.diagnostics, *plan);
  plan->overload = OverloadConfig::compile(bootstrap, build.diagnostics);
  if (build.diagnostics.error_count() != errors_before) return nullptr;
  return plan;
}

}  // namespace weir
