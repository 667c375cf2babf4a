#include <array>
#include <cstdio>
#include <map>
#include <tuple>

#include "envoy/admin/v3/clusters.pb.h"
#include "envoy/admin/v3/listeners.pb.h"
#include "envoy/config/endpoint/v3/endpoint.pb.h"
#include "proxy/admin/render.h"

namespace weir::admin {
namespace {

using envoy::admin::v3::SimpleMetric;
using envoy::config::endpoint::v3::ClusterLoadAssignment;

struct EndpointStat {
  std::string_view name;
  uint64_t EndpointState::*member;
  SimpleMetric::Type type;
};
constexpr std::array<EndpointStat, 8> kEndpointStats = {{
    {"cx_active", &EndpointState::cx_active, SimpleMetric::GAUGE},
    {"cx_connect_fail", &EndpointState::cx_connect_fail, SimpleMetric::COUNTER},
    {"cx_total", &EndpointState::cx_total, SimpleMetric::COUNTER},
    {"rq_active", &EndpointState::rq_active, SimpleMetric::GAUGE},
    {"rq_error", &EndpointState::rq_error, SimpleMetric::COUNTER},
    {"rq_success", &EndpointState::rq_success, SimpleMetric::COUNTER},
    {"rq_timeout", &EndpointState::rq_timeout, SimpleMetric::COUNTER},
    {"rq_total", &EndpointState::rq_total, SimpleMetric::COUNTER},
}};

// Appends "<prefix>::<name>::<value>\n" lines.
class Lines {
 public:
  Lines(std::string prefix, std::string& out) : prefix_(std::move(prefix)), out_(out) {}
  void add(std::string_view name, std::string_view value) {
    out_ += prefix_;
    out_ += "::";
    out_ += name;
    out_ += "::";
    out_ += value;
    out_ += '\n';
  }
  void add(std::string_view name, uint64_t value) { add(name, std::to_string(value)); }

 private:
  std::string prefix_;
  std::string& out_;
};

void add_breaker(const BreakerState& breaker, std::string prefix, std::string& out) {
  Lines lines(std::move(prefix), out);
  lines.add("max_connections", breaker.max_connections);
  lines.add("max_pending_requests", breaker.max_pending_requests);
  lines.add("max_requests", breaker.max_requests);
  lines.add("max_retries", breaker.max_retries);
}

std::string rate_text(double percent) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.6g", percent);
  return text;
}

std::string health_flags(const EndpointState& endpoint) {
  std::string out;
  if (endpoint.failed_active_health_check) out += "/failed_active_hc";
  if (endpoint.failed_outlier_check) out += "/failed_outlier_check";
  if (endpoint.unhealthy_by_config) out += "/failed_eds_health";
  if (endpoint.degraded_active_health_check) out += "/degraded_active_hc";
  if (endpoint.degraded) out += "/degraded_eds_health";
  if (endpoint.pending_dynamic_removal) out += "/pending_dynamic_removal";
  if (endpoint.pending_active_health_check) out += "/pending_active_hc";
  if (endpoint.excluded_by_its_word) out += "/excluded_via_immediate_hc_fail";
  if (endpoint.active_health_check_timeout) out += "/active_hc_timeout";
  return out.empty() ? "healthy" : out;
}

void add_endpoint(const std::string& cluster, const EndpointState& endpoint, std::string& out) {
  Lines lines(cluster + "::" + endpoint.address.text(), out);
  for (const EndpointStat& stat : kEndpointStats) lines.add(stat.name, endpoint.*stat.member);
  lines.add("hostname", endpoint.hostname);
  lines.add("health_flags", health_flags(endpoint));
  lines.add("weight", endpoint.weight);
  lines.add("region", endpoint.region);
  lines.add("zone", endpoint.zone);
  lines.add("sub_zone", endpoint.sub_zone);
  lines.add("canary", "false");
  lines.add("priority", endpoint.priority);
  lines.add("success_rate", rate_text(endpoint.success_rate));
  lines.add("local_origin_success_rate", rate_text(endpoint.local_origin_success_rate));
}

void set_address(const net::Address& from, envoy::config::core::v3::Address& to) {
  if (from.family() == net::Address::Family::kUnix) {
    to.mutable_pipe()->set_path(from.text());
    return;
  }
  to.mutable_socket_address()->set_address(from.ip_text());
  to.mutable_socket_address()->set_port_value(from.port());
}

using Thresholds = envoy::config::cluster::v3::CircuitBreakers::Thresholds;

void set_breaker(const BreakerState& from, envoy::config::core::v3::RoutingPriority priority,
                 Thresholds& to) {
  to.set_priority(priority);
  to.mutable_max_connections()->set_value(from.max_connections);
  to.mutable_max_pending_requests()->set_value(from.max_pending_requests);
  to.mutable_max_requests()->set_value(from.max_requests);
  to.mutable_max_retries()->set_value(from.max_retries);
}

envoy::config::core::v3::HealthStatus eds_health(const EndpointState& endpoint) {
  if (endpoint.unhealthy_by_config) return envoy::config::core::v3::UNHEALTHY;
  return endpoint.degraded ? envoy::config::core::v3::DEGRADED : envoy::config::core::v3::HEALTHY;
}

// With what Weir found out itself.
envoy::config::core::v3::HealthStatus health_of(const EndpointState& endpoint) {
  if (endpoint.failed_active_health_check || endpoint.failed_outlier_check)
    return envoy::config::core::v3::UNHEALTHY;
  return eds_health(endpoint);
}

void set_locality(const EndpointState& from, envoy::config::core::v3::Locality& to) {
  to.set_region(from.region);
  to.set_zone(from.zone);
  to.set_sub_zone(from.sub_zone);
}

void set_host(const EndpointState& from, envoy::admin::v3::HostStatus& to) {
  set_address(from.address, *to.mutable_address());
  for (const EndpointStat& stat : kEndpointStats) {
    SimpleMetric& metric = *to.add_stats();
    metric.set_name(std::string(stat.name));
    metric.set_value(from.*stat.member);
    metric.set_type(stat.type);
  }
  auto& health = *to.mutable_health_status();
  health.set_failed_active_health_check(from.failed_active_health_check);
  health.set_failed_active_degraded_check(from.degraded_active_health_check);
  health.set_pending_dynamic_removal(from.pending_dynamic_removal);
  health.set_pending_active_hc(from.pending_active_health_check);
  health.set_excluded_via_immediate_hc_fail(from.excluded_by_its_word);
  health.set_active_hc_timeout(from.active_health_check_timeout);
  health.set_failed_outlier_check(from.failed_outlier_check);
  health.set_eds_health_status(eds_health(from));
  if (from.success_rate >= 0) to.mutable_success_rate()->set_value(from.success_rate);
  if (from.local_origin_success_rate >= 0)
    to.mutable_local_origin_success_rate()->set_value(from.local_origin_success_rate);
  to.set_weight(from.weight);
  to.set_hostname(from.hostname);
  to.set_priority(from.priority);
  set_locality(from, *to.mutable_locality());
}

}  // namespace

ClusterLoadAssignment load_assignment(const ClusterState& cluster) {
  using Locality = std::tuple<uint32_t, std::string, std::string, std::string>;
  ClusterLoadAssignment out;
  out.set_cluster_name(cluster.eds_service_name.empty() ? cluster.name : cluster.eds_service_name);
  out.mutable_policy()->mutable_overprovisioning_factor()->set_value(
      cluster.overprovisioning_factor);
  for (const DropState& drop : cluster.drops) {
    auto& to = *out.mutable_policy()->add_drop_overloads();
    to.set_category(drop.category);
    to.mutable_drop_percentage()->set_numerator(drop.per_million);
    to.mutable_drop_percentage()->set_denominator(envoy::type::v3::FractionalPercent::MILLION);
  }
  std::map<Locality, envoy::config::endpoint::v3::LocalityLbEndpoints*> localities;
  for (const EndpointState& endpoint : cluster.endpoints) {
    auto*& group =
        localities[{endpoint.priority, endpoint.region, endpoint.zone, endpoint.sub_zone}];
    if (group == nullptr) {
      group = out.add_endpoints();
      set_locality(endpoint, *group->mutable_locality());
      group->set_priority(endpoint.priority);
      if (endpoint.locality_weight > 0)
        group->mutable_load_balancing_weight()->set_value(endpoint.locality_weight);
    }
    auto& to = *group->add_lb_endpoints();
    set_address(endpoint.address, *to.mutable_endpoint()->mutable_address());
    to.mutable_endpoint()->set_hostname(endpoint.hostname);
    to.mutable_load_balancing_weight()->set_value(endpoint.weight);
    to.set_health_status(health_of(endpoint));
  }
  return out;
}

std::string clusters_text(const std::vector<ClusterState>& clusters) {
  std::string out;
  for (const ClusterState& cluster : clusters) {
    Lines lines(cluster.name, out);
    lines.add("observability_name", cluster.observability_name);
    if (!cluster.eds_service_name.empty()) lines.add("eds_service_name", cluster.eds_service_name);
    add_breaker(cluster.default_priority, cluster.name + "::default_priority", out);
    add_breaker(cluster.high_priority, cluster.name + "::high_priority", out);
    lines.add("added_via_api", cluster.added_via_api ? "true" : "false");
    for (const EndpointState& endpoint : cluster.endpoints)
      add_endpoint(cluster.name, endpoint, out);
  }
  return out;
}

Result<std::string> clusters_json(const std::vector<ClusterState>& clusters) {
  envoy::admin::v3::Clusters out;
  for (const ClusterState& cluster : clusters) {
    auto& status = *out.add_cluster_statuses();
    status.set_name(cluster.name);
    status.set_observability_name(cluster.observability_name);
    status.set_eds_service_name(cluster.eds_service_name);
    status.set_added_via_api(cluster.added_via_api);
    auto& breakers = *status.mutable_circuit_breakers();
    set_breaker(cluster.default_priority, envoy::config::core::v3::DEFAULT,
                *breakers.add_thresholds());
    set_breaker(cluster.high_priority, envoy::config::core::v3::HIGH, *breakers.add_thresholds());
    for (const EndpointState& endpoint : cluster.endpoints)
      set_host(endpoint, *status.add_host_statuses());
  }
  return message_json(out);
}

std::string listeners_text(const std::vector<ListenerState>& listeners) {
  std::string out;
  for (const ListenerState& listener : listeners)
    for (const net::Address& address : listener.addresses)
      out += listener.name + "::" + address.text() + "\n";
  return out;
}

Result<std::string> listeners_json(const std::vector<ListenerState>& listeners) {
  envoy::admin::v3::Listeners out;
  for (const ListenerState& listener : listeners) {
    auto& status = *out.add_listener_statuses();
    status.set_name(listener.name);
    for (size_t i = 0; i < listener.addresses.size(); ++i)
      set_address(listener.addresses[i], i == 0 ? *status.mutable_local_address()
                                                : *status.add_additional_local_addresses());
  }
  return message_json(out);
}

}  // namespace weir::admin
