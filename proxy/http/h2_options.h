#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "proxy/stats/registry.h"

namespace weir::http {

// The codec's metrics under Envoy's names; ids of slots that nobody reads until `create`.
struct H2Stats {
  // `prefix` ends in a dot: "http2." or "cluster.NAME.http2.".
  static H2Stats create(stats::Registry& registry, std::string_view prefix);

  stats::CounterId rx_reset;
  stats::CounterId tx_reset;
  stats::CounterId rx_messaging_error;
  stats::CounterId header_overflow;
  stats::CounterId headers_cb_no_stream;
  stats::CounterId trailers;
  stats::CounterId inbound_empty_frames_flood;
  stats::CounterId inbound_priority_frames_flood;
  stats::CounterId inbound_window_update_frames_flood;
  stats::CounterId inbound_control_frames_flood;
  stats::CounterId premature_resets_flood;
  stats::CounterId too_many_header_frames;
  stats::CounterId outbound_flood;
  stats::CounterId outbound_control_flood;
  stats::CounterId tx_flush_timeout;
  stats::CounterId keepalive_timeout;
  stats::CounterId goaway_sent;
  stats::GaugeId streams_active;
  stats::GaugeId pending_send_bytes;  // of bodies that wait for windows or the socket
};

struct H2Setting {
  uint16_t id = 0;
  uint32_t value = 0;
};

// connection_keepalive of Http2ProtocolOptions; times in milliseconds.
struct H2KeepAlive {
  int64_t interval_ms = 0;  // 0: no PING on a schedule
  int64_t timeout_ms = 0;   // how long an answer may take
  uint32_t interval_jitter_percent = 15;
  int64_t connection_idle_interval_ms = 0;  // PING before a stream after so long a silence; 0: none
};

// What config says of HTTP/2 (core.v3.Http2ProtocolOptions and its surroundings), for either side.
// Immutable; outlives its connections; times in milliseconds, 0 = none.
struct H2Options {
  // SETTINGS_HEADER_TABLE_SIZE of ours, and the most that our encoder uses.
  uint32_t hpack_table_size = 4096;
  // Server: what clients may open. Client: the most that is opened, however much the peer allows.
  uint32_t max_concurrent_streams = 100;
  uint32_t initial_stream_window_bytes = 64 * 1024;
  uint32_t initial_connection_window_bytes = 1 << 20;
  bool allow_connect = false;  // extended CONNECT (RFC 8441) from clients
  std::vector<H2Setting> custom_settings;
  H2KeepAlive keep_alive;

  // A malformed message ends the whole connection, not only its stream.
  bool invalid_message_ends_connection = false;
  uint32_t max_header_count = 100;
  size_t max_header_bytes = 60 * 1024;  // names and values, decoded

  uint32_t max_outbound_frames = 10'000;
  uint32_t max_outbound_control_frames = 1'000;
  uint32_t max_consecutive_inbound_frames_with_empty_payload = 1;
  uint32_t max_inbound_priority_frames_per_stream = 100;
  uint32_t max_inbound_window_update_frames_per_data_frame_sent = 10;
  // More than half of so many streams given up young by the peer's doing: the connection ends.
  uint32_t premature_reset_total_stream_count = 500;
  int64_t premature_reset_min_stream_lifetime_ms = 1'000;

  // A stream whose peer does not take the rest of a message that is whole. Clusters have none.
  int64_t stream_flush_timeout_ms = 300'000;
  int64_t delayed_close_timeout_ms = 1'000;
  int64_t idle_timeout_ms = 3'600'000;
  int64_t max_connection_duration_ms = 0;
  uint64_t max_requests_per_connection = 0;  // 0: no limit
  // Server: from the first GOAWAY, which says that another follows, to that one.
  int64_t drain_timeout_ms = 5'000;
  int64_t request_headers_timeout_ms = 0;  // server: for the rest of a begun field section
  bool send_date = true;                   // server

  H2Stats stats;
};

}  // namespace weir::http
