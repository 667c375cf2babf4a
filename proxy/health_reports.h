#pragma once

#include <memory>
#include <string>

#include "config/bootstrap.h"
#include "proxy/base/log.h"
#include "proxy/control_planes.h"
#include "proxy/grpc_wire.h"
#include "proxy/ordered_checks.h"
#include "xds/health_reporter.h"

namespace weir {

// Checks the endpoints that a server names, and tells it how they are (HDS): the one of the
// bootstrap's hds_config. Main thread.
class HealthReports {
 public:
  struct Needs {
    net::Loop& loop;
    Logger& log;
    stats::Registry& stats;
    ResourceReader& reader;
    ControlPlanes& planes;
    GrpcWire::FindCluster find_cluster;
    upstream::TlsBuild tls;
  };
  explicit HealthReports(Needs needs);

  // Takes hds_config of a bootstrap that was checked; the first time only.
  void start(const config::Bootstrap& bootstrap);

 private:
  void on_event(xds::HealthEvent event, const std::string& details);
  void refused(const std::string& details);

  Needs needs_;
  OrderedChecks checks_;
  std::string name_;  // the cluster that the server is called on
  std::unique_ptr<GrpcWire> wire_;
  std::unique_ptr<xds::HealthReporter> reporter_;  // null: there is no server
  bool away_ = false;                              // and that was logged
  std::string refused_;                            // why, as it was logged last
};

}  // namespace weir
