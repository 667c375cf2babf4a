#include "proxy/hcm_config.h"

namespace weir {

HcmStats::HcmStats(stats::Registry& r, const std::string& stat_prefix,
                   const std::string& listener_prefix)
    : rq_by_class(r, "http." + stat_prefix + ".downstream_rq_"),
      listener_rq_by_class(r, listener_prefix + "http." + stat_prefix + ".downstream_rq_") {
  const std::string p = "http." + stat_prefix + ".";
  const auto counter = [&](const char* name) { return r.counter(p + name); };
  const auto gauge = [&](const char* name) { return r.gauge(p + name); };
  cx_total = counter("downstream_cx_total");
  cx_destroy = counter("downstream_cx_destroy");
  cx_destroy_local = counter("downstream_cx_destroy_local");
  cx_destroy_remote = counter("downstream_cx_destroy_remote");
  cx_protocol_error = counter("downstream_cx_protocol_error");
  cx_idle_timeout = counter("downstream_cx_idle_timeout");
  cx_max_duration_reached = counter("downstream_cx_max_duration_reached");
  cx_max_requests_reached = counter("downstream_cx_max_requests_reached");
  cx_drain_close = counter("downstream_cx_drain_close");
  cx_length_ms = r.histogram(p + "downstream_cx_length_ms");
  rx_bytes = counter("downstream_cx_rx_bytes_total");
  tx_bytes = counter("downstream_cx_tx_bytes_total");
  cx_overload = counter("downstream_cx_overload_disable_keepalive");
  cx_upgrades = {counter("downstream_cx_upgrades_total"), gauge("downstream_cx_upgrades_active")};
  cx_active = gauge("downstream_cx_active");
  rq_total = counter("downstream_rq_total");
  rq_completed = counter("downstream_rq_completed");
  rq_rx_reset = counter("downstream_rq_rx_reset");
  rq_tx_reset = counter("downstream_rq_tx_reset");
  rq_timeout = counter("downstream_rq_timeout");
  rq_header_timeout = counter("downstream_rq_header_timeout");
  rq_idle_timeout = counter("downstream_rq_idle_timeout");
  rq_max_duration_reached = counter("downstream_rq_max_duration_reached");
  rq_overload_close = counter("downstream_rq_overload_close");
  rq_redirected_with_normalized_path = counter("downstream_rq_redirected_with_normalized_path");
  rq_too_large = counter("downstream_rq_too_large");
  rq_response_before_rq_complete = counter("downstream_rq_response_before_rq_complete");
  rq_ws_on_non_ws_route = counter("downstream_rq_ws_on_non_ws_route");
  rq_http1 = counter("downstream_rq_http1_total");
  rq_http2 = counter("downstream_rq_http2_total");
  cx_ssl = {counter("downstream_cx_ssl_total"), gauge("downstream_cx_ssl_active")};
  cx_http1 = {counter("downstream_cx_http1_total"), gauge("downstream_cx_http1_active")};
  cx_http2 = {counter("downstream_cx_http2_total"), gauge("downstream_cx_http2_active")};
  no_route = counter("no_route");
  no_cluster = counter("no_cluster");
  rq_direct_response = counter("rq_direct_response");
  rq_redirect = counter("rq_redirect");
  rq_active = gauge("downstream_rq_active");
  rq_time = r.histogram(p + "downstream_rq_time");
  listener_rq_completed =
      r.counter(listener_prefix + "http." + stat_prefix + ".downstream_rq_completed");
}

}  // namespace weir
