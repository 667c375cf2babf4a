#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "proxy/net/loop.h"
#include "proxy/resource_reader.h"
#include "proxy/stats/registry.h"
#include "proxy/upstream/cluster_config.h"
#include "proxy/upstream/health_checker.h"

namespace envoy::service::health::v3 {
class ClusterEndpointsHealth;
class EndpointHealthResponse;
class HealthCheckSpecifier;
}  // namespace envoy::service::health::v3

namespace weir {

// The endpoints that a server wants checked (envoy.service.health.v3, HDS), and how they are. They
// have nothing to do with the clusters that requests go to, even where names are the same but for
// the statistics, which are by name. Main thread.
class OrderedChecks {
 public:
  using Specifier = envoy::service::health::v3::HealthCheckSpecifier;

  struct Needs {
    net::Loop& loop;
    stats::Registry& stats;
    ResourceReader& reader;
    upstream::TlsBuild tls;
  };
  explicit OrderedChecks(const Needs& needs) : needs_(needs) {}
  OrderedChecks(const OrderedChecks&) = delete;
  OrderedChecks& operator=(const OrderedChecks&) = delete;

  // These are checked from now on, and no others. What is wrong, a line each, and then everything
  // stays as it was; empty: nothing. Not from within a checker's call.
  std::string set(const Specifier& specifier);
  // Adds how each of them is: UNHEALTHY until its first check; UNKNOWN if it is not to be checked.
  void tell(envoy::service::health::v3::EndpointHealthResponse& out) const;

 private:
  // As core.v3.HealthStatus, whose header is none of our includers' business.
  using Status = int;
  // A cluster whose endpoints are checked.
  struct Checked {
    std::shared_ptr<const upstream::ClusterConfig> config;
    uint64_t how = 0;  // a hash of everything but the endpoints
    std::unique_ptr<upstream::HealthChecker> checker;
    // How endpoints were when this was ordered: they are taken for that until its check has looked
    // at them, so that another interval alone takes nobody's traffic away.
    std::map<std::string, Status> before;
  };

  std::vector<Checked> compile(const Specifier& specifier, config::Diagnostics& diagnostics) const;
  static void take_over(Checked& from, Checked& to);
  static Status status_of(const Checked& checked, const upstream::Endpoint& endpoint);
  static void tell_of(const Checked& checked,
                      envoy::service::health::v3::ClusterEndpointsHealth& out);

  Needs needs_;
  std::vector<Checked> checked_;  // in the server's order
};

}  // namespace weir
