#pragma once

#include <cstdint>

namespace weir::upstream {

// How a cluster chooses, from `lb_policy` and its friends or from `load_balancing_policy`.
struct LoadBalancing {
  enum class Kind : uint8_t {
    kRoundRobin,
    kLeastRequest,
    kRandom,
    kRingHash,
    kMaglev,
    kClusterProvided,  // ORIGINAL_DST: nothing to choose
  };
  Kind kind = Kind::kRoundRobin;

  uint32_t choice_count = 2;         // least request
  double active_request_bias = 1.0;  // least request, weighted
  bool full_scan = false;            // least request
  uint64_t ring_min_size = 1024;
  uint64_t ring_max_size = 8u << 20;
  bool ring_murmur = false;     // else xxHash
  uint32_t table_size = 65537;  // Maglev; prime
  bool use_hostname_for_hashing = false;
  uint32_t hash_balance_factor = 0;  // bounded loads, percent; 0: off

  bool locality_weighted = false;
  uint64_t zone_min_hosts = 6;  // zone_aware_lb_config's min_cluster_size
  double zone_percent = 100;    // its routing_enabled
  uint32_t panic_threshold_percent = 50;
  bool fail_on_panic = false;

  int64_t slow_start_window_ms = 0;  // 0: off
  double slow_start_aggression = 1.0;
  double slow_start_min_weight_percent = 10;
};

}  // namespace weir::upstream
