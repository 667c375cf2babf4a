#include "xds/health_reporter.h"

#include <utility>

#include "envoy/service/health/v3/hds.pb.h"
#include "xds/methods.h"

namespace weir::xds {
namespace {

using envoy::service::health::v3::Capability;
using envoy::service::health::v3::EndpointHealthResponse;
using envoy::service::health::v3::HealthCheckRequestOrEndpointHealthResponse;
using envoy::service::health::v3::HealthCheckSpecifier;

constexpr int64_t kDefaultIntervalMs = 1000;

// gRPC has no name among the protocols that one can be capable of.
std::string first_message_of(const HealthReporterOptions& options) {
  HealthCheckRequestOrEndpointHealthResponse out;
  auto& request = *out.mutable_health_check_request();
  if (options.node != nullptr) *request.mutable_node() = *options.node;
  request.mutable_capability()->add_health_check_protocols(Capability::HTTP);
  request.mutable_capability()->add_health_check_protocols(Capability::TCP);
  return out.SerializeAsString();
}

int64_t interval_ms_of(const HealthCheckSpecifier& specifier) {
  return specifier.has_interval() ? ReportStream::interval_ms(specifier.interval())
                                  : kDefaultIntervalMs;
}

// Servers of before version 3 read this list alone.
void add_flat_list(EndpointHealthResponse& response) {
  for (const auto& cluster : response.cluster_endpoints_health())
    for (const auto& locality : cluster.locality_endpoints_health())
      for (const auto& endpoint : locality.endpoints_health())
        *response.add_endpoints_health() = endpoint;
}

}  // namespace

HealthReporter::HealthReporter(Wire& wire, HealthReporterOptions options)
    : options_(std::move(options)),
      stream_(wire, kHealthDiscoveryService, kStreamHealthCheck,
              BackOff(options_.back_off_base_ms, options_.back_off_max_ms), *this) {}

HealthReporter::~HealthReporter() = default;

std::string HealthReporter::first_message() {
  event(HealthEvent::kResponse);
  return first_message_of(options_);
}

std::string HealthReporter::on_message(std::string_view bytes) {
  HealthCheckSpecifier specifier;
  if (!specifier.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    return "what came is no HealthCheckSpecifier";
  event(HealthEvent::kRequest);
  take(bytes, specifier);
  return {};
}

void HealthReporter::on_lost(const std::string& reason) {
  event(HealthEvent::kFailure, reason);
}

// ---- what is wanted, and what is told ----

void HealthReporter::take(std::string_view bytes, const HealthCheckSpecifier& specifier) {
  const int64_t interval_before_ms = interval_ms_;
  if (in_force_ != bytes) {
    const std::string errors = options_.apply(specifier);
    if (errors.empty()) {
      in_force_ = bytes;
      interval_ms_ = interval_ms_of(specifier);
      event(HealthEvent::kUpdate);
    } else {
      event(HealthEvent::kRefused, errors);
    }
  }
  if (!in_force_) return;
  // A server that changes its mind more often than it wants to be told is told all the same.
  if (!stream_.due_later() || interval_ms_ != interval_before_ms) stream_.report_in(interval_ms_);
}

void HealthReporter::on_due() {
  stream_.report_in(interval_ms_);
  // Who does not read is told later how it is then.
  if (stream_.full()) return;
  HealthCheckRequestOrEndpointHealthResponse out;
  EndpointHealthResponse& response = *out.mutable_endpoint_health_response();
  options_.gather(response);
  add_flat_list(response);
  stream_.send(out.SerializeAsString());
  event(HealthEvent::kResponse);
}

void HealthReporter::event(HealthEvent what, const std::string& details) const {
  if (options_.on_event) options_.on_event(what, details);
}

}  // namespace weir::xds
