#include "xds/health_reporter.h"

#include <algorithm>
#include <utility>

#include "envoy/service/health/v3/hds.pb.h"
#include "proxy/base/duration.h"
#include "xds/methods.h"

namespace weir::xds {
namespace {

using envoy::service::health::v3::Capability;
using envoy::service::health::v3::EndpointHealthResponse;
using envoy::service::health::v3::HealthCheckRequestOrEndpointHealthResponse;
using envoy::service::health::v3::HealthCheckSpecifier;

constexpr int64_t kDefaultIntervalMs = 1000;
// A time that can be added to any other.
constexpr int64_t kMaxIntervalS = 365L * 24 * 3600;

// gRPC has no name among the protocols that one can be capable of.
std::string first_message(const HealthReporterOptions& options) {
  HealthCheckRequestOrEndpointHealthResponse out;
  auto& request = *out.mutable_health_check_request();
  if (options.node != nullptr) *request.mutable_node() = *options.node;
  request.mutable_capability()->add_health_check_protocols(Capability::HTTP);
  request.mutable_capability()->add_health_check_protocols(Capability::TCP);
  return out.SerializeAsString();
}

int64_t interval_ms_of(const HealthCheckSpecifier& specifier) {
  if (!specifier.has_interval()) return kDefaultIntervalMs;
  google::protobuf::Duration interval = specifier.interval();
  interval.set_seconds(std::clamp<int64_t>(interval.seconds(), 0, kMaxIntervalS));
  return std::max(to_ms(interval), HealthReporter::kMinIntervalMs);
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
    : wire_(wire),
      options_(std::move(options)),
      back_off_(options_.back_off_base_ms, options_.back_off_max_ms) {}

HealthReporter::~HealthReporter() = default;

// ---- the stream ----

void HealthReporter::start() {
  open();
  ask_to_be_woken();
}

void HealthReporter::open() {
  open_at_ms_.reset();
  StreamEvents& events = *this;
  stream_ = wire_.open(kHealthDiscoveryService, kStreamHealthCheck, events);
  stream_->send(first_message(options_));
  event(HealthEvent::kResponse);
}

void HealthReporter::on_message(std::string_view bytes) {
  HealthCheckSpecifier specifier;
  if (!specifier.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    return lose("what came is no HealthCheckSpecifier");
  back_off_.reset();
  event(HealthEvent::kRequest);
  take(bytes, specifier);
  ask_to_be_woken();
}

void HealthReporter::on_closed(const std::string& reason) {
  lose(reason);
}

void HealthReporter::lose(const std::string& reason) {
  stream_.reset();
  report_at_ms_.reset();
  open_at_ms_ = wire_.now_ms() + back_off_.next_ms(wire_.random());
  event(HealthEvent::kFailure, reason);
  ask_to_be_woken();
}

void HealthReporter::tick() {
  const int64_t now_ms = wire_.now_ms();
  if (open_at_ms_ && now_ms >= *open_at_ms_) open();
  if (report_at_ms_ && now_ms >= *report_at_ms_) report();
  ask_to_be_woken();
}

void HealthReporter::ask_to_be_woken() {
  if (open_at_ms_) return wire_.wake_at(*open_at_ms_);
  if (report_at_ms_) wire_.wake_at(*report_at_ms_);
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
  if (!report_at_ms_ || interval_ms_ != interval_before_ms)
    report_at_ms_ = wire_.now_ms() + interval_ms_;
}

void HealthReporter::report() {
  report_at_ms_ = wire_.now_ms() + interval_ms_;
  // Who does not read is told later how it is then.
  if (stream_->full()) return;
  HealthCheckRequestOrEndpointHealthResponse out;
  EndpointHealthResponse& response = *out.mutable_endpoint_health_response();
  options_.gather(response);
  add_flat_list(response);
  stream_->send(out.SerializeAsString());
  event(HealthEvent::kResponse);
}

void HealthReporter::event(HealthEvent what, const std::string& details) const {
  if (options_.on_event) options_.on_event(what, details);
}

}  // namespace weir::xds
