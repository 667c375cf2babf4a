// How a cluster chooses among its endpoints: lb_policy and its friends, or load_balancing_policy.
#include <algorithm>
#include <cmath>
#include <string>

#include "envoy/extensions/load_balancing_policies/cluster_provided/v3/cluster_provided.pb.h"
#include "envoy/extensions/load_balancing_policies/least_request/v3/least_request.pb.h"
#include "envoy/extensions/load_balancing_policies/maglev/v3/maglev.pb.h"
#include "envoy/extensions/load_balancing_policies/random/v3/random.pb.h"
#include "envoy/extensions/load_balancing_policies/ring_hash/v3/ring_hash.pb.h"
#include "envoy/extensions/load_balancing_policies/round_robin/v3/round_robin.pb.h"
#include "envoy/extensions/load_balancing_policies/wrr_locality/v3/wrr_locality.pb.h"
#include "proxy/http/compile_duration.h"
#include "proxy/upstream/cluster_config_parts.h"

namespace weir::upstream {

namespace policies = envoy::extensions::load_balancing_policies;
using config::Code;
using config::FieldPath;
using envoy::config::cluster::v3::Cluster;
using envoy::config::cluster::v3::LoadBalancingPolicy;
using Kind = LoadBalancing::Kind;

namespace {

bool is_prime(uint64_t number) {
  if (number < 2) return false;
  for (uint64_t divisor = 2; divisor * divisor <= number; ++divisor) {
    if (number % divisor == 0) return false;
  }
  return true;
}

// Reads policies. The messages of lb_policy and those of the extensions share most of their fields,
// so one template serves both.
class BalancingReader {
 public:
  explicit BalancingReader(ClusterBuild& build) : build_(build), out_(build.out.balancing) {}

  void read_cluster() {
    const Cluster& c = build_.proto;
    read_common(c.common_lb_config());
    if (c.has_load_balancing_policy() || c.lb_policy() == Cluster::LOAD_BALANCING_POLICY_CONFIG)
      read_extensions();
    else
      read_lb_policy(c.lb_policy());
    check_cluster_provided();
  }

 private:
  void error(const FieldPath& path, std::string message, std::string hint = {}) {
    build_.diagnostics.error(Code::kSemantic, path, std::move(message), std::move(hint));
  }

  // ---- fields in common ----

  void read_common(const Cluster::CommonLbConfig& common) {
    const FieldPath path = build_.path.field("common_lb_config");
    if (common.has_healthy_panic_threshold()) {
      const double percent = common.healthy_panic_threshold().value();
      out_.panic_threshold_percent = static_cast<uint32_t>(std::lround(percent));
    }
    if (common.close_connections_on_host_set_change())
      refuse(build_.diagnostics, path.field("close_connections_on_host_set_change"),
             "close_connections_on_host_set_change");
    if (common.has_override_host_status())
      refuse(build_.diagnostics, path.field("override_host_status"), "override_host_status");
  }

  // Zone-aware routing needs a local cluster, which the bootstrap may name.
  template <class Message>
  void read_locality(const Message& message) {
    out_.locality_weighted = out_.locality_weighted || message.has_locality_weighted_lb_config();
    const auto& zones = message.zone_aware_lb_config();
    out_.fail_on_panic = zones.fail_traffic_on_panic();
    if (zones.has_routing_enabled()) out_.zone_percent = zones.routing_enabled().value();
    if (zones.has_min_cluster_size()) out_.zone_min_hosts = zones.min_cluster_size().value();
  }

  template <class Message>
  void read_consistent(const Message& message) {
    out_.use_hostname_for_hashing = message.use_hostname_for_hashing();
    out_.hash_balance_factor = message.hash_balance_factor().value();
  }

  template <class Message>
  void read_slow_start(const Message& message, const FieldPath& path) {
    http::compile_duration_ms(message.slow_start_window(), path.field("slow_start_window"),
                              build_.diagnostics, out_.slow_start_window_ms);
    if (message.has_aggression()) out_.slow_start_aggression = message.aggression().default_value();
    if (!(out_.slow_start_aggression > 0)) error(path.field("aggression"), "must be above 0");
    if (message.has_min_weight_percent())
      out_.slow_start_min_weight_percent = message.min_weight_percent().value();
  }

  template <class Message>
  void read_least_request(const Message& message, const FieldPath& path) {
    out_.kind = Kind::kLeastRequest;
    if (message.has_choice_count()) out_.choice_count = message.choice_count().value();
    if (message.has_active_request_bias())
      out_.active_request_bias = message.active_request_bias().default_value();
    if (!(out_.active_request_bias >= 0))
      error(path.field("active_request_bias"), "must not be below 0");
    if (message.has_slow_start_config())
      read_slow_start(message.slow_start_config(), path.field("slow_start_config"));
  }

  template <class Message>
  void read_ring(const Message& message, const FieldPath& path) {
    out_.kind = Kind::kRingHash;
    out_.ring_murmur = message.hash_function() == Message::MURMUR_HASH_2;
    if (message.has_minimum_ring_size()) out_.ring_min_size = message.minimum_ring_size().value();
    if (message.has_maximum_ring_size()) out_.ring_max_size = message.maximum_ring_size().value();
    if (out_.ring_min_size > out_.ring_max_size)
      error(path, "minimum_ring_size (" + std::to_string(out_.ring_min_size) +
                      ") is above maximum_ring_size (" + std::to_string(out_.ring_max_size) + ")");
  }

  template <class Message>
  void read_maglev(const Message& message, const FieldPath& path) {
    out_.kind = Kind::kMaglev;
    if (!message.has_table_size()) return;
    out_.table_size = static_cast<uint32_t>(message.table_size().value());
    if (!is_prime(message.table_size().value()))
      error(path.field("table_size"), "the table size of Maglev must be a prime number",
            "the default is 65537");
  }

  // ---- lb_policy ----

  void read_lb_policy(Cluster::LbPolicy policy) {
    const Cluster& c = build_.proto;
    read_locality(c.common_lb_config());
    read_consistent(c.common_lb_config().consistent_hashing_lb_config());
    switch (policy) {
      case Cluster::LEAST_REQUEST:
        return read_least_request(c.least_request_lb_config(),
                                  build_.path.field("least_request_lb_config"));
      case Cluster::RING_HASH:
        return read_ring(c.ring_hash_lb_config(), build_.path.field("ring_hash_lb_config"));
      case Cluster::MAGLEV:
        return read_maglev(c.maglev_lb_config(), build_.path.field("maglev_lb_config"));
      case Cluster::RANDOM:
        out_.kind = Kind::kRandom;
        return;
      case Cluster::CLUSTER_PROVIDED:
        out_.kind = Kind::kClusterProvided;
        return;
      default:
        out_.kind = Kind::kRoundRobin;
    }
    if (c.round_robin_lb_config().has_slow_start_config())
      read_slow_start(c.round_robin_lb_config().slow_start_config(),
                      build_.path.field("round_robin_lb_config.slow_start_config"));
  }

  // ---- load_balancing_policy ----

  void read_extensions() {
    const Cluster::CommonLbConfig& common = build_.proto.common_lb_config();
    const FieldPath path = build_.path.field("load_balancing_policy");
    if (common.has_zone_aware_lb_config() || common.has_locality_weighted_lb_config() ||
        common.has_consistent_hashing_lb_config())
      error(build_.path.field("common_lb_config"),
            "load_balancing_policy cannot be combined with zone_aware_lb_config, "
            "locality_weighted_lb_config or consistent_hashing_lb_config",
            "the policies have fields of their own for these");
    if (!build_.proto.has_load_balancing_policy())
      return error(build_.path.field("lb_policy"),
                   "LOAD_BALANCING_POLICY_CONFIG needs load_balancing_policy");
    read_first_known(build_.proto.load_balancing_policy(), path);
  }

  // The list is in order of preference: the first policy that Weir has is used.
  void read_first_known(const LoadBalancingPolicy& list, const FieldPath& path) {
    std::string names;
    for (int i = 0; i < list.policies_size(); ++i) {
      const FieldPath at = path.field("policies", i);
      const auto& extension = list.policies(i).typed_extension_config();
      if (read_extension(extension.typed_config(), at.field("typed_extension_config.typed_config")))
        return;
      names += (names.empty() ? "" : ", ") + extension.name();
    }
    std::string text = path.str();
    if (has_error_under(build_.diagnostics, text)) return;
    build_.diagnostics.error(Code::kNotSupported, std::move(text),
                             "Weir has none of these load balancing policies: " + names,
                             "it has round_robin, least_request, random, ring_hash, maglev, "
                             "wrr_locality and cluster_provided");
  }

  bool read_extension(const google::protobuf::Any& any, const FieldPath& path) {
    return read_simple(any, path) || read_hashing(any, path) || read_wrr_locality(any, path);
  }

  bool read_simple(const google::protobuf::Any& any, const FieldPath& path) {
    policies::round_robin::v3::RoundRobin round_robin;
    policies::least_request::v3::LeastRequest least_request;
    policies::random::v3::Random random;
    if (any.UnpackTo(&round_robin)) {
      out_.kind = Kind::kRoundRobin;
      read_locality(round_robin.locality_lb_config());
      if (round_robin.has_slow_start_config())
        read_slow_start(round_robin.slow_start_config(), path.field("slow_start_config"));
      return true;
    }
    if (any.UnpackTo(&least_request)) {
      read_least_request(least_request, path);
      read_locality(least_request.locality_lb_config());
      out_.full_scan =
          least_request.enable_full_scan().value() ||
          least_request.selection_method() == policies::least_request::v3::LeastRequest::FULL_SCAN;
      return true;
    }
    if (any.UnpackTo(&random)) {
      out_.kind = Kind::kRandom;
      read_locality(random.locality_lb_config());
      return true;
    }
    if (!any.Is<policies::cluster_provided::v3::ClusterProvided>()) return false;
    out_.kind = Kind::kClusterProvided;
    return true;
  }

  bool read_hashing(const google::protobuf::Any& any, const FieldPath& path) {
    policies::ring_hash::v3::RingHash ring;
    policies::maglev::v3::Maglev maglev;
    if (any.UnpackTo(&ring)) {
      read_ring(ring, path);
      out_.locality_weighted = out_.locality_weighted || ring.has_locality_weighted_lb_config();
      if (ring.has_consistent_hashing_lb_config())
        read_consistent(ring.consistent_hashing_lb_config());
      else
        read_consistent(ring);  // two older fields of the same names
      return true;
    }
    if (!any.UnpackTo(&maglev)) return false;
    read_maglev(maglev, path);
    out_.locality_weighted = out_.locality_weighted || maglev.has_locality_weighted_lb_config();
    read_consistent(maglev.consistent_hashing_lb_config());
    return true;
  }

  bool read_wrr_locality(const google::protobuf::Any& any, const FieldPath& path) {
    policies::wrr_locality::v3::WrrLocality wrr;
    if (!any.UnpackTo(&wrr)) return false;
    if (++nesting_ > kMaxNesting) {
      error(path, "load balancing policies are nested too deeply");
      return true;
    }
    out_.locality_weighted = true;
    read_first_known(wrr.endpoint_picking_policy(), path.field("endpoint_picking_policy"));
    return true;
  }

  // A type of cluster that brings its own way to choose goes with no other, and the other way
  // round.
  void check_cluster_provided() {
    const bool original_dst = build_.out.discovery == ClusterConfig::Discovery::kOriginalDst;
    if (original_dst == (out_.kind == Kind::kClusterProvided)) return;
    const FieldPath path = build_.path.field("lb_policy");
    if (original_dst)
      error(path, "a cluster of type ORIGINAL_DST chooses by itself",
            "set lb_policy to CLUSTER_PROVIDED");
    else
      error(path, "CLUSTER_PROVIDED needs a cluster of type ORIGINAL_DST");
  }

  static constexpr int kMaxNesting = 4;

  ClusterBuild& build_;
  LoadBalancing& out_;
  int nesting_ = 0;
};

}  // namespace

void compile_balancing(ClusterBuild& build) {
  BalancingReader(build).read_cluster();
}

}  // namespace weir::upstream
