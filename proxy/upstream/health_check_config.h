#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "proxy/http/header_changes.h"
#include "proxy/http/string_match.h"
#include "proxy/upstream/endpoint.h"

namespace weir::upstream {

// Bytes that an answer has to have, in this order, with anything between them. Empty: any answer.
using Payload = std::vector<std::string>;

bool payload_found(const Payload& wanted, std::string_view bytes);

// core.v3.HealthCheck, compiled. Times in milliseconds. Immutable.
struct HealthCheckConfig {
  enum class Kind : uint8_t { kHttp, kTcp, kGrpc };
  Kind kind = Kind::kHttp;

  int64_t timeout_ms = 0;
  int64_t interval_ms = 0;
  int64_t initial_jitter_ms = 0;
  int64_t interval_jitter_ms = 0;
  uint32_t interval_jitter_percent = 0;
  int64_t no_traffic_interval_ms = 60'000;
  int64_t no_traffic_healthy_interval_ms = 60'000;
  int64_t unhealthy_interval_ms = 0;
  int64_t unhealthy_edge_interval_ms = 0;
  int64_t healthy_edge_interval_ms = 0;
  uint32_t unhealthy_threshold = 1;
  uint32_t healthy_threshold = 1;
  bool reuse_connection = true;
  std::vector<std::string> alpn;  // tls_options; empty: what the cluster's TLS says
  // transport_socket_match_criteria: an index as Endpoint::transport; empty: the endpoint's own.
  std::optional<int32_t> transport;

  // Of HTTP.
  using Range = std::pair<int64_t, int64_t>;  // [first, second)
  std::string host;                           // and gRPC's authority; empty: the cluster's name
  std::string path;
  std::string method = "GET";
  bool http2 = false;
  std::vector<Range> expected_statuses = {{200, 201}};
  std::vector<Range> retriable_statuses;
  http::HeaderChanges headers;  // and gRPC's initial metadata
  std::optional<http::StringMatch> service_name;
  size_t response_buffer_bytes = 1024;  // of the body, looked at for `receive`; 0: all of it

  // Of HTTP and TCP.
  std::string send;
  Payload receive;

  // Of gRPC.
  std::string service;

  bool expects(uint16_t status) const { return in(expected_statuses, status); }
  bool may_retry(uint16_t status) const { return in(retriable_statuses, status); }

 private:
  static bool in(const std::vector<Range>& ranges, uint16_t status);
};

}  // namespace weir::upstream
