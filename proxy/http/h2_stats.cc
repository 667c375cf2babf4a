#include <string>

#include "proxy/http/h2_options.h"

namespace weir::http {

H2Stats H2Stats::create(stats::Registry& registry, std::string_view prefix) {
  const auto counter = [&](std::string_view name) {
    return registry.counter(std::string(prefix).append(name));
  };
  H2Stats stats;
  stats.rx_reset = counter("rx_reset");
  stats.tx_reset = counter("tx_reset");
  stats.rx_messaging_error = counter("rx_messaging_error");
  stats.header_overflow = counter("header_overflow");
  stats.headers_cb_no_stream = counter("headers_cb_no_stream");
  stats.trailers = counter("trailers");
  stats.inbound_empty_frames_flood = counter("inbound_empty_frames_flood");
  stats.inbound_priority_frames_flood = counter("inbound_priority_frames_flood");
  stats.inbound_window_update_frames_flood = counter("inbound_window_update_frames_flood");
  stats.inbound_control_frames_flood = counter("inbound_control_frames_flood");
  stats.premature_resets_flood = counter("premature_resets_flood");
  stats.too_many_header_frames = counter("too_many_header_frames");
  stats.outbound_flood = counter("outbound_flood");
  stats.outbound_control_flood = counter("outbound_control_flood");
  stats.tx_flush_timeout = counter("tx_flush_timeout");
  stats.keepalive_timeout = counter("keepalive_timeout");
  stats.goaway_sent = counter("goaway_sent");
  stats.streams_active = registry.gauge(std::string(prefix).append("streams_active"));
  stats.pending_send_bytes = registry.gauge(std::string(prefix).append("pending_send_bytes"));
  return stats;
}

}  // namespace weir::http
