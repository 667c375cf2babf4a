#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "xds/report_stream.h"

namespace envoy::config::core::v3 {
class Node;
}
namespace envoy::service::health::v3 {
class EndpointHealthResponse;
class HealthCheckSpecifier;
}  // namespace envoy::service::health::v3

namespace weir::xds {

enum class HealthEvent : uint8_t {
  kRequest,   // the server said what is to be checked
  kUpdate,    // and that is in force, in place of what was
  kRefused,   // or it is wrong; the details say why, a line each
  kResponse,  // something was sent
  kFailure,   // the stream broke off or could not be opened
};

struct HealthReporterOptions {
  std::shared_ptr<const envoy::config::core::v3::Node> node;
  int64_t back_off_base_ms = 500;
  int64_t back_off_max_ms = 30'000;
  // Puts what the server wants into force, in place of what it wanted before. What is wrong with
  // it, a line each, and then nothing changes; empty: it is in force.
  std::function<std::string(const envoy::service::health::v3::HealthCheckSpecifier&)> apply;
  // Adds to cluster_endpoints_health how each endpoint is.
  std::function<void(envoy::service::health::v3::EndpointHealthResponse&)> gather;
  std::function<void(HealthEvent event, const std::string& details)> on_event;  // may be empty
};

// The client's side of envoy.service.health.v3 (HDS): one server says which endpoints are to be
// checked and how, and is told again and again how they are. What it said stays in force while it
// is away, and when what it says next is wrong. Main thread.
class HealthReporter : private ReportStream::Reporter {
 public:
  // What is passed in outlives the reporter.
  HealthReporter(Wire& wire, HealthReporterOptions options);
  ~HealthReporter() override;

  void start() { stream_.start(); }
  // The wire's wake_at.
  void tick() { stream_.tick(); }

 private:
  std::string first_message() override;
  std::string on_message(std::string_view bytes) override;
  void on_lost(const std::string& reason) override;
  void on_due() override;

  void take(std::string_view bytes,
            const envoy::service::health::v3::HealthCheckSpecifier& specifier);
  void event(HealthEvent what, const std::string& details = {}) const;

  HealthReporterOptions options_;
  ReportStream stream_;
  std::optional<std::string> in_force_;  // the bytes of the last specifier that was right
  int64_t interval_ms_ = 0;              // as it says
};

}  // namespace weir::xds
