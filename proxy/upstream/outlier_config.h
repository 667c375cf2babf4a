#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace weir::upstream {

// Why a host is ejected.
enum class Ejection : uint8_t {
  kConsecutive5xx,
  kConsecutiveGatewayFailure,
  kConsecutiveLocalOriginFailure,
  kSuccessRate,
  kLocalOriginSuccessRate,
  kFailurePercentage,
  kLocalOriginFailurePercentage,
  kCount,
};
inline constexpr size_t kEjectionKinds = static_cast<size_t>(Ejection::kCount);

// cluster.v3.OutlierDetection, compiled. Times in milliseconds. Immutable.
struct OutlierConfig {
  int64_t interval_ms = 10'000;
  int64_t base_ejection_ms = 30'000;
  int64_t max_ejection_ms = 300'000;
  int64_t max_ejection_jitter_ms = 0;
  uint32_t max_ejection_percent = 10;
  bool always_eject_one = false;
  bool split_local_origin = false;  // split_external_local_origin_errors
  bool uneject_on_check = true;     // successful_active_health_check_uneject_host

  // How many in a row; 0: never.
  uint32_t consecutive_5xx = 5;
  uint32_t consecutive_gateway_failure = 5;
  uint32_t consecutive_local_origin_failure = 5;
  // Percent of the detected ones that are ejected, in the order of Ejection.
  std::array<uint32_t, kEjectionKinds> enforcing = {100, 0, 100, 100, 100, 0, 0};

  uint32_t success_rate_min_hosts = 5;
  uint32_t success_rate_volume = 100;
  double success_rate_stdev_factor = 1.9;
  uint32_t failure_percentage_threshold = 85;
  uint32_t failure_percentage_min_hosts = 5;
  uint32_t failure_percentage_volume = 50;

  uint32_t enforced(Ejection kind) const { return enforcing[static_cast<size_t>(kind)]; }
};

}  // namespace weir::upstream
