#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "proxy/upstream/endpoint.h"

namespace weir::upstream {

// The hosts of a locality that are fit.
struct ZoneHosts {
  Locality locality;
  uint64_t hosts = 0;
  friend bool operator==(const ZoneHosts&, const ZoneHosts&) = default;
};

// Where this process is, and the hosts of the cluster that it belongs to.
struct ZoneView {
  Locality here;
  std::vector<ZoneHosts> local;
  friend bool operator==(const ZoneView&, const ZoneView&) = default;
};

// The healthy hosts of the first priority.
std::vector<ZoneHosts> healthy_zones(const HostSet& set);

// Zone-aware routing: which share of its picks each locality of `upstream` gets, so that requests
// stay where they come from as far as that leaves all hosts with the same load. `here` is this
// process's own locality, `local` the hosts of the cluster that it belongs to: they all send alike.
// Shares add up to 1. Empty: localities play no part, because the cluster has fewer hosts than
// `min_hosts`, only one locality or none here.
std::vector<double> zone_shares(const Locality& here, std::span<const ZoneHosts> local,
                                std::span<const ZoneHosts> upstream, uint64_t min_hosts);

}  // namespace weir::upstream
