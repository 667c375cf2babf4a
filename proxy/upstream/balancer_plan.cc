#include "proxy/upstream/balancer_plan.h"

#include <algorithm>
#include <numeric>
#include <tuple>
#include <utility>

#include "proxy/upstream/load_balancer.h"
#include "proxy/upstream/priority_load.h"

namespace weir::upstream {

using Kind = LoadBalancing::Kind;

std::string_view hash_key_of(const Endpoint& endpoint, bool use_hostname) {
  if (!endpoint.hash_key.empty()) return endpoint.hash_key;
  if (use_hostname && !endpoint.hostname.empty()) return endpoint.hostname;
  return endpoint.address_text;
}

namespace {

enum class Fitness : uint8_t { kHealthy, kDegraded, kAny };

// The hosts of a priority in one locality.
struct LocalityHosts {
  const LocalityInfo* info = nullptr;
  std::vector<uint32_t> hosts;
};

// The hosts of one priority: together in the order of the configuration, which rings depend on, and
// apart by locality in the order of their names, as Envoy has them.
struct PriorityMembers {
  std::vector<uint32_t> hosts;
  std::vector<LocalityHosts> localities;
};

bool is_fit(const Endpoint& endpoint, Fitness fitness) {
  switch (fitness) {
    case Fitness::kHealthy:
      return endpoint.health == Health::kHealthy;
    case Fitness::kDegraded:
      return endpoint.health == Health::kDegraded;
    case Fitness::kAny:
      return true;
  }
  return false;
}

auto order_of(const LocalityInfo& info) {
  return std::tie(info.locality.region, info.locality.zone, info.locality.sub_zone);
}

LocalityHosts& locality_of(PriorityMembers& members, const LocalityInfo& info) {
  const auto at = std::lower_bound(members.localities.begin(), members.localities.end(), info,
                                   [](const LocalityHosts& l, const LocalityInfo& i) {
                                     return order_of(*l.info) < order_of(i);
                                   });
  if (at != members.localities.end() && at->info->locality == info.locality) return *at;
  return *members.localities.insert(at, LocalityHosts{&info, {}});
}

std::vector<PriorityMembers> sort_by_priority(const HostSet& set) {
  static const LocalityInfo kNowhere;
  std::vector<PriorityMembers> out(1);
  for (uint32_t i = 0; i < set.endpoints.size(); ++i) {
    const Endpoint& endpoint = set.endpoints[i];
    if (endpoint.priority >= out.size()) out.resize(endpoint.priority + 1);
    PriorityMembers& members = out[endpoint.priority];
    members.hosts.push_back(i);
    const bool known = endpoint.locality < set.localities.size();
    locality_of(members, known ? set.localities[endpoint.locality] : kNowhere).hosts.push_back(i);
  }
  return out;
}

PriorityHosts count_hosts(const HostSet& set, const PriorityMembers& members) {
  PriorityHosts out;
  for (const uint32_t i : members.hosts) {
    const Endpoint& endpoint = set.endpoints[i];
    if (endpoint.health == Health::kExcluded) continue;
    ++out.hosts;
    out.weight += endpoint.weight;
    if (endpoint.health == Health::kHealthy) {
      ++out.healthy;
      out.healthy_weight += endpoint.weight;
    } else if (endpoint.health == Health::kDegraded) {
      ++out.degraded;
      out.degraded_weight += endpoint.weight;
    }
  }
  return out;
}

}  // namespace

// Fills a plan while it is constructed.
class PlanBuilder {
 public:
  PlanBuilder(BalancerPlan& plan, const ZoneView* zones)
      : plan_(plan), set_(*plan.hosts_), zones_(zones) {}

  void build() {
    plan_.tiers_.emplace_back();  // the empty one, where picks go that nothing is fit for
    members_ = sort_by_priority(set_);
    std::vector<PriorityHosts> counts;
    for (const PriorityMembers& members : members_) counts.push_back(count_hosts(set_, members));
    const PriorityLoads loads =
        distribute_load(counts, {set_.overprovisioning_factor, set_.weighted_priority_health,
                                 plan_.config_.panic_threshold_percent});
    size_t percent = 0;
    for (size_t p = 0; p < members_.size(); ++p)
      percent = assign(percent, loads.healthy[p], p, loads.panic[p], Fitness::kHealthy);
    for (size_t p = 0; p < members_.size(); ++p)
      percent = assign(percent, loads.degraded[p], p, loads.panic[p], Fitness::kDegraded);
  }

 private:
  // Gives `load` percent of the picks, from `percent` on, to a new tier of priority `p`.
  size_t assign(size_t percent, uint32_t load, size_t p, bool panic, Fitness fitness) {
    if (load == 0) return percent;
    plan_.in_panic_ = plan_.in_panic_ || panic;
    uint16_t tier = 0;
    if (!panic || !plan_.config_.fail_on_panic) {
      tier = static_cast<uint16_t>(plan_.tiers_.size());
      plan_.tiers_.push_back(make_tier(p, panic ? Fitness::kAny : fitness));
    }
    const auto from = plan_.tier_of_percent_.begin() + static_cast<ptrdiff_t>(percent);
    std::fill(from, from + load, tier);
    return percent + load;
  }

  bool is_hashing() const {
    return plan_.config_.kind == Kind::kRingHash || plan_.config_.kind == Kind::kMaglev;
  }

  Tier make_tier(size_t p, Fitness fitness) {
    const PriorityMembers& members = members_[p];
    Tier tier;
    tier.first_group = static_cast<uint32_t>(plan_.groups_.size());
    if (plan_.config_.locality_weighted) {
      if (is_hashing())
        add_group(weigh_by_locality(members, fitness));
      else if (fitness != Fitness::kAny)
        add_localities(members, fitness, tier);
    }
    if (zones_ != nullptr && p == 0 && fitness == Fitness::kHealthy &&
        !plan_.config_.locality_weighted && !is_hashing())
      add_zones(members, tier);
    // Without localities that have a weight they play no part.
    if (plan_.groups_.size() == tier.first_group) add_group(weigh(members.hosts, fitness, 1));
    tier.group_count = static_cast<uint32_t>(plan_.groups_.size()) - tier.first_group;
    return tier;
  }

  // The hosts that are fit, with their weights; for consistent hashing scaled to `share`.
  HostGroup weigh(const std::vector<uint32_t>& hosts, Fitness fitness, double share) const {
    HostGroup group;
    for (const uint32_t i : hosts) {
      if (!is_fit(set_.endpoints[i], fitness)) continue;
      group.hosts.push_back(i);
      group.weights.push_back(std::max<uint32_t>(1, set_.endpoints[i].weight));
    }
    if (!is_hashing()) return group;
    const double sum = std::accumulate(group.weights.begin(), group.weights.end(), 0.0);
    for (double& weight : group.weights) weight = weight * share / sum;
    return group;
  }

  // Consistent hashing: one table for all localities; a locality's share is its weight's.
  HostGroup weigh_by_locality(const PriorityMembers& members, Fitness fitness) const {
    uint64_t sum = 0;
    std::vector<HostGroup> parts;
    std::vector<uint32_t> weights;
    for (const LocalityHosts& locality : members.localities) {
      HostGroup part = weigh(locality.hosts, fitness, 1);
      if (locality.info->weight == 0 || part.hosts.empty()) continue;
      sum += locality.info->weight;
      weights.push_back(locality.info->weight);
      parts.push_back(std::move(part));
    }
    HostGroup all;
    for (size_t i = 0; i < parts.size(); ++i) {
      const double share = static_cast<double>(weights[i]) / static_cast<double>(sum);
      all.hosts.insert(all.hosts.end(), parts[i].hosts.begin(), parts[i].hosts.end());
      for (const double weight : parts[i].weights) all.weights.push_back(weight * share);
    }
    return all;
  }

  // Those that weigh when it is asked which part of a locality is fit.
  size_t count_included(const std::vector<uint32_t>& hosts) const {
    return static_cast<size_t>(std::count_if(hosts.begin(), hosts.end(), [this](uint32_t i) {
      return set_.endpoints[i].health != Health::kExcluded;
    }));
  }

  // One group per locality; its share shrinks when too few of its hosts are fit.
  void add_localities(const PriorityMembers& members, Fitness fitness, Tier& tier) {
    for (const LocalityHosts& locality : members.localities) {
      HostGroup group = weigh(locality.hosts, fitness, 1);
      if (locality.info->weight == 0 || group.hosts.empty()) continue;
      const double fit = static_cast<double>(group.hosts.size()) /
                         static_cast<double>(count_included(locality.hosts));
      tier.locality_weights.push_back(locality.info->weight *
                                      std::min(1.0, fit * set_.overprovisioning_factor / 100));
      add_group(std::move(group));
    }
    if (tier.locality_weights.size() == 1) tier.locality_weights.clear();
  }

  // One group per zone that gets something, so that requests stay where they come from.
  void add_zones(const PriorityMembers& members, Tier& tier) {
    std::vector<HostGroup> groups;
    std::vector<ZoneHosts> upstream;
    double all = 0;
    for (const LocalityHosts& locality : members.localities) {
      groups.push_back(weigh(locality.hosts, Fitness::kHealthy, 1));
      upstream.push_back({locality.info->locality, groups.back().hosts.size()});
      all += static_cast<double>(groups.back().hosts.size());
    }
    const std::vector<double> shares =
        zone_shares(zones_->here, zones_->local, upstream, plan_.config_.zone_min_hosts);
    const double part = plan_.config_.zone_percent / 100;
    for (size_t i = 0; i < shares.size(); ++i) {
      const double even = static_cast<double>(upstream[i].hosts) / all;
      const double share = part * shares[i] + (1 - part) * even;
      if (share == 0 || groups[i].hosts.empty()) continue;
      tier.locality_weights.push_back(share);
      add_group(std::move(groups[i]));
    }
    if (tier.locality_weights.size() == 1) tier.locality_weights.clear();
  }

  void add_group(HostGroup group) {
    if (group.hosts.empty()) return;
    group.equal_weights = std::all_of(group.weights.begin(), group.weights.end(),
                                      [&](double w) { return w == group.weights[0]; });
    add_table(group);
    plan_.groups_.push_back(std::move(group));
  }

  void add_table(HostGroup& group) const {
    const LoadBalancing& config = plan_.config_;
    if (config.kind == Kind::kRandom && !group.equal_weights)
      group.table.emplace<AliasTable>(group.weights);
    if (config.kind == Kind::kRingHash)
      group.table.emplace<Ring>(
          hashed(group),
          RingOptions{config.ring_min_size, config.ring_max_size, config.ring_murmur});
    if (config.kind == Kind::kMaglev)
      group.table.emplace<MaglevTable>(hashed(group), config.table_size);
  }

  std::vector<HashedHost> hashed(const HostGroup& group) const {
    std::vector<HashedHost> out;
    for (size_t i = 0; i < group.hosts.size(); ++i) {
      const Endpoint& endpoint = set_.endpoints[group.hosts[i]];
      out.push_back({hash_key_of(endpoint, plan_.config_.use_hostname_for_hashing), group.hosts[i],
                     group.weights[i]});
    }
    return out;
  }

  BalancerPlan& plan_;
  const HostSet& set_;
  const ZoneView* zones_;
  std::vector<PriorityMembers> members_;
};

BalancerPlan::BalancerPlan(const LoadBalancing& config, std::shared_ptr<const HostSet> hosts,
                           const std::shared_ptr<const BalancerPlan>& before, const ZoneView* zones)
    : config_(config), hosts_(std::move(hosts)), before_(before) {
  if (before != nullptr) moves_ = find_moves(before->hosts(), *hosts_);
  PlanBuilder(*this, zones).build();
}

const HostMoves* BalancerPlan::moves_from(const std::shared_ptr<const BalancerPlan>& plan) const {
  const bool is_before =
      plan != nullptr && !before_.owner_before(plan) && !plan.owner_before(before_);
  return is_before ? &moves_ : nullptr;
}

std::shared_ptr<const BalancerPlan> plan_balancing(
    const LoadBalancing& config, std::shared_ptr<const HostSet> hosts,
    const std::shared_ptr<const BalancerPlan>& before, const ZoneView* zones) {
  return std::make_shared<const BalancerPlan>(config, std::move(hosts), before, zones);
}

}  // namespace weir::upstream
