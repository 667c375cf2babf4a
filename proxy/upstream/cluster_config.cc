#include "proxy/upstream/cluster_config.h"

#include <string>
#include <utility>

#include "config/message_hash.h"
#include "envoy/config/core/v3/config_source.pb.h"
#include "proxy/stats/clean_name.h"
#include "proxy/upstream/cluster_config_parts.h"

namespace weir::upstream {

using config::FieldPath;
using envoy::config::cluster::v3::Cluster;

namespace {

// Fields that would change what a request gets, and that nothing here reads.
void refuse_unread(ClusterBuild& build) {
  const Cluster& c = build.proto;
  const std::pair<bool, std::string_view> unread[] = {
      {c.has_lb_subset_config(), "lb_subset_config"},
      {c.filters_size() > 0, "filters"},
      {c.has_upstream_config(), "upstream_config"},
      {c.has_preconnect_policy(), "preconnect_policy"},
      {c.connection_pool_per_downstream_connection(), "connection_pool_per_downstream_connection"},
      {c.track_timeout_budgets(), "track_timeout_budgets"},
      {c.has_track_cluster_stats(), "track_cluster_stats"},
  };
  for (const auto& [present, name] : unread) {
    if (present) refuse(build.diagnostics, build.path.field(name), name);
  }
  // A cluster is always waited for when the proxy starts.
  if (c.has_wait_for_warm_on_init() && !c.wait_for_warm_on_init().value())
    refuse(build.diagnostics, build.path.field("wait_for_warm_on_init"),
           "'wait_for_warm_on_init: false'");
}

}  // namespace

std::shared_ptr<const ClusterConfig> compile_cluster(const Cluster& cluster, const FieldPath& path,
                                                     config::Diagnostics& diagnostics,
                                                     const DnsResolvers& default_resolvers,
                                                     const TlsBuild& tls) {
  const size_t errors_before = diagnostics.error_count();
  auto out = std::make_shared<ClusterConfig>();
  out->name = cluster.name();
  out->alias = cluster.alt_stat_name();
  out->stat_name = stats::clean_name(out->alias.empty() ? out->name : out->alias);
  out->hash = config::message_hash(cluster);
  out->resolvers = default_resolvers;
  ClusterBuild build{cluster, path, diagnostics, *out, tls};
  if (cluster.has_lrs_server())
    out->lrs_source =
        std::make_shared<const envoy::config::core::v3::ConfigSource>(cluster.lrs_server());
  refuse_unread(build);
  compile_transport(build);
  compile_discovery(build);
  compile_endpoints(build);
  compile_balancing(build);
  compile_protocol(build);
  compile_connection(build);
  compile_health(build);
  compile_outlier(build);
  const bool failed = diagnostics.error_count() != errors_before;
  if (failed || has_error_under(diagnostics, path.str())) return nullptr;
  return out;
}

}  // namespace weir::upstream
