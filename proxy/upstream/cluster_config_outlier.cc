// outlier_detection of a cluster.
#include <algorithm>
#include <utility>

#include "envoy/config/cluster/v3/outlier_detection.pb.h"
#include "proxy/http/compile_duration.h"
#include "proxy/upstream/cluster_config_parts.h"
#include "proxy/upstream/outlier_config.h"

namespace weir::upstream {
namespace {

using config::FieldPath;
using envoy::config::cluster::v3::OutlierDetection;

template <class Wrapper>
void read_number(bool given, const Wrapper& from, uint32_t& to) {
  if (given) to = from.value();
}

void read_limits(const OutlierDetection& from, OutlierConfig& out) {
  read_number(from.has_consecutive_5xx(), from.consecutive_5xx(), out.consecutive_5xx);
  read_number(from.has_consecutive_gateway_failure(), from.consecutive_gateway_failure(),
              out.consecutive_gateway_failure);
  read_number(from.has_consecutive_local_origin_failure(), from.consecutive_local_origin_failure(),
              out.consecutive_local_origin_failure);
  read_number(from.has_max_ejection_percent(), from.max_ejection_percent(),
              out.max_ejection_percent);
  read_number(from.has_success_rate_minimum_hosts(), from.success_rate_minimum_hosts(),
              out.success_rate_min_hosts);
  read_number(from.has_success_rate_request_volume(), from.success_rate_request_volume(),
              out.success_rate_volume);
  read_number(from.has_failure_percentage_threshold(), from.failure_percentage_threshold(),
              out.failure_percentage_threshold);
  read_number(from.has_failure_percentage_minimum_hosts(), from.failure_percentage_minimum_hosts(),
              out.failure_percentage_min_hosts);
  read_number(from.has_failure_percentage_request_volume(),
              from.failure_percentage_request_volume(), out.failure_percentage_volume);
  // In thousandths.
  if (from.has_success_rate_stdev_factor())
    out.success_rate_stdev_factor = from.success_rate_stdev_factor().value() / 1000.0;
}

void read_enforcing(const OutlierDetection& from, OutlierConfig& out) {
  const auto read = [&](Ejection kind, bool given, const google::protobuf::UInt32Value& value) {
    read_number(given, value, out.enforcing[static_cast<size_t>(kind)]);
  };
  read(Ejection::kConsecutive5xx, from.has_enforcing_consecutive_5xx(),
       from.enforcing_consecutive_5xx());
  read(Ejection::kConsecutiveGatewayFailure, from.has_enforcing_consecutive_gateway_failure(),
       from.enforcing_consecutive_gateway_failure());
  read(Ejection::kConsecutiveLocalOriginFailure,
       from.has_enforcing_consecutive_local_origin_failure(),
       from.enforcing_consecutive_local_origin_failure());
  read(Ejection::kSuccessRate, from.has_enforcing_success_rate(), from.enforcing_success_rate());
  read(Ejection::kLocalOriginSuccessRate, from.has_enforcing_local_origin_success_rate(),
       from.enforcing_local_origin_success_rate());
  read(Ejection::kFailurePercentage, from.has_enforcing_failure_percentage(),
       from.enforcing_failure_percentage());
  read(Ejection::kLocalOriginFailurePercentage,
       from.has_enforcing_failure_percentage_local_origin(),
       from.enforcing_failure_percentage_local_origin());
}

void read_times(ClusterBuild& build, const OutlierDetection& from, const FieldPath& path,
                OutlierConfig& out) {
  if (from.has_interval()) out.interval_ms = std::max<int64_t>(1, to_ms(from.interval()));
  if (from.has_base_ejection_time())
    out.base_ejection_ms = std::max<int64_t>(1, to_ms(from.base_ejection_time()));
  out.max_ejection_ms = std::max(out.max_ejection_ms, out.base_ejection_ms);
  http::compile_duration_ms(from.max_ejection_time_jitter(), path.field("max_ejection_time_jitter"),
                            build.diagnostics, out.max_ejection_jitter_ms);
  if (!from.has_max_ejection_time()) return;
  out.max_ejection_ms = to_ms(from.max_ejection_time());
  if (out.max_ejection_ms < out.base_ejection_ms)
    build.diagnostics.error(config::Code::kSemantic, path.field("max_ejection_time"),
                            "max_ejection_time is less than base_ejection_time",
                            "make it at least as long");
}

}  // namespace

void compile_outlier(ClusterBuild& build) {
  if (!build.proto.has_outlier_detection()) return;
  const OutlierDetection& from = build.proto.outlier_detection();
  const FieldPath path = build.path.field("outlier_detection");
  if (build.out.discovery == ClusterConfig::Discovery::kOriginalDst)
    build.diagnostics.error(config::Code::kNotSupported, path,
                            "outlier detection of an ORIGINAL_DST cluster is not supported yet",
                            "leave outlier_detection out");
  if (from.monitors_size() > 0) refuse(build.diagnostics, path.field("monitors"), "monitors");
  auto out = std::make_shared<OutlierConfig>();
  out->split_local_origin = from.split_external_local_origin_errors();
  out->always_eject_one = from.always_eject_one_host().value();
  if (from.has_successful_active_health_check_uneject_host())
    out->uneject_on_check = from.successful_active_health_check_uneject_host().value();
  read_limits(from, *out);
  read_enforcing(from, *out);
  read_times(build, from, path, *out);
  build.out.outlier = std::move(out);
}

}  // namespace weir::upstream
