// Limits, time-outs and sockets of a cluster's connections.
#include <string>

#include "envoy/config/cluster/v3/circuit_breaker.pb.h"
#include "proxy/upstream/cluster_config_parts.h"

namespace weir::upstream {

namespace core = envoy::config::core::v3;
using config::FieldPath;
using envoy::config::cluster::v3::CircuitBreakers;
using envoy::config::cluster::v3::Cluster;

namespace {

void read_thresholds(ClusterBuild& build, const CircuitBreakers::Thresholds& from,
                     const FieldPath& path, Thresholds& out) {
  if (from.has_max_connections()) out.max_connections = from.max_connections().value();
  if (from.has_max_pending_requests())
    out.max_pending_requests = from.max_pending_requests().value();
  if (from.has_max_requests()) out.max_requests = from.max_requests().value();
  if (from.has_max_retries()) out.max_retries = from.max_retries().value();
  out.track_remaining = from.track_remaining();
  if (from.has_max_connection_pools())
    refuse(build.diagnostics, path.field("max_connection_pools"), "max_connection_pools");
  if (!from.has_retry_budget()) return;
  const CircuitBreakers::Thresholds::RetryBudget& budget = from.retry_budget();
  out.retry_budget_percent = budget.has_budget_percent() ? budget.budget_percent().value() : 20.0;
  if (budget.has_min_retry_concurrency())
    out.retry_budget_min = budget.min_retry_concurrency().value();
}

void read_circuit_breakers(ClusterBuild& build, const CircuitBreakers& breakers) {
  const FieldPath path = build.path.field("circuit_breakers");
  bool seen[2] = {};
  for (int i = 0; i < breakers.thresholds_size(); ++i) {
    const size_t priority = breakers.thresholds(i).priority() == core::HIGH ? 1 : 0;
    // Of several for one priority the first counts, as in Envoy.
    if (seen[priority]) continue;
    seen[priority] = true;
    const FieldPath at = path.field("thresholds", i);
    read_thresholds(build, breakers.thresholds(i), at, build.out.thresholds[priority]);
  }
  if (breakers.per_host_thresholds_size() > 0)
    refuse(build.diagnostics, path.field("per_host_thresholds"), "per_host_thresholds");
}

void read_bind(ClusterBuild& build, const core::BindConfig& bind) {
  const FieldPath path = build.path.field("upstream_bind_config");
  if (bind.freebind().value())
    refuse(build.diagnostics, path.field("freebind"), "freebind of a cluster");
  if (bind.socket_options_size() > 0)
    refuse(build.diagnostics, path.field("socket_options"), "socket_options of a cluster");
  if (bind.extra_source_addresses_size() > 0)
    refuse(build.diagnostics, path.field("extra_source_addresses"), "extra_source_addresses");
  if (bind.additional_source_addresses_size() > 0)
    refuse(build.diagnostics, path.field("additional_source_addresses"),
           "additional_source_addresses");
  if (bind.has_local_address_selector())
    refuse(build.diagnostics, path.field("local_address_selector"), "local_address_selector");
  if (!bind.has_source_address()) return;
  build.out.bind_address =
      read_socket_address(build.diagnostics, bind.source_address(), path.field("source_address"));
}

// What Linux takes (tcp(7)); a connection that it refuses to set up would be no connection.
void read_keep_alive(ClusterBuild& build, const core::TcpKeepalive& in, const FieldPath& path) {
  constexpr uint32_t kMostProbes = 127;
  constexpr uint32_t kMostSeconds = 32'767;
  const auto read = [&](const google::protobuf::UInt32Value& value, std::string_view field,
                        uint32_t most) {
    if (value.value() >= 1 && value.value() <= most) return value.value();
    build.diagnostics.error(config::Code::kOutOfRange, path.field(field),
                            "must be between 1 and " + std::to_string(most));
    return uint32_t{0};
  };
  build.out.keep_alive.emplace();
  net::KeepAlive& out = *build.out.keep_alive;
  if (in.has_keepalive_probes())
    out.probes = read(in.keepalive_probes(), "keepalive_probes", kMostProbes);
  if (in.has_keepalive_time())
    out.time_s = read(in.keepalive_time(), "keepalive_time", kMostSeconds);
  if (in.has_keepalive_interval())
    out.interval_s = read(in.keepalive_interval(), "keepalive_interval", kMostSeconds);
}

void read_connection_options(ClusterBuild& build) {
  const auto& options = build.proto.upstream_connection_options();
  const FieldPath path = build.path.field("upstream_connection_options");
  if (options.set_local_interface_name_on_upstream_connections())
    refuse(build.diagnostics, path.field("set_local_interface_name_on_upstream_connections"),
           "set_local_interface_name_on_upstream_connections");
  if (options.has_happy_eyeballs_config())
    refuse(build.diagnostics, path.field("happy_eyeballs_config"), "happy_eyeballs_config");
  if (!options.has_tcp_keepalive()) return;
  read_keep_alive(build, options.tcp_keepalive(), path.field("tcp_keepalive"));
}

}  // namespace

void compile_connection(ClusterBuild& build) {
  const Cluster& c = build.proto;
  ClusterConfig& out = build.out;
  if (c.has_connect_timeout()) out.connect_timeout_ms = to_ms(c.connect_timeout());
  if (c.has_cleanup_interval()) out.cleanup_interval_ms = to_ms(c.cleanup_interval());
  if (c.has_per_connection_buffer_limit_bytes())
    out.buffer_limit_bytes = c.per_connection_buffer_limit_bytes().value();
  read_circuit_breakers(build, c.circuit_breakers());
  read_bind(build, c.upstream_bind_config());
  if (c.has_upstream_connection_options()) read_connection_options(build);
}

}  // namespace weir::upstream
