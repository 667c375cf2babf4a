#include "proxy/upstream/zone_routing.h"

#include <algorithm>
#include <cstddef>

namespace weir::upstream {
namespace {

uint64_t hosts_at(std::span<const ZoneHosts> zones, const Locality& locality) {
  const auto found = std::find_if(zones.begin(), zones.end(),
                                  [&](const ZoneHosts& zone) { return zone.locality == locality; });
  return found == zones.end() ? 0 : found->hosts;
}

double sum_of(std::span<const ZoneHosts> zones) {
  uint64_t sum = 0;
  for (const ZoneHosts& zone : zones) sum += zone.hosts;
  return static_cast<double>(sum);
}

// What others can take without more than their part: what they have beyond what is sent from there.
// Where nobody can, each gets its part.
std::vector<double> room_elsewhere(size_t here, const std::vector<double>& offered,
                                   const std::vector<double>& asked) {
  std::vector<double> room(offered.size(), 0);
  double sum = 0;
  for (size_t i = 0; i < room.size(); ++i) {
    if (i != here) room[i] = std::max(0.0, offered[i] - asked[i]);
    sum += room[i];
  }
  if (sum > 0) return room;
  room = offered;
  room[here] = 0;
  return room;
}

}  // namespace

std::vector<ZoneHosts> healthy_zones(const HostSet& set) {
  std::vector<ZoneHosts> out;
  for (const Endpoint& endpoint : set.endpoints) {
    if (endpoint.priority != 0 || endpoint.health != Health::kHealthy) continue;
    const bool known = endpoint.locality < set.localities.size();
    const Locality locality = known ? set.localities[endpoint.locality].locality : Locality();
    auto zone = std::find_if(out.begin(), out.end(),
                             [&](const ZoneHosts& one) { return one.locality == locality; });
    if (zone == out.end()) zone = out.insert(out.end(), {locality, 0});
    ++zone->hosts;
  }
  return out;
}

std::vector<double> zone_shares(const Locality& here, std::span<const ZoneHosts> local,
                                std::span<const ZoneHosts> upstream, uint64_t min_hosts) {
  const double all_local = sum_of(local);
  const double all_upstream = sum_of(upstream);
  if (all_local == 0 || all_upstream == 0 || upstream.size() < 2) return {};
  if (all_upstream < static_cast<double>(min_hosts)) return {};
  size_t own = upstream.size();
  std::vector<double> offered(upstream.size());
  std::vector<double> asked(upstream.size());
  for (size_t i = 0; i < upstream.size(); ++i) {
    if (upstream[i].locality == here) own = i;
    offered[i] = static_cast<double>(upstream[i].hosts) / all_upstream;
    asked[i] = static_cast<double>(hosts_at(local, upstream[i].locality)) / all_local;
  }
  if (own == upstream.size() || upstream[own].hosts == 0) return {};
  std::vector<double> shares(upstream.size(), 0);
  if (offered[own] >= asked[own]) {
    shares[own] = 1;
    return shares;
  }
  const std::vector<double> room = room_elsewhere(own, offered, asked);
  double sum = 0;
  for (const double part : room) sum += part;
  const double stays = offered[own] / asked[own];
  for (size_t i = 0; i < shares.size(); ++i)
    shares[i] = i == own ? stays : (1 - stays) * room[i] / sum;
  return shares;
}

}  // namespace weir::upstream
