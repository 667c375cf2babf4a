#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "proxy/stats/registry.h"
#include "proxy/upstream/host_feedback.h"
#include "proxy/upstream/outlier_config.h"

namespace weir::upstream {

// The names under `cluster.<name>.outlier_detection.`.
struct OutlierStats {
  OutlierStats(stats::Registry& registry, const std::string& stat_name);

  stats::GaugeId active;
  stats::CounterId overflow, enforced_total;
  std::array<stats::CounterId, kEjectionKinds> detected, enforced;
  // Older names, which count what is detected and may be ejected.
  stats::CounterId total, consecutive_5xx, success_rate;
};

// Decides which of a cluster's hosts are ejected for how requests to them went, and for how long,
// as Envoy does (cluster.v3.OutlierDetection). Has no clock of its own. Main thread.
class OutlierDetector {
 public:
  using Hosts = std::map<std::string, std::shared_ptr<HostFeedback>>;
  using Random = std::function<uint64_t()>;

  OutlierDetector(std::shared_ptr<const OutlierConfig> config, stats::Registry& stats,
                  const std::string& stat_name, Random random);
  ~OutlierDetector();
  OutlierDetector(const OutlierDetector&) = delete;
  OutlierDetector& operator=(const OutlierDetector&) = delete;

  // Those that there are. Who stays stays ejected.
  void set_hosts(const Hosts& hosts);

  // So many failures in a row came from a host. Says whether it was ejected.
  bool on_consecutive(const std::string& key, Ejection kind, int64_t now_ms);
  // Once an interval: lets hosts return, and compares them. Says whether any was ejected or
  // returned.
  bool sweep(int64_t now_ms);
  // A health check passed. Says whether the host returned for it.
  bool on_check_passed(const std::string& key);

  bool ejected(const std::string& key) const;
  // Percent, of the last interval in which there were enough requests; -1: not known.
  double success_rate(const std::string& key, HostFeedback::Origin origin) const;
  // Those ejected since the last call.
  std::vector<std::string> take_ejected() { return std::exchange(newly_ejected_, {}); }

 private:
  using Origin = HostFeedback::Origin;
  struct Monitor {
    std::shared_ptr<HostFeedback> feedback;
    bool ejected = false;
    uint32_t multiplier = 0;  // of the base time
    int64_t ejected_ms = 0;
    int64_t jitter_ms = 0;
    HostFeedback::Window windows[2];  // of the last interval, by Origin
    double rates[2] = {-1, -1};
  };

  bool eject(const std::string& key, Monitor& monitor, Ejection kind, int64_t now_ms);
  bool may_eject_one_more() const;
  bool is_enforced(Ejection kind);
  void lengthen(Monitor& monitor);
  bool return_if_due(Monitor& monitor, int64_t now_ms);
  void let_return(Monitor& monitor);
  bool compare(Origin origin, int64_t now_ms);
  bool compare_rates(const std::vector<std::string>& keys, Origin origin, int64_t now_ms);
  bool compare_percentages(const std::vector<std::string>& keys, Origin origin, int64_t now_ms);
  void set_active();

  std::shared_ptr<const OutlierConfig> config_;
  stats::Registry& registry_;
  OutlierStats stats_;
  Random random_;
  std::map<std::string, Monitor> monitors_;
  size_t active_ = 0;
  std::vector<std::string> newly_ejected_;
};

}  // namespace weir::upstream
