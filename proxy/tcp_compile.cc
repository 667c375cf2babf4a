#include "envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.pb.h"
#include "proxy/hcm_compile.h"
#include "proxy/http/compile_duration.h"
#include "proxy/stats/clean_name.h"
#include "proxy/tcp_proxy.h"

namespace weir {

std::shared_ptr<const TcpProxyConfig> compile_tcp_proxy(
    const envoy::extensions::filters::network::tcp_proxy::v3::TcpProxy& in,
    const config::FieldPath& path, const AppBuild& build) {
  const size_t errors_before = build.diagnostics.error_count();
  auto out = std::make_shared<TcpProxyConfig>();
  out->cluster = in.cluster();
  for (const auto& entry : in.weighted_clusters().clusters()) {
    out->weighted.push_back({entry.name(), entry.weight()});
    out->total_weight += entry.weight();
  }
  const auto check = [&](const std::string& name, const config::FieldPath& at) {
    if (name.empty() || build.clusters_may_follow || build.has_cluster(name)) return;
    build.diagnostics.error(config::Code::kReference, at, "there is no cluster '" + name + "'");
  };
  check(out->cluster, path.field("cluster"));
  const config::FieldPath weighted = path.field("weighted_clusters.clusters");
  for (size_t i = 0; i < out->weighted.size(); ++i)
    check(out->weighted[i].cluster, weighted.at(static_cast<int>(i)));
  if (in.has_idle_timeout())
    http::compile_duration_ms(in.idle_timeout(), path.field("idle_timeout"), build.diagnostics,
                              out->idle_timeout_ms);
  if (in.has_max_downstream_connection_duration())
    http::compile_duration_ms(in.max_downstream_connection_duration(),
                              path.field("max_downstream_connection_duration"), build.diagnostics,
                              out->max_connection_duration_ms);
  if (in.has_max_connect_attempts()) out->max_connect_attempts = in.max_connect_attempts().value();
  if (in.access_log_size() > 0)
    out->access_logs =
        http::AccessLogs::compile(in.access_log(), path.field("access_log"), build.diagnostics,
                                  build.logs, lookup_in(build.runtime));
  const std::string p = "tcp." + stats::clean_name(in.stat_prefix()) + ".";
  out->cx_total = build.stats.counter(p + "downstream_cx_total");
  out->cx_no_route = build.stats.counter(p + "downstream_cx_no_route");
  out->rx_bytes = build.stats.counter(p + "downstream_cx_rx_bytes_total");
  out->tx_bytes = build.stats.counter(p + "downstream_cx_tx_bytes_total");
  out->max_duration = build.stats.counter(p + "max_downstream_connection_duration");
  out->idle_timeout = build.stats.counter(p + "idle_timeout");
  if (build.diagnostics.error_count() != errors_before) return nullptr;
  return out;
}

}  // namespace weir
