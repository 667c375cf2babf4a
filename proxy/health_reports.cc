#include "proxy/health_reports.h"

#include <string_view>
#include <utility>

#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "envoy/config/core/v3/config_source.pb.h"
#include "envoy/service/health/v3/hds.pb.h"

namespace weir {

using xds::HealthEvent;

namespace {

// Envoy's names.
std::string_view stat_of(HealthEvent event) {
  switch (event) {
    case HealthEvent::kRequest:
      return "hds_delegate.requests";
    case HealthEvent::kUpdate:
      return "hds_delegate.updates";
    case HealthEvent::kResponse:
      return "hds_delegate.responses";
    case HealthEvent::kRefused:
    case HealthEvent::kFailure:
      break;
  }
  return "hds_delegate.errors";
}

}  // namespace

HealthReports::HealthReports(Needs needs)
    : needs_(std::move(needs)), checks_({needs_.loop, needs_.stats, needs_.reader, needs_.tls}) {}

void HealthReports::start(const config::Bootstrap& bootstrap) {
  if (!bootstrap.has_hds_config() || reporter_ != nullptr) return;
  config::Diagnostics none;
  auto service = upstream::GrpcServiceConfig::compile(bootstrap.hds_config().grpc_services(0),
                                                      config::FieldPath::root(), {}, none);
  name_ = service->cluster;
  xds::HealthReporterOptions options;
  options.node = needs_.planes.node();
  options.back_off_base_ms = service->back_off_base_ms;
  options.back_off_max_ms = service->back_off_max_ms;
  options.apply = [this](const auto& specifier) { return checks_.set(specifier); };
  options.gather = [this](auto& response) { checks_.tell(response); };
  options.on_event = [this](HealthEvent event, const std::string& details) {
    on_event(event, details);
  };
  wire_ = std::make_unique<GrpcWire>(needs_.loop, needs_.find_cluster, std::move(*service));
  reporter_ = std::make_unique<xds::HealthReporter>(*wire_, std::move(options));
  wire_->set_tick([this] { reporter_->tick(); });
  reporter_->start();
}

void HealthReports::on_event(HealthEvent event, const std::string& details) {
  needs_.stats.main_shard().inc(needs_.stats.counter(stat_of(event)));
  if (event == HealthEvent::kRequest) away_ = false;
  if (event == HealthEvent::kUpdate) refused_.clear();
  if (event == HealthEvent::kRefused) return refused(details);
  if (event != HealthEvent::kFailure || std::exchange(away_, true)) return;
  needs_.log.warning(Component::kConfig, "health cannot be reported to '", name_,
                     "' at present: ", details);
}

// A server that says the same wrong thing again and again is heard once.
void HealthReports::refused(const std::string& details) {
  if (std::exchange(refused_, details) == details) return;
  needs_.log.warning(Component::kConfig, "the health checks that '", name_,
                     "' wants are refused, and what it wanted before stays:");
  std::string_view lines = details;
  while (!lines.empty()) {
    const size_t end = lines.find('\n');
    needs_.log.warning(Component::kConfig, lines.substr(0, end));
    lines = end == std::string_view::npos ? std::string_view() : lines.substr(end + 1);
  }
}

}  // namespace weir
