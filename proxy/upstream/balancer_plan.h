#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <variant>
#include <vector>

#include "proxy/upstream/alias_table.h"
#include "proxy/upstream/endpoint.h"
#include "proxy/upstream/host_moves.h"
#include "proxy/upstream/load_balancing.h"
#include "proxy/upstream/maglev.h"
#include "proxy/upstream/ring.h"
#include "proxy/upstream/zone_routing.h"

namespace weir::upstream {

// Endpoints among which the last step of a pick decides. Not empty.
struct HostGroup {
  std::vector<uint32_t> hosts;  // indices into HostSet::endpoints
  std::vector<double> weights;  // as `hosts`; consistent hashing: of all together 1
  bool equal_weights = true;
  // What the policy looks things up in: random with weights, ring hash, Maglev.
  std::variant<std::monostate, AliasTable, Ring, MaglevTable> table;
};

// What a priority offers to a pick: its healthy hosts, its degraded ones, or, in panic, all.
struct Tier {
  uint32_t first_group = 0;
  uint32_t group_count = 0;              // 0: nothing to pick
  std::vector<double> locality_weights;  // per group, > 0; empty when there is one group
};

// See load_balancer.h. Immutable, shared by all workers.
class BalancerPlan {
 public:
  // `zones`: see plan_balancing. `before`: the plan that this one takes the place of; may be null.
  BalancerPlan(const LoadBalancing& config, std::shared_ptr<const HostSet> hosts,
               const std::shared_ptr<const BalancerPlan>& before, const ZoneView* zones);

  const LoadBalancing& config() const { return config_; }
  const HostSet& hosts() const { return *hosts_; }
  const std::shared_ptr<const HostSet>& shared_hosts() const { return hosts_; }
  std::span<const HostGroup> groups() const { return groups_; }
  std::span<const Tier> tiers() const { return tiers_; }
  std::span<const HostGroup> groups_of(const Tier& tier) const {
    return groups().subspan(tier.first_group, tier.group_count);
  }

  // Where the hosts of `plan` are in this one; null when it is not the plan before.
  const HostMoves* moves_from(const std::shared_ptr<const BalancerPlan>& plan) const;

  // The number of the tier that a pick with this hash goes to.
  uint32_t tier_of(uint64_t hash) const { return tier_of_percent_[hash % 100]; }
  // Whether some part of the picks ignores health.
  bool in_panic() const { return in_panic_; }

 private:
  friend class PlanBuilder;

  LoadBalancing config_;
  std::shared_ptr<const HostSet> hosts_;
  std::weak_ptr<const BalancerPlan> before_;  // compared only; does not keep it
  HostMoves moves_;
  std::vector<HostGroup> groups_;
  std::vector<Tier> tiers_;
  std::array<uint16_t, 100> tier_of_percent_{};
  bool in_panic_ = false;
};

// What consistent hashing hashes for an endpoint; a view into it.
std::string_view hash_key_of(const Endpoint& endpoint, bool use_hostname);

}  // namespace weir::upstream
