// load_assignment: localities, priorities, endpoints.
#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "envoy/config/endpoint/v3/endpoint.pb.h"
#include "proxy/upstream/cluster_config_parts.h"
#include "proxy/upstream/drop_policy.h"
#include "proxy/upstream/host_moves.h"

namespace weir::upstream {

namespace core = envoy::config::core::v3;
namespace ep = envoy::config::endpoint::v3;
using config::Code;
using config::FieldPath;
using Discovery = ClusterConfig::Discovery;

namespace {

constexpr uint64_t kMaxWeightSum = std::numeric_limits<uint32_t>::max();

Health health_of(core::HealthStatus status) {
  switch (status) {
    case core::DEGRADED:
      return Health::kDegraded;
    case core::UNHEALTHY:
    case core::DRAINING:
    case core::TIMEOUT:
      return Health::kUnhealthy;
    default:
      return Health::kHealthy;
  }
}

double share_of(const envoy::type::v3::FractionalPercent& percent) {
  double of = 100;
  if (percent.denominator() == envoy::type::v3::FractionalPercent::TEN_THOUSAND) of = 10'000;
  if (percent.denominator() == envoy::type::v3::FractionalPercent::MILLION) of = 1'000'000;
  return std::min(1.0, percent.numerator() / of);
}

// Null when nothing is to be dropped.
std::shared_ptr<const DropPolicy> read_drops(const ep::ClusterLoadAssignment::Policy& from) {
  auto drops = std::make_shared<DropPolicy>();
  for (const auto& one : from.drop_overloads())
    if (one.drop_percentage().numerator() > 0)
      drops->add(one.category(), share_of(one.drop_percentage()));
  if (drops->categories().empty()) return nullptr;
  return drops;
}

std::string hash_key_in(const core::Metadata& metadata) {
  const auto filter = metadata.filter_metadata().find("envoy.lb");
  if (filter == metadata.filter_metadata().end()) return {};
  const auto key = filter->second.fields().find("hash_key");
  return key == filter->second.fields().end() ? std::string() : key->second.string_value();
}

bool same_check(const EndpointCheck* a, const EndpointCheck* b) {
  return a == b || (a != nullptr && b != nullptr && *a == *b);
}

// All but what is known of the one that came first: the text of the address, and the time.
bool same_endpoint(const Endpoint& a, const Endpoint& b) {
  return a.address == b.address && a.weight == b.weight && a.priority == b.priority &&
         a.locality == b.locality && a.health == b.health && a.logical == b.logical &&
         a.transport == b.transport && a.hostname == b.hostname && a.hash_key == b.hash_key &&
         same_check(a.check.get(), b.check.get());
}

// Walks a load assignment.
class AssignmentReader {
 public:
  // Endpoints with an address go to `hosts`, names to `targets`.
  AssignmentReader(const ClusterConfig& cluster, config::Diagnostics& diagnostics, HostSet& hosts,
                   std::vector<LocalityInfo>& localities, std::vector<DnsTarget>& targets)
      : cluster_(cluster),
        diagnostics_(diagnostics),
        hosts_(hosts),
        localities_(localities),
        targets_(targets) {}

  // Endpoints that are the same in `old` are shared with it; others came just now, unless their
  // address was there before: slow start counts from when an endpoint came first. `old` may be
  // null.
  void keep_known(const HostSet* old, int64_t now_ms) {
    now_ms_ = now_ms;
    old_ = old;
    if (old != nullptr) known_.emplace(*old);
  }

  void read(const ep::ClusterLoadAssignment& assignment, const FieldPath& path) {
    if (assignment.named_endpoints_size() > 0)
      refuse(diagnostics_, path.field("named_endpoints"), "named_endpoints");
    read_policy(assignment.policy());
    for (int i = 0; i < assignment.endpoints_size(); ++i)
      read_locality(assignment.endpoints(i), path.field("endpoints", i));
    check_locality_weights(path);
  }

 private:
  bool dns() const {
    return cluster_.discovery == Discovery::kStrictDns ||
           cluster_.discovery == Discovery::kLogicalDns;
  }

  void error(const FieldPath& path, std::string message, std::string hint = {}) {
    diagnostics_.error(Code::kSemantic, path, std::move(message), std::move(hint));
  }

  void read_policy(const ep::ClusterLoadAssignment::Policy& policy) {
    hosts_.drops = read_drops(policy);
    if (policy.has_overprovisioning_factor())
      hosts_.overprovisioning_factor = policy.overprovisioning_factor().value();
    hosts_.weighted_priority_health = policy.weighted_priority_health();
  }

  // Endpoints of the same locality and priority are one group, however often it is listed.
  uint32_t locality_index(const ep::LocalityLbEndpoints& group) {
    const core::Locality& l = group.locality();
    const Locality locality{l.region(), l.zone(), l.sub_zone()};
    uint32_t index = 0;
    while (index < localities_.size() && !(localities_[index].locality == locality &&
                                           localities_[index].priority == group.priority()))
      ++index;
    if (index == localities_.size()) localities_.push_back({locality, group.priority(), 0});
    // As in Envoy, a weight without a locality that it belongs to counts for nothing.
    if (group.has_locality() && group.has_load_balancing_weight())
      localities_[index].weight = group.load_balancing_weight().value();
    return index;
  }

  void read_locality(const ep::LocalityLbEndpoints& group, const FieldPath& path) {
    if (group.has_leds_cluster_locality_config())
      refuse(diagnostics_, path.field("leds_cluster_locality_config"),
             "leds_cluster_locality_config");
    if (group.has_load_balancer_endpoints())
      refuse(diagnostics_, path.field("load_balancer_endpoints"), "load_balancer_endpoints");
    const uint32_t locality = locality_index(group);
    uint64_t& weight_sum = endpoint_weights_[locality];
    for (int i = 0; i < group.lb_endpoints_size(); ++i) {
      Endpoint endpoint;
      endpoint.priority = group.priority();
      endpoint.locality = locality;
      const FieldPath at = path.field("lb_endpoints", i);
      read_endpoint(group.lb_endpoints(i), std::move(endpoint), at, weight_sum);
    }
    if (weight_sum > kMaxWeightSum)
      error(path, "the weights of the endpoints of one locality sum up to more than 4294967295");
  }

  void read_endpoint(const ep::LbEndpoint& from, Endpoint endpoint, const FieldPath& path,
                     uint64_t& weight_sum) {
    if (!from.has_endpoint())
      return refuse(diagnostics_, path.field("endpoint_name"), "an endpoint by name");
    endpoint.health = health_of(from.health_status());
    endpoint.hash_key = hash_key_in(from.metadata());
    endpoint.transport = transport_of(cluster_, from.metadata());
    if (from.has_load_balancing_weight())
      endpoint.weight = std::max<uint32_t>(1, from.load_balancing_weight().value());
    weight_sum += endpoint.weight;
    endpoint.hostname = from.endpoint().hostname();
    const FieldPath at = path.field("endpoint");
    endpoint.check = read_endpoint_check(from.endpoint(), at, diagnostics_);
    if (from.endpoint().additional_addresses_size() > 0)
      refuse(diagnostics_, at.field("additional_addresses"), "additional_addresses");
    read_address(from.endpoint().address(), std::move(endpoint), at.field("address"));
  }

  void read_address(const core::Address& address, Endpoint endpoint, const FieldPath& path) {
    if (address.has_envoy_internal_address())
      return refuse(diagnostics_, path.field("envoy_internal_address"), "envoy_internal_address");
    if (address.has_pipe()) return read_pipe(address.pipe(), std::move(endpoint), path);
    if (!address.has_socket_address())
      return error(path, "the endpoint has no address", "add socket_address or pipe");
    const FieldPath at = path.field("socket_address");
    if (!address.socket_address().resolver_name().empty())
      return refuse(diagnostics_, at.field("resolver_name"), "resolver_name");
    if (dns()) return read_name(address.socket_address(), std::move(endpoint), at);
    const auto read =
        read_socket_address(diagnostics_, address.socket_address(), at,
                            "a name needs a cluster of type STRICT_DNS or LOGICAL_DNS");
    if (!read) return;
    endpoint.address = *read;
    add_static(std::move(endpoint));
  }

  void read_pipe(const core::Pipe& pipe, Endpoint endpoint, const FieldPath& path) {
    const FieldPath at = path.field("pipe");
    if (dns())
      return error(at, "a DNS cluster needs names, not Unix sockets",
                   "use a cluster of type STATIC");
    Result<net::Address> read = net::Address::unix_path(pipe.path());
    if (!read.ok()) return error(at.field("path"), read.error().message);
    endpoint.address = read.take();
    add_static(std::move(endpoint));
  }

  void add_static(Endpoint endpoint) {
    const uint32_t known = known_ ? known_->take(endpoint.address) : EndpointIndex::kNone;
    if (known != EndpointIndex::kNone) {
      const Endpoints::Shared& before = old_->endpoints.shared(known);
      if (same_endpoint(*before, endpoint)) return hosts_.endpoints.push_back(before);
      endpoint.added_ms = before->added_ms;
    } else {
      endpoint.added_ms = now_ms_;
    }
    endpoint.address_text = endpoint.address.text();
    hosts_.endpoints.push_back(std::move(endpoint));
  }

  void read_name(const core::SocketAddress& address, Endpoint endpoint, const FieldPath& path) {
    if (address.protocol() != core::SocketAddress::TCP)
      return refuse(diagnostics_, path.field("protocol"), "an UDP upstream");
    if (!address.named_port().empty())
      return error(path.field("named_port"), "a port must be given as a number", "use port_value");
    if (endpoint.hostname.empty()) endpoint.hostname = address.address();
    targets_.push_back(
        {address.address(), static_cast<uint16_t>(address.port_value()), std::move(endpoint)});
  }

  void check_locality_weights(const FieldPath& path) {
    std::map<uint32_t, uint64_t> sums;
    for (const LocalityInfo& locality : localities_) sums[locality.priority] += locality.weight;
    for (const auto& [priority, sum] : sums) {
      if (sum <= kMaxWeightSum) continue;
      error(path, "the weights of the localities of priority " + std::to_string(priority) +
                      " sum up to more than 4294967295");
    }
  }

  const ClusterConfig& cluster_;
  config::Diagnostics& diagnostics_;
  HostSet& hosts_;
  std::vector<LocalityInfo>& localities_;
  std::vector<DnsTarget>& targets_;
  std::map<uint32_t, uint64_t> endpoint_weights_;  // sum per locality
  const HostSet* old_ = nullptr;
  std::optional<EndpointIndex> known_;  // those of `old_`
  int64_t now_ms_ = 0;
};

}  // namespace

void compile_endpoints(ClusterBuild& build) {
  ClusterConfig& out = build.out;
  const FieldPath path = build.path.field("load_assignment");
  const bool given = build.proto.has_load_assignment();
  if (out.discovery == Discovery::kOriginalDst && given) {
    build.diagnostics.error(Code::kSemantic, path,
                            "an ORIGINAL_DST cluster takes its endpoints from the connection",
                            "leave load_assignment out");
    return;
  }
  if (out.discovery == Discovery::kEds) {
    if (given)
      build.diagnostics.error(Code::kSemantic, path,
                              "the endpoints of an EDS cluster come from its control plane",
                              "leave load_assignment out, or use type STATIC");
    return;
  }
  const bool is_static = out.discovery == Discovery::kStatic;
  AssignmentReader(out, build.diagnostics, out.hosts,
                   is_static ? out.hosts.localities : out.target_localities, out.targets)
      .read(build.proto.load_assignment(), path);
  const ep::ClusterLoadAssignment& assignment = build.proto.load_assignment();
  const bool one =
      assignment.endpoints_size() == 1 && assignment.endpoints(0).lb_endpoints_size() == 1;
  if (out.discovery == Discovery::kLogicalDns && !one)
    build.diagnostics.error(Code::kSemantic, path,
                            "a LOGICAL_DNS cluster has exactly one locality with one endpoint",
                            "use STRICT_DNS for several names");
}

std::shared_ptr<const HostSet> compile_assignment(const ClusterConfig& cluster,
                                                  const ep::ClusterLoadAssignment& assignment,
                                                  const FieldPath& path, const HostSet* old,
                                                  int64_t now_ms,
                                                  config::Diagnostics& diagnostics) {
  const size_t errors_before = diagnostics.error_count();
  auto hosts = std::make_shared<HostSet>();
  std::vector<DnsTarget> no_targets;
  AssignmentReader reader(cluster, diagnostics, *hosts, hosts->localities, no_targets);
  reader.keep_known(old, now_ms);
  reader.read(assignment, path);
  if (diagnostics.error_count() != errors_before) return nullptr;
  hosts->version = old == nullptr ? 1 : old->version + 1;
  return hosts;
}

}  // namespace weir::upstream
