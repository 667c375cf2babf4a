#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "proxy/net/loop.h"
#include "proxy/stats/registry.h"
#include "proxy/upstream/cluster_config.h"
#include "proxy/upstream/health_checker.h"
#include "proxy/upstream/host_feedback.h"
#include "proxy/upstream/outlier_detector.h"

namespace weir::upstream {

// Why an endpoint is fit or not, for admin.
struct HealthFlags {
  Health configured = Health::kHealthy;  // health_status
  bool failed_active = false;
  bool timed_out = false;
  bool degraded_active = false;
  bool waits_for_check = false;  // ignore_new_hosts_until_first_hc
  bool excluded = false;         // x-envoy-immediate-health-check-fail
  bool awaits_removal = false;   // gone from its source, but still healthy
  bool failed_outlier = false;   // ejected
  double success_rate = -1;      // percent; -1: not known
  double local_origin_success_rate = -1;
};

// The health of a cluster's endpoints: takes them as their source gives them, and gives them as
// workers are to have them. Main thread.
class ClusterHealth : private net::Timer::Owner {
 public:
  struct Events {
    // ready() has become true.
    std::function<void()> ready;
    // hosts() are others now; connections to those of these addresses are to end.
    std::function<void(const std::vector<net::Address>& failed)> changed;
  };

  // Null: nothing watches the health of this cluster.
  static std::unique_ptr<ClusterHealth> make(net::Loop& loop, stats::Registry& stats,
                                             std::shared_ptr<const ClusterConfig> config,
                                             Events events);
  // Destroyed outside of its own calls: Loop::retire it.
  ~ClusterHealth() override;
  ClusterHealth(const ClusterHealth&) = delete;
  ClusterHealth& operator=(const ClusterHealth&) = delete;

  // The endpoints from their source. The same again changes nothing. No event follows at once.
  void set_hosts(std::shared_ptr<const HostSet> source);
  bool started() const { return source_ != nullptr; }
  // Whether every endpoint was checked once.
  bool ready() const;
  // No further check and no further event.
  void stop();

  // As workers are to have them. After set_hosts.
  std::shared_ptr<const HostSet> hosts();
  HealthFlags flags(const Endpoint& endpoint) const;

 private:
  ClusterHealth(net::Loop& loop, stats::Registry& stats,
                std::shared_ptr<const ClusterConfig> config, Events events);

  void on_timer(net::Timer& timer) override;
  void checked(const std::string& key, CheckResult result, HealthChange change);
  void taken(const std::string& key, FeedbackBox::Note note);
  void sweep();
  void outliers_changed();
  void settle_soon();
  void keep_healthy_ones(const HostSet& source);
  void drop_failed_ones();
  void merge();
  void note_places();
  bool is_kept(const Endpoint& endpoint) const;
  const CheckState* state_of(const std::string& key) const;
  Health health_of(const Endpoint& endpoint) const;
  Endpoints::Shared as_shown(const Endpoint& source);

  // An endpoint that its source does not name any more.
  struct Kept {
    Endpoint endpoint;
    LocalityInfo locality;
  };

  // What is known of an endpoint besides its checks.
  struct Place {
    std::shared_ptr<HostFeedback> feedback;
    net::Address address;
    Health configured = Health::kHealthy;
    bool kept = false;
  };

  net::Loop& loop_;
  std::shared_ptr<const ClusterConfig> config_;
  Events events_;
  std::shared_ptr<FeedbackBox> box_;
  std::unique_ptr<HealthChecker> checker_;     // null: no health check
  std::unique_ptr<OutlierDetector> outliers_;  // null: no outlier detection
  std::shared_ptr<const HostSet> source_;
  std::vector<Kept> kept_;
  HostSet merged_;  // those of the source and those kept, with the health that the source gives
  std::shared_ptr<const HostSet> hosts_;  // null: to be made anew
  // What became of an endpoint of merged_; holds that too, so that no other takes its place.
  struct Shown {
    Endpoints::Shared source;
    Endpoints::Shared shown;
  };
  std::unordered_map<const Endpoint*, Shown> shown_;
  std::unordered_map<std::string, Place> places_;
  std::vector<std::string> failed_;  // since `changed` was told
  bool dirty_ = false;               // what was told is out of date
  net::Timer timer_;                 // gathers what changes together
  net::Timer sweep_timer_;           // outlier detection's interval
  bool told_ready_ = false;
};

}  // namespace weir::upstream
