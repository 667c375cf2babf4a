#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "proxy/net/address.h"
#include "proxy/net/loop.h"
#include "proxy/stats/registry.h"
#include "proxy/upstream/check_state.h"
#include "proxy/upstream/cluster_config.h"

namespace weir::net {
class TlsSession;
}

namespace weir::upstream {

// What is asked, and how it is addressed.
struct ProbeTarget {
  net::Address address;
  std::string hostname;    // the endpoint's, which TLS may ask for
  std::string host;        // Host or :authority
  int32_t transport = -1;  // as Endpoint::transport
  friend bool operator==(const ProbeTarget&, const ProbeTarget&) = default;
};

class ProbeEvents {
 public:
  virtual ~ProbeEvents() = default;
  // The check that was started is over. Possibly from within start().
  virtual void on_probed(CheckResult result, bool excludes) = 0;
};

// What a probe works with. `loop` and `shard` outlive it.
struct ProbeNeeds {
  net::Loop& loop;
  std::shared_ptr<const ClusterConfig> cluster;  // with a health check
  stats::Shard& shard;
  stats::CounterId verified;  // verify_cluster
};

// Asks one endpoint how it is, again and again, over a connection of its own. Main thread.
class HealthProbe {
 public:
  virtual ~HealthProbe() = default;
  // One check at a time.
  virtual void start(const ProbeTarget& target) = 0;
  // Gives a check up, and its connection.
  virtual void abandon() = 0;
};

std::unique_ptr<HealthProbe> make_probe(const ProbeNeeds& needs, ProbeEvents& events);

// What a probe's connection begins with: TLS's session in `session`, null in the clear. False: the
// secrets have not come, and there can be no connection.
bool new_probe_session(const ClusterConfig& cluster, const ProbeTarget& target,
                       std::unique_ptr<net::TlsSession>& session);
bool probe_has_tls(const ClusterConfig& cluster, const ProbeTarget& target);
// The PROXY header that names nobody, where the cluster wants one; else empty.
std::string probe_introduction(const ClusterConfig& cluster, const ProbeTarget& target);

}  // namespace weir::upstream
