#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "config/bootstrap.h"
#include "proxy/base/log.h"
#include "proxy/clusters.h"
#include "proxy/control_planes.h"
#include "proxy/grpc_wire.h"
#include "proxy/workers.h"
#include "xds/load_reporter.h"

namespace weir {

// Tells servers how many requests went where (LRS): the one that the bootstrap names
// (load_stats_config) of any cluster that it asks for, and those that clusters name (lrs_server) of
// these. Workers count anyway; they are asked when a report is due. Main thread.
class LoadReports {
 public:
  struct Needs {
    net::Loop& loop;
    Logger& log;
    stats::Registry& stats;
    Workers& workers;
    Clusters& clusters;
    ControlPlanes& planes;
    GrpcWire::FindCluster find_cluster;
  };
  explicit LoadReports(Needs needs) : needs_(std::move(needs)) {}

  // Takes load_stats_config of a bootstrap that was checked.
  void start(const config::Bootstrap& bootstrap);
  // A cluster is in force; null: it is no more.
  void note(const std::string& cluster, const upstream::ClusterConfig* config);

 private:
  struct Server {
    std::string name;                // the cluster that it is called on
    std::set<std::string> clusters;  // that named it; empty for the bootstrap's: any
    std::unique_ptr<GrpcWire> wire;
    std::unique_ptr<xds::LoadReporter> reporter;
    bool away = false;  // and that was logged
  };

  void open(Server& server, const envoy::config::core::v3::ApiConfigSource& api);
  void gather(const Server& server, xds::LoadReporterOptions::Then then);
  void on_event(Server& server, xds::LoadEvent event, const std::string& details);

  Needs needs_;
  std::map<std::string, std::unique_ptr<Server>> servers_;  // by the bytes of lrs_server
  std::map<std::string, std::string> server_of_;            // by cluster
};

}  // namespace weir
