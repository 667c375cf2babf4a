#include "proxy/http/h2_compile.h"

#include <algorithm>

#include "envoy/config/core/v3/protocol.pb.h"
#include "proxy/base/duration.h"

namespace weir::http {
namespace {

namespace core = envoy::config::core::v3;
using config::Code;
using config::FieldPath;

void read_keep_alive(const core::KeepaliveSettings& in, H2KeepAlive& out) {
  out.interval_ms = to_ms(in.interval());
  out.timeout_ms = to_ms(in.timeout());
  out.connection_idle_interval_ms = to_ms(in.connection_idle_interval());
  if (in.has_interval_jitter())
    out.interval_jitter_percent = static_cast<uint32_t>(in.interval_jitter().value());
}

void read_floods(const core::Http2ProtocolOptions& in, H2Options& out) {
  if (in.has_max_outbound_frames()) out.max_outbound_frames = in.max_outbound_frames().value();
  if (in.has_max_outbound_control_frames())
    out.max_outbound_control_frames = in.max_outbound_control_frames().value();
  if (in.has_max_consecutive_inbound_frames_with_empty_payload())
    out.max_consecutive_inbound_frames_with_empty_payload =
        in.max_consecutive_inbound_frames_with_empty_payload().value();
  if (in.has_max_inbound_priority_frames_per_stream())
    out.max_inbound_priority_frames_per_stream =
        in.max_inbound_priority_frames_per_stream().value();
  if (in.has_max_inbound_window_update_frames_per_data_frame_sent())
    out.max_inbound_window_update_frames_per_data_frame_sent =
        in.max_inbound_window_update_frames_per_data_frame_sent().value();
}

// Settings that have a field of their own, and server push, are not custom.
bool is_custom(uint32_t id) {
  constexpr uint32_t kEnableConnect = 8;
  return id > 6 && id != kEnableConnect;
}

void read_settings(const core::Http2ProtocolOptions& in, const FieldPath& path,
                   config::Diagnostics& diagnostics, H2Options& out) {
  const FieldPath settings = path.field("custom_settings_parameters");
  for (int i = 0; i < in.custom_settings_parameters_size(); ++i) {
    const FieldPath at = settings.at(i);
    const auto& setting = in.custom_settings_parameters(i);
    const uint32_t id = setting.identifier().value();
    const bool twice = std::any_of(out.custom_settings.begin(), out.custom_settings.end(),
                                   [&](const H2Setting& other) { return other.id == id; });
    if (!is_custom(id) || twice) {
      diagnostics.error(
          Code::kInvalidValue, at.field("identifier"),
          twice ? "this setting is there twice"
                : "this setting has a field of its own, or cannot be chosen",
          "hpack_table_size, max_concurrent_streams, initial_stream_window_size, allow_connect");
      continue;
    }
    out.custom_settings.push_back({static_cast<uint16_t>(id), setting.value().value()});
  }
}

}  // namespace

void compile_http2(const core::Http2ProtocolOptions& in, const FieldPath& path,
                   config::Diagnostics& diagnostics, H2Options& out) {
  if (in.has_hpack_table_size()) out.hpack_table_size = in.hpack_table_size().value();
  if (in.has_max_concurrent_streams())
    out.max_concurrent_streams = in.max_concurrent_streams().value();
  if (in.has_initial_stream_window_size())
    out.initial_stream_window_bytes = in.initial_stream_window_size().value();
  if (in.has_initial_connection_window_size())
    out.initial_connection_window_bytes = in.initial_connection_window_size().value();
  out.allow_connect = in.allow_connect();
  if (in.allow_metadata())
    diagnostics.error(Code::kNotSupported, path.field("allow_metadata"),
                      "Weir does not pass METADATA frames on");
  // An HTTP/2 connection survives a malformed message only when asked to, as in Envoy.
  out.invalid_message_ends_connection =
      in.has_override_stream_error_on_invalid_http_message()
          ? !in.override_stream_error_on_invalid_http_message().value()
          : !in.stream_error_on_invalid_http_messaging();
  if (in.has_connection_keepalive()) read_keep_alive(in.connection_keepalive(), out.keep_alive);
  read_floods(in, out);
  read_settings(in, path, diagnostics, out);
}

}  // namespace weir::http
