#include "proxy/ordered_checks.h"

#include <set>
#include <string_view>
#include <utility>

#include "config/message_hash.h"
#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/service/health/v3/hds.pb.h"

namespace weir {
namespace {

using config::Code;
using config::Diagnostics;
using config::FieldPath;
using envoy::config::cluster::v3::Cluster;
using envoy::service::health::v3::ClusterEndpointsHealth;
using envoy::service::health::v3::ClusterHealthCheck;
using envoy::service::health::v3::EndpointHealthResponse;
using envoy::service::health::v3::LocalityEndpointsHealth;
using upstream::Endpoint;
namespace core = envoy::config::core::v3;

// Everything but the endpoints.
Cluster cluster_of(const ClusterHealthCheck& order) {
  Cluster out;
  out.set_name(order.cluster_name());
  out.set_type(Cluster::STATIC);
  *out.mutable_health_checks() = order.health_checks();
  *out.mutable_transport_socket_matches() = order.transport_socket_matches();
  if (order.has_upstream_bind_config())
    *out.mutable_upstream_bind_config() = order.upstream_bind_config();
  // An order has no field for the version of HTTP, and gRPC has only one.
  if (order.health_checks(0).has_grpc_health_check()) out.mutable_http2_protocol_options();
  return out;
}

void add_endpoints(const ClusterHealthCheck& order, Cluster& out) {
  auto& assignment = *out.mutable_load_assignment();
  assignment.set_cluster_name(order.cluster_name());
  for (const auto& group : order.locality_endpoints()) {
    auto& endpoints = *assignment.add_endpoints();
    if (group.has_locality()) *endpoints.mutable_locality() = group.locality();
    for (const auto& endpoint : group.endpoints())
      *endpoints.add_lb_endpoints()->mutable_endpoint() = endpoint;
  }
}

void replace(std::string& text, std::string_view what, std::string_view with) {
  const size_t at = text.find(what);
  if (at != std::string::npos) text.replace(at, what.size(), with);
}

// An error of a cluster, as one of the order that it was made of.
config::Diagnostic as_ordered(config::Diagnostic found) {
  if (found.field_path.find(".load_assignment.") == std::string::npos) return found;
  replace(found.field_path, ".load_assignment.endpoints[", ".locality_endpoints[");
  replace(found.field_path, ".lb_endpoints[", ".endpoints[");
  replace(found.field_path, "].endpoint.", "].");
  found.hint.clear();  // it may speak of types of clusters, of which an order has none
  return found;
}

// Whether there is one health check; if not, that is in `diagnostics`.
bool has_one_check(const ClusterHealthCheck& order, const FieldPath& path,
                   Diagnostics& diagnostics) {
  if (order.health_checks_size() == 1) return true;
  if (order.health_checks_size() == 0)
    diagnostics.error(Code::kConstraint, path.field("health_checks"),
                      "it is not said how the endpoints are to be checked", "add a health check");
  else
    diagnostics.error(Code::kNotSupported, path.field("health_checks", 1),
                      "Weir checks an endpoint in one way only", "keep one of them");
  return false;
}

void write_address(const net::Address& address, core::Address& out) {
  if (address.family() == net::Address::Family::kUnix) {
    out.mutable_pipe()->set_path(address.ip_text());
    return;
  }
  out.mutable_socket_address()->set_address(address.ip_text());
  out.mutable_socket_address()->set_port_value(address.port());
}

void write_locality(const upstream::Locality& locality, core::Locality& out) {
  out.set_region(locality.region);
  out.set_zone(locality.zone);
  out.set_sub_zone(locality.sub_zone);
}

}  // namespace

// ---- what is to be checked ----

std::string OrderedChecks::set(const Specifier& specifier) {
  Diagnostics diagnostics;
  google::protobuf::Any content;
  content.PackFrom(specifier);
  Specifier read;
  if (!needs_.reader.read(content, read, diagnostics)) return error_text(diagnostics);
  std::vector<Checked> next = compile(read, diagnostics);
  if (diagnostics.has_errors()) return error_text(diagnostics);
  std::map<std::string_view, Checked*> known;
  for (Checked& old : checked_) known.emplace(old.config->name, &old);
  for (Checked& one : next)
    if (const auto old = known.find(one.config->name); old != known.end())
      take_over(*old->second, one);
  checked_ = std::move(next);
  for (Checked& one : checked_) {
    if (one.checker == nullptr)
      one.checker = std::make_unique<upstream::HealthChecker>(needs_.loop, needs_.stats, one.config,
                                                              [](const auto&, auto, auto) {});
    one.checker->set_targets(one.config->hosts);
  }
  return {};
}

std::vector<OrderedChecks::Checked> OrderedChecks::compile(const Specifier& specifier,
                                                           Diagnostics& diagnostics) const {
  std::vector<Checked> out;
  std::set<std::string> names;
  const FieldPath root = FieldPath::root();
  for (int i = 0; i < specifier.cluster_health_checks_size(); ++i) {
    const ClusterHealthCheck& order = specifier.cluster_health_checks(i);
    const FieldPath path = root.field("cluster_health_checks", i);
    if (!names.insert(order.cluster_name()).second)
      diagnostics.error(Code::kSemantic, path.field("cluster_name"),
                        "there is another cluster named '" + order.cluster_name() + "'");
    if (!has_one_check(order, path, diagnostics)) continue;
    Cluster cluster = cluster_of(order);
    Checked one;
    one.how = config::message_hash(cluster);
    add_endpoints(order, cluster);
    Diagnostics found;
    one.config = upstream::compile_cluster(cluster, path, found, {}, needs_.tls);
    for (const config::Diagnostic& item : found.items()) diagnostics.add(as_ordered(item));
    out.push_back(std::move(one));
  }
  return out;
}

void OrderedChecks::take_over(Checked& from, Checked& to) {
  for (const Endpoint& endpoint : from.config->hosts.endpoints)
    to.before[upstream::endpoint_key(endpoint)] = status_of(from, endpoint);
  if (from.how == to.how) to.checker = std::move(from.checker);
}

// ---- how they are ----

OrderedChecks::Status OrderedChecks::status_of(const Checked& checked, const Endpoint& endpoint) {
  if (endpoint.check != nullptr && endpoint.check->disabled) return core::UNKNOWN;
  const std::string& key = upstream::endpoint_key(endpoint);
  const upstream::CheckState& state = *checked.checker->find(key);
  if (!state.checked()) {
    const auto before = checked.before.find(key);
    return before == checked.before.end() ? core::UNHEALTHY : before->second;
  }
  if (state.failed()) return state.timed_out() ? core::TIMEOUT : core::UNHEALTHY;
  return state.degraded() ? core::DEGRADED : core::HEALTHY;
}

void OrderedChecks::tell(EndpointHealthResponse& out) const {
  for (const Checked& one : checked_) tell_of(one, *out.add_cluster_endpoints_health());
}

void OrderedChecks::tell_of(const Checked& checked, ClusterEndpointsHealth& out) {
  out.set_cluster_name(checked.config->name);
  const upstream::HostSet& hosts = checked.config->hosts;
  std::vector<LocalityEndpointsHealth*> groups(hosts.localities.size(), nullptr);
  for (const Endpoint& endpoint : hosts.endpoints) {
    LocalityEndpointsHealth*& group = groups[endpoint.locality];
    if (group == nullptr) {
      group = out.add_locality_endpoints_health();
      write_locality(hosts.localities[endpoint.locality].locality, *group->mutable_locality());
    }
    auto& health = *group->add_endpoints_health();
    write_address(endpoint.address, *health.mutable_endpoint()->mutable_address());
    health.set_health_status(static_cast<core::HealthStatus>(status_of(checked, endpoint)));
  }
}

}  // namespace weir
