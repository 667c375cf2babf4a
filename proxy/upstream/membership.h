#pragma once

#include <cstddef>
#include <string>

#include "proxy/stats/registry.h"
#include "proxy/upstream/endpoint.h"

namespace weir::upstream {

// `cluster.<name>.membership_*`: how many endpoints a cluster has, and how they are. Main thread.
class Membership {
 public:
  Membership(stats::Registry& stats, const std::string& stat_name);

  // These are the endpoints that the workers have from now on.
  void note(const HostSet& hosts);
  // The cluster is no more.
  void clear() { note(HostSet()); }

 private:
  stats::Registry& stats_;
  size_t who_ = 0;  // a hash of all of them
  stats::CounterId change_;
  stats::GaugeId total_, healthy_, degraded_, excluded_;
};

}  // namespace weir::upstream
