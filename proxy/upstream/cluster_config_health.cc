// health_checks of a cluster, health_check_config of an endpoint.
#include <algorithm>
#include <utility>

#include "envoy/config/core/v3/base.pb.h"
#include "envoy/config/core/v3/health_check.pb.h"
#include "envoy/config/endpoint/v3/endpoint_components.pb.h"
#include "envoy/type/v3/range.pb.h"
#include "proxy/http/compile_duration.h"
#include "proxy/upstream/cluster_config_parts.h"
#include "proxy/upstream/health_check_config.h"

namespace weir::upstream {

namespace core = envoy::config::core::v3;
using config::Code;
using config::FieldPath;
using Kind = HealthCheckConfig::Kind;
using Payloads = google::protobuf::RepeatedPtrField<core::HealthCheck::Payload>;
using StatusRanges = google::protobuf::RepeatedPtrField<envoy::type::v3::Int64Range>;

namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

// Nothing when it is not pairs of hexadecimal digits.
std::optional<std::string> from_hex(std::string_view text) {
  std::string out;
  if (text.size() % 2 != 0) return std::nullopt;
  for (size_t i = 0; i < text.size(); i += 2) {
    const int high = hex_digit(text[i]);
    const int low = hex_digit(text[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    out.push_back(static_cast<char>(high * 16 + low));
  }
  return out;
}

// Reads one HealthCheck.
class CheckReader {
 public:
  CheckReader(ClusterBuild& build, const core::HealthCheck& from, FieldPath path)
      : build_(build), from_(from), path_(std::move(path)) {}

  std::shared_ptr<const HealthCheckConfig> read() {
    refuse_unread();
    read_times();
    read_what_all_have();
    if (from_.has_http_health_check()) {
      read_http(from_.http_health_check(), path_.field("http_health_check"));
    } else if (from_.has_tcp_health_check()) {
      read_tcp(from_.tcp_health_check(), path_.field("tcp_health_check"));
    } else if (from_.has_grpc_health_check()) {
      read_grpc(from_.grpc_health_check(), path_.field("grpc_health_check"));
    } else if (!from_.has_custom_health_check()) {
      error(path_, "the health check does not say how to check",
            "add http_health_check, tcp_health_check or grpc_health_check");
    }
    return std::make_shared<const HealthCheckConfig>(std::move(out_));
  }

 private:
  void error(const FieldPath& at, std::string message, std::string hint = {}) {
    build_.diagnostics.error(Code::kSemantic, at, std::move(message), std::move(hint));
  }

  void refuse_unread() {
    const std::pair<bool, std::string_view> unread[] = {
        {from_.has_custom_health_check(), "custom_health_check"},
        {from_.has_alt_port(), "alt_port"},
        {!from_.event_log_path().empty(), "event_log_path"},
        {from_.event_logger_size() > 0, "event_logger"},
        {from_.has_event_service(), "event_service"},
    };
    for (const auto& [present, name] : unread)
      if (present) refuse(build_.diagnostics, path_.field(name), name);
  }

  // The API's own rules say nothing of these.
  void read_jitter(const google::protobuf::Duration& from, std::string_view field, int64_t& to) {
    http::compile_duration_ms(from, path_.field(field), build_.diagnostics, to);
  }

  void read_times() {
    const auto time = [](bool given, const google::protobuf::Duration& duration,
                         int64_t otherwise_ms) {
      return given ? std::max<int64_t>(1, to_ms(duration)) : otherwise_ms;
    };
    out_.timeout_ms = std::max<int64_t>(1, to_ms(from_.timeout()));
    out_.interval_ms = std::max<int64_t>(1, to_ms(from_.interval()));
    read_jitter(from_.initial_jitter(), "initial_jitter", out_.initial_jitter_ms);
    read_jitter(from_.interval_jitter(), "interval_jitter", out_.interval_jitter_ms);
    out_.interval_jitter_percent = from_.interval_jitter_percent();
    out_.no_traffic_interval_ms =
        time(from_.has_no_traffic_interval(), from_.no_traffic_interval(), 60'000);
    out_.no_traffic_healthy_interval_ms =
        time(from_.has_no_traffic_healthy_interval(), from_.no_traffic_healthy_interval(),
             out_.no_traffic_interval_ms);
    out_.unhealthy_interval_ms =
        time(from_.has_unhealthy_interval(), from_.unhealthy_interval(), out_.interval_ms);
    out_.unhealthy_edge_interval_ms =
        time(from_.has_unhealthy_edge_interval(), from_.unhealthy_edge_interval(),
             out_.unhealthy_interval_ms);
    out_.healthy_edge_interval_ms =
        time(from_.has_healthy_edge_interval(), from_.healthy_edge_interval(), out_.interval_ms);
  }

  void read_what_all_have() {
    out_.unhealthy_threshold = from_.unhealthy_threshold().value();
    out_.healthy_threshold = from_.healthy_threshold().value();
    if (from_.has_reuse_connection()) out_.reuse_connection = from_.reuse_connection().value();
    for (const std::string& name : from_.tls_options().alpn_protocols()) out_.alpn.push_back(name);
    if (!from_.has_transport_socket_match_criteria()) return;
    core::Metadata labels;
    (*labels.mutable_filter_metadata())["envoy.transport_socket_match"] =
        from_.transport_socket_match_criteria();
    out_.transport = transport_of(build_.out, labels);
  }

  std::string read_payload(const core::HealthCheck::Payload& from, const FieldPath& at) {
    if (from.has_binary()) return from.binary();
    std::optional<std::string> bytes = from_hex(from.text());
    if (!bytes)
      error(at.field("text"), "the text is not hexadecimal digits, two for each byte",
            "bytes as they are go into `binary`");
    return bytes.value_or(std::string());
  }

  Payload read_payloads(const Payloads& from, const FieldPath& parent) {
    Payload out;
    for (int i = 0; i < from.size(); ++i)
      out.push_back(read_payload(from[i], parent.field("receive", i)));
    return out;
  }

  std::vector<HealthCheckConfig::Range> read_ranges(const StatusRanges& from,
                                                    const FieldPath& parent,
                                                    std::string_view name) {
    std::vector<HealthCheckConfig::Range> out;
    for (int i = 0; i < from.size(); ++i) {
      const int64_t start = from[i].start();
      const int64_t end = from[i].end();
      if (start < 100 || end > 600 || start >= end)
        error(parent.field(name, i),
              "[" + std::to_string(start) + ", " + std::to_string(end) +
                  ") is no range of HTTP statuses",
              "100 <= start < end <= 600; the end is not part of the range");
      out.emplace_back(start, end);
    }
    return out;
  }

  void read_http(const core::HealthCheck::HttpHealthCheck& from, const FieldPath& at) {
    out_.kind = Kind::kHttp;
    out_.host = from.host();
    out_.path = from.path();
    if (from.method() != core::METHOD_UNSPECIFIED) out_.method = RequestMethod_Name(from.method());
    read_version(from.codec_client_type(), at.field("codec_client_type"));
    if (from.has_send()) out_.send = read_payload(from.send(), at.field("send"));
    out_.receive = read_payloads(from.receive(), at);
    if (from.has_response_buffer_size())
      out_.response_buffer_bytes = from.response_buffer_size().value();
    if (from.expected_statuses_size() > 0)
      out_.expected_statuses = read_ranges(from.expected_statuses(), at, "expected_statuses");
    out_.retriable_statuses = read_ranges(from.retriable_statuses(), at, "retriable_statuses");
    out_.headers = http::compile_header_changes(
        from.request_headers_to_add(), "request_headers_to_add", from.request_headers_to_remove(),
        "request_headers_to_remove", at, build_.diagnostics);
    if (from.has_service_name_matcher())
      out_.service_name = http::StringMatch::compile(
          from.service_name_matcher(), at.field("service_name_matcher"), build_.diagnostics);
  }

  void read_version(envoy::type::v3::CodecClientType type, const FieldPath& at) {
    out_.http2 = type == envoy::type::v3::HTTP2;
    if (type == envoy::type::v3::HTTP3) refuse(build_.diagnostics, at, "HTTP3");
  }

  void read_tcp(const core::HealthCheck::TcpHealthCheck& from, const FieldPath& at) {
    out_.kind = Kind::kTcp;
    if (from.has_proxy_protocol_config())
      refuse(build_.diagnostics, at.field("proxy_protocol_config"), "proxy_protocol_config");
    if (from.has_send()) out_.send = read_payload(from.send(), at.field("send"));
    out_.receive = read_payloads(from.receive(), at);
  }

  void read_grpc(const core::HealthCheck::GrpcHealthCheck& from, const FieldPath& at) {
    out_.kind = Kind::kGrpc;
    out_.http2 = true;
    out_.service = from.service_name();
    out_.host = from.authority();
    out_.headers = http::compile_header_changes(from.initial_metadata(), "initial_metadata", {}, "",
                                                at, build_.diagnostics);
    if (build_.out.versions == ClusterConfig::Versions::kHttp1)
      error(at, "gRPC needs a cluster that speaks HTTP/2",
            "add http2_protocol_options to the cluster's HttpProtocolOptions");
  }

  ClusterBuild& build_;
  const core::HealthCheck& from_;
  const FieldPath path_;
  HealthCheckConfig out_;
};

}  // namespace

std::shared_ptr<const EndpointCheck> read_endpoint_check(
    const envoy::config::endpoint::v3::Endpoint& endpoint, const FieldPath& path,
    config::Diagnostics& diagnostics) {
  if (!endpoint.has_health_check_config()) return nullptr;
  const auto& from = endpoint.health_check_config();
  const FieldPath at = path.field("health_check_config");
  auto out = std::make_shared<EndpointCheck>();
  out->disabled = from.disable_active_health_check();
  out->hostname = from.hostname();
  out->port = static_cast<uint16_t>(from.port_value());
  if (!from.has_address()) return out;
  if (!from.address().has_socket_address()) {
    diagnostics.error(Code::kSemantic, at.field("address"),
                      "the address of a health check is an IP address",
                      "use socket_address with an IP address");
    return nullptr;
  }
  out->address = read_socket_address(diagnostics, from.address().socket_address(),
                                     at.field("address.socket_address"));
  return out;
}

void compile_health(ClusterBuild& build) {
  const envoy::config::cluster::v3::Cluster& c = build.proto;
  ClusterConfig& out = build.out;
  out.ignores_new_hosts = c.common_lb_config().ignore_new_hosts_until_first_hc();
  out.closes_on_failure = c.close_connections_on_host_health_failure();
  out.removes_regardless_of_health = c.ignore_health_on_host_removal();
  if (c.health_checks_size() == 0) return;
  if (c.health_checks_size() > 1) {
    build.diagnostics.error(Code::kSemantic, build.path.field("health_checks", 1),
                            "a cluster has one health check at most, as in Envoy",
                            "keep one of them");
    return;
  }
  if (out.discovery == ClusterConfig::Discovery::kOriginalDst) {
    build.diagnostics.error(Code::kSemantic, build.path.field("health_checks"),
                            "an ORIGINAL_DST cluster has no endpoints that could be checked",
                            "leave health_checks out");
    return;
  }
  out.health_check =
      CheckReader(build, c.health_checks(0), build.path.field("health_checks", 0)).read();
}

}  // namespace weir::upstream
