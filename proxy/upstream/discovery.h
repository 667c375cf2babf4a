#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "proxy/net/loop.h"
#include "proxy/upstream/cluster_config.h"
#include "proxy/upstream/dns_resolver.h"

namespace weir::upstream {

// What Discovery tells. Called on the main thread, also from within Discovery::add(). A call may
// add and remove clusters, the one it is about included.
struct DiscoveryEvents {
  // The endpoints of a cluster have changed.
  std::function<void(const std::string& cluster, std::shared_ptr<const HostSet> hosts)> publish;
  // Every name of the cluster has been answered for, or could not be, once. Comes once, after what
  // there is to publish.
  std::function<void(const std::string& cluster)> initialised;
  // A name was asked for: for counters. May be empty.
  std::function<void(const std::string& cluster, DnsAnswer::Status status)> asked;
};

// Keeps the endpoints of STRICT_DNS and LOGICAL_DNS clusters fresh. STRICT_DNS: each address of
// each name is an endpoint; a name that has no address any more has no endpoints. LOGICAL_DNS: one
// endpoint, at the first address of the last answer that had one. Failures change nothing, neither
// when a cluster is replaced, and are tried again ever more slowly. Main thread.
class Discovery {
 public:
  Discovery(net::Loop& loop, DiscoveryEvents events);
  ~Discovery();
  Discovery(const Discovery&) = delete;
  Discovery& operator=(const Discovery&) = delete;

  // Begins to ask; a cluster of the same name is replaced, and its endpoints that come up again
  // keep the time at which they were added. `config` has targets.
  void add(std::shared_ptr<const ClusterConfig> config);
  void remove(const std::string& cluster);

  // The last endpoints published; null when there are none.
  std::shared_ptr<const HostSet> hosts(const std::string& cluster) const;
  // Whether every cluster is.
  bool initialised() const;

 private:
  class DnsCluster;

  net::Loop& loop_;
  DiscoveryEvents events_;
  DnsResolver resolver_;
  std::map<std::string, std::unique_ptr<DnsCluster>> clusters_;
};

}  // namespace weir::upstream
