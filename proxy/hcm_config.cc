#include "proxy/hcm_config.h"

namespace weir {

HcmStats::HcmStats(stats::Registry& r, const std::string& stat_prefix) {
  const std::string p = "http." + stat_prefix + ".";
  const auto counter = [&](const char* name) { return r.counter(p + name); };
  const auto gauge = [&](const char* name) { return r.gauge(p + name); };
  cx_total = counter("downstream_cx_total");
  cx_destroy = counter("downstream_cx_destroy");
  cx_protocol_error = counter("downstream_cx_protocol_error");
  cx_idle_timeout = counter("downstream_cx_idle_timeout");
  cx_overload = counter("downstream_cx_overload_disable_keepalive");
  rq_overload = counter("downstream_rq_overload_close");
  cx_upgrades_total = counter("downstream_cx_upgrades_total");
  cx_active = gauge("downstream_cx_active");
  rq_total = counter("downstream_rq_total");
  rq_completed = counter("downstream_rq_completed");
  rq_1xx = counter("downstream_rq_1xx");
  rq_2xx = counter("downstream_rq_2xx");
  rq_3xx = counter("downstream_rq_3xx");
  rq_4xx = counter("downstream_rq_4xx");
  rq_5xx = counter("downstream_rq_5xx");
  rq_rx_reset = counter("downstream_rq_rx_reset");
  rq_tx_reset = counter("downstream_rq_tx_reset");
  rq_timeout = counter("downstream_rq_timeout");
  rq_header_timeout = counter("downstream_rq_header_timeout");
  rq_idle_timeout = counter("downstream_rq_idle_timeout");
  rq_max_duration_reached = counter("downstream_rq_max_duration_reached");
  rq_overload_close = counter("downstream_rq_overload_close");
  rq_redirected_with_normalized_path = counter("downstream_rq_redirected_with_normalized_path");
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
}

stats::CounterId HcmStats::by_class(uint16_t status) const {
  switch (status / 100) {
    case 1:
      return rq_1xx;
    case 2:
      return rq_2xx;
    case 3:
      return rq_3xx;
    case 4:
      return rq_4xx;
    default:
      return rq_5xx;
  }
}

}  // namespace weir
