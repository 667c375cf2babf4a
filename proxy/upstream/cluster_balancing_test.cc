#include <gtest/gtest.h>

#include <string>

#include "envoy/extensions/load_balancing_policies/least_request/v3/least_request.pb.h"
#include "envoy/extensions/load_balancing_policies/maglev/v3/maglev.pb.h"
#include "envoy/extensions/load_balancing_policies/pick_first/v3/pick_first.pb.h"
#include "envoy/extensions/load_balancing_policies/random/v3/random.pb.h"
#include "envoy/extensions/load_balancing_policies/ring_hash/v3/ring_hash.pb.h"
#include "envoy/extensions/load_balancing_policies/round_robin/v3/round_robin.pb.h"
#include "envoy/extensions/load_balancing_policies/wrr_locality/v3/wrr_locality.pb.h"
#include "proxy/upstream/load_balancing.h"
#include "proxy/upstream/testing/compiled_cluster.h"

namespace weir::upstream {
namespace {

using Kind = LoadBalancing::Kind;

TEST(ClusterBalancing, LbPolicies) {
  EXPECT_EQ(Compiled("lb_policy: RANDOM")->balancing.kind, Kind::kRandom);
  const Compiled least(
      "lb_policy: LEAST_REQUEST least_request_lb_config { choice_count { value: 5 } "
      "active_request_bias { default_value: 0.5 runtime_key: 'x' } slow_start_config { "
      "slow_start_window { seconds: 60 } aggression { default_value: 2 runtime_key: 'y' } "
      "min_weight_percent { value: 25 } } }");
  EXPECT_EQ(least->balancing.kind, Kind::kLeastRequest);
  EXPECT_EQ(least->balancing.choice_count, 5u);
  EXPECT_EQ(least->balancing.active_request_bias, 0.5);
  EXPECT_EQ(least->balancing.slow_start_window_ms, 60'000);
  EXPECT_EQ(least->balancing.slow_start_aggression, 2);
  EXPECT_EQ(least->balancing.slow_start_min_weight_percent, 25);
  const Compiled ring(
      "lb_policy: RING_HASH ring_hash_lb_config { minimum_ring_size { value: 10 } "
      "maximum_ring_size { value: 20 } hash_function: MURMUR_HASH_2 }");
  EXPECT_EQ(ring->balancing.kind, Kind::kRingHash);
  EXPECT_EQ(ring->balancing.ring_min_size, 10u);
  EXPECT_EQ(ring->balancing.ring_max_size, 20u);
  EXPECT_TRUE(ring->balancing.ring_murmur);
  const Compiled maglev("lb_policy: MAGLEV maglev_lb_config { table_size { value: 101 } }");
  EXPECT_EQ(maglev->balancing.kind, Kind::kMaglev);
  EXPECT_EQ(maglev->balancing.table_size, 101u);
  EXPECT_EQ(Compiled("round_robin_lb_config { slow_start_config { slow_start_window { seconds: 1 } "
                     "} }")
                ->balancing.slow_start_window_ms,
            1000);
}

TEST(ClusterBalancing, CommonLbConfig) {
  const Compiled c(
      "lb_policy: RING_HASH common_lb_config { healthy_panic_threshold { value: 12.6 } "
      "locality_weighted_lb_config { } consistent_hashing_lb_config { use_hostname_for_hashing: "
      "true hash_balance_factor { value: 150 } } }");
  EXPECT_EQ(c->balancing.panic_threshold_percent, 13u);
  EXPECT_TRUE(c->balancing.locality_weighted);
  EXPECT_TRUE(c->balancing.use_hostname_for_hashing);
  EXPECT_EQ(c->balancing.hash_balance_factor, 150u);
  EXPECT_TRUE(Compiled("common_lb_config { zone_aware_lb_config { fail_traffic_on_panic: true } }")
                  ->balancing.fail_on_panic);
  const Compiled zones(
      "common_lb_config { zone_aware_lb_config { routing_enabled { value: 40 } min_cluster_size { "
      "value: 9 } } }");
  EXPECT_EQ(zones->balancing.zone_percent, 40);
  EXPECT_EQ(zones->balancing.zone_min_hosts, 9u);
}

TEST(ClusterBalancing, Extensions) {
  const auto kind = [](const std::string& extension) {
    return Compiled("load_balancing_policy { " + policy(extension) + "}")->balancing;
  };
  EXPECT_EQ(kind(any("load_balancing_policies.random.v3.Random")).kind, Kind::kRandom);
  EXPECT_EQ(kind(any("load_balancing_policies.round_robin.v3.RoundRobin",
                     "slow_start_config { slow_start_window { seconds: 2 } }"))
                .slow_start_window_ms,
            2000);
  EXPECT_TRUE(kind(any("load_balancing_policies.least_request.v3.LeastRequest",
                       "selection_method: FULL_SCAN"))
                  .full_scan);
  EXPECT_TRUE(kind(any("load_balancing_policies.least_request.v3.LeastRequest",
                       "locality_lb_config { locality_weighted_lb_config { } }"))
                  .locality_weighted);
  const LoadBalancing ring = kind(any("load_balancing_policies.ring_hash.v3.RingHash",
                                      "hash_function: MURMUR_HASH_2 use_hostname_for_hashing: true "
                                      "locality_weighted_lb_config { }"));
  EXPECT_EQ(ring.kind, Kind::kRingHash);
  EXPECT_TRUE(ring.ring_murmur);
  EXPECT_TRUE(ring.use_hostname_for_hashing);
  EXPECT_TRUE(ring.locality_weighted);
  const LoadBalancing maglev = kind(
      any("load_balancing_policies.maglev.v3.Maglev",
          "table_size { value: 7 } consistent_hashing_lb_config { hash_balance_factor { value: "
          "200 } }"));
  EXPECT_EQ(maglev.kind, Kind::kMaglev);
  EXPECT_EQ(maglev.table_size, 7u);
  EXPECT_EQ(maglev.hash_balance_factor, 200u);
}

TEST(ClusterBalancing, WrrLocalityPicksWithinLocalities) {
  const LoadBalancing wrr =
      Compiled("load_balancing_policy { " +
               policy(any("load_balancing_policies.wrr_locality.v3.WrrLocality",
                          "endpoint_picking_policy { " +
                              policy(any("load_balancing_policies.least_request.v3.LeastRequest")) +
                              "}")) +
               "}")
          ->balancing;
  EXPECT_EQ(wrr.kind, Kind::kLeastRequest);
  EXPECT_TRUE(wrr.locality_weighted);
}

TEST(ClusterBalancing, TheFirstKnownExtensionWins) {
  const std::string unknown =
      policy(any("load_balancing_policies.pick_first.v3.PickFirst"), "first");
  const Compiled c("load_balancing_policy { " + unknown +
                   policy(any("load_balancing_policies.random.v3.Random")) +
                   policy(any("load_balancing_policies.maglev.v3.Maglev")) + "}");
  EXPECT_EQ(c->balancing.kind, Kind::kRandom);
  expect_problem("load_balancing_policy { " + unknown + "}", "not-supported",
                 "load_balancing_policy", "first");
}

TEST(ClusterBalancing, Problems) {
  expect_problem("lb_policy: LOAD_BALANCING_POLICY_CONFIG", "semantic", "lb_policy",
                 "load_balancing_policy");
  expect_problem("lb_policy: MAGLEV maglev_lb_config { table_size { value: 100 } }", "semantic",
                 "maglev_lb_config.table_size", "prime");
  expect_problem(
      "lb_policy: RING_HASH ring_hash_lb_config { minimum_ring_size { value: 20 } "
      "maximum_ring_size { value: 10 } }",
      "semantic", "ring_hash_lb_config", "minimum_ring_size (20)");
  expect_problem("lb_policy: RING_HASH ring_hash_lb_config { maximum_ring_size { value: 100 } }",
                 "semantic", "ring_hash_lb_config", "minimum_ring_size (1024)");
  expect_problem("common_lb_config { locality_weighted_lb_config { } } load_balancing_policy { " +
                     policy(any("load_balancing_policies.random.v3.Random")) + "}",
                 "semantic", "common_lb_config", "cannot be combined");
  expect_problem(
      "round_robin_lb_config { slow_start_config { aggression { default_value: 0 "
      "runtime_key: 'x' } } }",
      "semantic", "round_robin_lb_config.slow_start_config.aggression", "above 0");
  expect_problem(
      "lb_policy: LEAST_REQUEST least_request_lb_config { active_request_bias { "
      "default_value: -1 runtime_key: 'x' } }",
      "semantic", "least_request_lb_config.active_request_bias", "below 0");
  expect_problem(
      "round_robin_lb_config { slow_start_config { slow_start_window { seconds: -5 } } }",
      "out-of-range", "round_robin_lb_config.slow_start_config.slow_start_window", "negative");
  expect_problem(
      "lb_policy: LEAST_REQUEST least_request_lb_config { slow_start_config { slow_start_window { "
      "nanos: -1 } } }",
      "out-of-range", "least_request_lb_config.slow_start_config.slow_start_window", "negative");
  expect_problem("common_lb_config { close_connections_on_host_set_change: true }", "not-supported",
                 "common_lb_config.close_connections_on_host_set_change");
}

}  // namespace
}  // namespace weir::upstream
