#include "proxy/upstream/cluster.h"

namespace weir::upstream {

ClusterStats::ClusterStats(stats::Registry& r, const std::string& stat_name)
    : rq_by_class(r, "cluster." + stat_name + ".upstream_rq_") {
  const std::string p = "cluster." + stat_name + ".";
  const auto counter = [&](const char* name) { return r.counter(p + name); };
  const auto gauge = [&](const char* name) { return r.gauge(p + name); };
  cx_total = counter("upstream_cx_total");
  cx_http1_total = counter("upstream_cx_http1_total");
  cx_http2_total = counter("upstream_cx_http2_total");
  cx_connect_fail = counter("upstream_cx_connect_fail");
  cx_connect_timeout = counter("upstream_cx_connect_timeout");
  cx_destroy = counter("upstream_cx_destroy");
  cx_overflow = counter("upstream_cx_overflow");
  cx_max_requests = counter("upstream_cx_max_requests");
  cx_protocol_error = counter("upstream_cx_protocol_error");
  cx_idle_timeout = counter("upstream_cx_idle_timeout");
  cx_max_duration_reached = counter("upstream_cx_max_duration_reached");
  rx_bytes = counter("upstream_cx_rx_bytes_total");
  tx_bytes = counter("upstream_cx_tx_bytes_total");
  cx_none_healthy = counter("upstream_cx_none_healthy");
  cx_active = gauge("upstream_cx_active");
  rq_total = counter("upstream_rq_total");
  rq_completed = counter("upstream_rq_completed");
  rq_pending_total = counter("upstream_rq_pending_total");
  rq_pending_overflow = counter("upstream_rq_pending_overflow");
  rq_pending_failure_eject = counter("upstream_rq_pending_failure_eject");
  rq_timeout = counter("upstream_rq_timeout");
  rq_per_try_timeout = counter("upstream_rq_per_try_timeout");
  rq_per_try_idle_timeout = counter("upstream_rq_per_try_idle_timeout");
  rq_cancelled = counter("upstream_rq_cancelled");
  rq_rx_reset = counter("upstream_rq_rx_reset");
  rq_tx_reset = counter("upstream_rq_tx_reset");
  rq_retry = counter("upstream_rq_retry");
  rq_retry_success = counter("upstream_rq_retry_success");
  rq_retry_overflow = counter("upstream_rq_retry_overflow");
  rq_retry_limit_exceeded = counter("upstream_rq_retry_limit_exceeded");
  rq_retry_backoff_exponential = counter("upstream_rq_retry_backoff_exponential");
  rq_retry_backoff_ratelimited = counter("upstream_rq_retry_backoff_ratelimited");
  rq_drop_overload = counter("upstream_rq_drop_overload");
  rq_active = gauge("upstream_rq_active");
  rq_pending_active = gauge("upstream_rq_pending_active");
  rq_time = r.histogram(p + "upstream_rq_time");
  cx_length_ms = r.histogram(p + "upstream_cx_length_ms");
  cx_connect_ms = r.histogram(p + "upstream_cx_connect_ms");
}

}  // namespace weir::upstream
