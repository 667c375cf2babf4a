#include "proxy/upstream/load_balancer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>
#include <string>

#include "proxy/upstream/balancer_plan.h"
#include "proxy/upstream/random.h"

namespace weir::upstream {
namespace {

using Kind = LoadBalancing::Kind;

constexpr Kind kAllKinds[] = {Kind::kRoundRobin, Kind::kLeastRequest, Kind::kRandom,
                              Kind::kRingHash, Kind::kMaglev};

// What endpoints of a test may differ in.
struct Traits {
  uint32_t weight = 1;
  uint32_t priority = 0;
  uint32_t locality = 0;
  Health health = Health::kHealthy;
  int64_t added_ms = 0;
};

// A host set in the making.
class Hosts {
 public:
  Hosts& add(uint32_t count, const Traits& traits = Traits()) {
    Endpoint endpoint;
    endpoint.weight = traits.weight;
    endpoint.priority = traits.priority;
    endpoint.locality = traits.locality;
    endpoint.health = traits.health;
    endpoint.added_ms = traits.added_ms;
    for (uint32_t i = 0; i < count; ++i) {
      endpoint.address_text = "10.0.0.1:" + std::to_string(1000 + set_.endpoints.size());
      set_.endpoints.push_back(endpoint);
    }
    return *this;
  }
  Hosts& locality(std::string region, uint32_t weight, uint32_t priority = 0) {
    set_.localities.push_back({{std::move(region), "", ""}, priority, weight});
    return *this;
  }
  HostSet& set() { return set_; }
  std::shared_ptr<const HostSet> share() const { return std::make_shared<const HostSet>(set_); }

 private:
  HostSet set_;
};

// Picks again and again, with everything in one place that a pick depends on.
class Balancer {
 public:
  Balancer(const LoadBalancing& config, const Hosts& hosts, uint64_t seed = 1,
           const ZoneView* zones = nullptr)
      : plan(plan_balancing(config, hosts.share(), nullptr, zones)),
        picker(make_picker(plan, seed)),
        active(hosts.share()->endpoints.size()) {}

  int pick() {
    input.random = mix_bits(++picks);
    input.active = active;
    return picker->pick(input);
  }
  std::vector<int> count(int times) {
    std::vector<int> counts(active.size());
    for (int i = 0; i < times; ++i) {
      const int picked = pick();
      EXPECT_GE(picked, 0);
      if (picked >= 0) ++counts[static_cast<size_t>(picked)];
    }
    return counts;
  }

  std::shared_ptr<const BalancerPlan> plan;
  std::unique_ptr<Picker> picker;
  std::vector<uint32_t> active;
  PickInput input;
  uint64_t picks = 0;
};

LoadBalancing of(Kind kind) {
  LoadBalancing config;
  config.kind = kind;
  config.ring_min_size = 16'384;  // of 1,024 points a host's share is 10% off now and then
  return config;
}

TEST(Pickers, NothingToPickFrom) {
  for (const Kind kind : kAllKinds) EXPECT_EQ(Balancer(of(kind), Hosts()).pick(), Picker::kNone);
}

TEST(Pickers, OneHostIsAlwaysPicked) {
  for (const Kind kind : kAllKinds)
    EXPECT_EQ(Balancer(of(kind), Hosts().add(1)).count(10), std::vector<int>{10});
}

TEST(Pickers, EveryHostGetsItsShare) {
  for (const Kind kind : kAllKinds) {
    const std::vector<int> counts = Balancer(of(kind), Hosts().add(10)).count(20'000);
    for (const int count : counts) EXPECT_NEAR(count, 2000, 300) << static_cast<int>(kind);
  }
}

// Three hosts in each of the localities "a" and "b".
Hosts two_zones() {
  return Hosts().locality("a", 0).locality("b", 0).add(3, {.locality = 0}).add(3, {.locality = 1});
}

Locality region(const std::string& name) {
  return {.region = name, .zone = "", .sub_zone = ""};
}

TEST(Zones, RequestsStayWhereTheyComeFrom) {
  const ZoneView zones = {region("a"), {{region("a"), 1}, {region("b"), 1}}};
  for (const Kind kind : {Kind::kRoundRobin, Kind::kLeastRequest, Kind::kRandom}) {
    const std::vector<int> counts = Balancer(of(kind), two_zones(), 1, &zones).count(3'000);
    for (size_t i = 0; i < 6; ++i) EXPECT_NEAR(counts[i], i < 3 ? 1000 : 0, 150) << i;
  }
}

TEST(Zones, WhatIsTooMuchGoesElsewhere) {
  const ZoneView zones = {region("a"), {{region("a"), 4}}};
  const std::vector<int> counts = Balancer(of(Kind::kRandom), two_zones(), 1, &zones).count(6'000);
  for (const int count : counts) EXPECT_NEAR(count, 1000, 150);
}

TEST(Zones, APartOfTheRequestsMayDisregardThem) {
  const ZoneView zones = {region("a"), {{region("a"), 1}, {region("b"), 1}}};
  LoadBalancing config = of(Kind::kRandom);
  config.zone_percent = 50;
  const std::vector<int> counts = Balancer(config, two_zones(), 1, &zones).count(6'000);
  for (size_t i = 0; i < 6; ++i) EXPECT_NEAR(counts[i], i < 3 ? 1500 : 500, 150) << i;
}

TEST(Zones, NotInPanicNorWithFewHostsNorByHash) {
  const ZoneView zones = {region("a"), {{region("a"), 1}, {region("b"), 1}}};
  const auto elsewhere = [&](const LoadBalancing& config, const Hosts& hosts) {
    const std::vector<int> counts = Balancer(config, hosts, 1, &zones).count(3'000);
    return counts[3] + counts[4] + counts[5];
  };
  LoadBalancing picky = of(Kind::kRandom);
  picky.zone_min_hosts = 7;
  EXPECT_GT(elsewhere(picky, two_zones()), 1000);
  EXPECT_GT(elsewhere(of(Kind::kMaglev), two_zones()), 1000);
  const Hosts sick = Hosts()
                         .locality("a", 0)
                         .locality("b", 0)
                         .add(1, {.locality = 0})
                         .add(2, {.locality = 0, .health = Health::kUnhealthy})
                         .add(3, {.locality = 1, .health = Health::kUnhealthy});
  EXPECT_GT(elsewhere(of(Kind::kRandom), sick), 1000);
}

TEST(Pickers, WeightsCount) {
  const Hosts hosts = Hosts().add(1, {.weight = 1}).add(1, {.weight = 2}).add(1, {.weight = 5});
  for (const Kind kind : kAllKinds) {
    const std::vector<int> counts = Balancer(of(kind), hosts).count(16'000);
    EXPECT_NEAR(counts[0], 2000, 250) << static_cast<int>(kind);
    EXPECT_NEAR(counts[1], 4000, 350) << static_cast<int>(kind);
    EXPECT_NEAR(counts[2], 10'000, 450) << static_cast<int>(kind);
  }
}

TEST(Pickers, UnhealthyHostsAreLeftOut) {
  const Hosts hosts = Hosts().add(3).add(1, {.health = Health::kUnhealthy});
  for (const Kind kind : kAllKinds) EXPECT_EQ(Balancer(of(kind), hosts).count(2000)[3], 0);
}

TEST(Pickers, TooFewHealthyHostsArePanic) {
  const Hosts hosts = Hosts().add(1).add(4, {.health = Health::kUnhealthy});
  for (const Kind kind : kAllKinds) {
    Balancer panicking(of(kind), hosts);
    EXPECT_TRUE(panicking.plan->in_panic());
    for (const int count : panicking.count(5000)) EXPECT_NEAR(count, 1000, 250);

    LoadBalancing calm = of(kind);
    calm.panic_threshold_percent = 0;
    Balancer never(calm, hosts);
    EXPECT_FALSE(never.plan->in_panic());
    EXPECT_EQ(never.count(100)[0], 100);

    LoadBalancing failing = of(kind);
    failing.fail_on_panic = true;
    EXPECT_EQ(Balancer(failing, hosts).pick(), Picker::kNone);
  }
}

TEST(Pickers, NothingIsPickedWhenAllAreUnhealthyAndPanicIsOff) {
  const Hosts hosts = Hosts().add(4, {.health = Health::kUnhealthy});
  for (const Kind kind : kAllKinds) {
    LoadBalancing config = of(kind);
    config.panic_threshold_percent = 0;
    EXPECT_EQ(Balancer(config, hosts).pick(), Picker::kNone);
  }
}

TEST(Pickers, PrioritiesFailOver) {
  // Half of the first priority is healthy: it takes 70%.
  const Hosts hosts = Hosts().add(2).add(2, {.health = Health::kUnhealthy}).add(2, {.priority = 1});
  for (const Kind kind : kAllKinds) {
    const std::vector<int> counts = Balancer(of(kind), hosts).count(10'000);
    EXPECT_NEAR(counts[0] + counts[1], 7000, 250) << static_cast<int>(kind);
    EXPECT_EQ(counts[2] + counts[3], 0);
    EXPECT_NEAR(counts[4] + counts[5], 3000, 250) << static_cast<int>(kind);
  }
}

TEST(Pickers, DegradedHostsAreTheLastResort) {
  Hosts hosts = Hosts().add(4).add(4, {.health = Health::kDegraded});
  for (const Kind kind : kAllKinds) {
    // 50% * 1.4 = 70% stay with the healthy ones.
    const std::vector<int> counts = Balancer(of(kind), hosts).count(10'000);
    EXPECT_NEAR(counts[0] + counts[1] + counts[2] + counts[3], 7000, 250);
    const Hosts degraded = Hosts().add(2, {.health = Health::kDegraded});
    EXPECT_NE(Balancer(of(kind), degraded).pick(), Picker::kNone);
  }
}

TEST(Pickers, LocalityWeightsDivideTheLoad) {
  const Hosts hosts = Hosts()
                          .locality("a", 1)
                          .locality("b", 3)
                          .locality("none", 0)
                          .add(3, {.locality = 0})
                          .add(1, {.locality = 1})
                          .add(5, {.locality = 2});
  for (const Kind kind : kAllKinds) {
    LoadBalancing config = of(kind);
    config.locality_weighted = true;
    const std::vector<int> counts = Balancer(config, hosts).count(12'000);
    EXPECT_NEAR(counts[0] + counts[1] + counts[2], 3000, 450) << static_cast<int>(kind);
    EXPECT_NEAR(counts[3], 9000, 450) << static_cast<int>(kind);
    EXPECT_EQ(counts[4], 0);
  }
}

TEST(Pickers, ALocalityLosesLoadWithItsHealth) {
  // One of four hosts is healthy in `a`: 1 * 0.25 * 1.4 against 1.
  Hosts hosts = Hosts()
                    .locality("a", 10)
                    .locality("b", 10)
                    .add(1, {.locality = 0})
                    .add(3, {.locality = 0, .health = Health::kUnhealthy})
                    .add(4, {.locality = 1});
  LoadBalancing config = of(Kind::kRoundRobin);
  config.locality_weighted = true;
  EXPECT_NEAR(Balancer(config, hosts).count(13'500)[0], 3500, 10);
}

// As those that wait for their first check.
TEST(Pickers, ALocalityDoesNotLoseLoadWithHostsThatDoNotCount) {
  Hosts hosts = Hosts()
                    .locality("a", 10)
                    .locality("b", 10)
                    .add(1, {.locality = 0})
                    .add(3, {.locality = 0, .health = Health::kExcluded})
                    .add(1, {.locality = 1});
  LoadBalancing config = of(Kind::kRoundRobin);
  config.locality_weighted = true;
  EXPECT_NEAR(Balancer(config, hosts).count(10'000)[0], 5000, 10);
}

TEST(Pickers, LocalitiesWithoutWeightsPlayNoPart) {
  const Hosts hosts =
      Hosts().locality("a", 0).locality("b", 0).add(1, {.locality = 0}).add(3, {.locality = 1});
  for (const Kind kind : kAllKinds) {
    LoadBalancing config = of(kind);
    config.locality_weighted = true;
    EXPECT_NEAR(Balancer(config, hosts).count(8000)[0], 2000, 300) << static_cast<int>(kind);
  }
}

TEST(Pickers, TriedHostsAreAvoidedWhileThereAreOthers) {
  for (const Kind kind : kAllKinds) {
    Balancer balancer(of(kind), Hosts().add(4));
    for (uint64_t request = 0; request < 200; ++request) {
      std::vector<uint32_t> tried;
      balancer.input.hash = mix_bits(request);
      while (tried.size() < 4) {
        balancer.input.avoid = tried;
        const int picked = balancer.pick();
        ASSERT_GE(picked, 0);
        tried.push_back(static_cast<uint32_t>(picked));
      }
      EXPECT_EQ(std::set(tried.begin(), tried.end()).size(), 4u) << static_cast<int>(kind);
      balancer.input.avoid = tried;
      EXPECT_GE(balancer.pick(), 0);  // all were tried: any will do
    }
  }
}

TEST(Pickers, AnotherLocalityIsTriedWhenOneIsExhausted) {
  Hosts hosts =
      Hosts().locality("a", 1).locality("b", 100).add(1, {.locality = 0}).add(1, {.locality = 1});
  LoadBalancing config = of(Kind::kRoundRobin);
  config.locality_weighted = true;
  Balancer balancer(config, hosts);
  const uint32_t tried[] = {1};
  balancer.input.avoid = tried;
  for (int i = 0; i < 50; ++i) EXPECT_EQ(balancer.pick(), 0);
}

TEST(RoundRobin, TakesTurnsInOrder) {
  Balancer balancer(of(Kind::kRoundRobin), Hosts().add(5));
  const int first = balancer.pick();
  for (int i = 1; i < 20; ++i) EXPECT_EQ(balancer.pick(), (first + i) % 5);
}

TEST(RoundRobin, WorkersBeginApart) {
  std::set<int> first;
  for (uint64_t seed = 0; seed < 64; ++seed)
    first.insert(Balancer(of(Kind::kRoundRobin), Hosts().add(4), seed).pick());
  EXPECT_EQ(first.size(), 4u);
}

TEST(RoundRobin, SlowStartGivesNewHostsLess) {
  LoadBalancing config = of(Kind::kRoundRobin);
  config.slow_start_window_ms = 10'000;
  const Hosts hosts = Hosts().add(1, {.added_ms = 0}).add(1, {.added_ms = 100'000});
  Balancer balancer(config, hosts);
  balancer.input.now_ms = 100'001;  // a fresh host has the minimum: a tenth
  EXPECT_NEAR(balancer.count(1100)[1], 100, 2);
  balancer.input.now_ms = 105'000;  // half of its time: half of its weight
  EXPECT_NEAR(balancer.count(1500)[1], 500, 6);
  balancer.input.now_ms = 110'000;
  EXPECT_NEAR(balancer.count(1000)[1], 500, 6);
}

TEST(RoundRobin, AggressionBendsSlowStart) {
  LoadBalancing config = of(Kind::kRoundRobin);
  config.slow_start_window_ms = 10'000;
  config.slow_start_aggression = 2;
  const Hosts hosts = Hosts().add(1, {.added_ms = 0}).add(1, {.added_ms = 100'000});
  Balancer balancer(config, hosts);
  balancer.input.now_ms = 102'500;  // a quarter of the time, to the power of 1/2: half
  EXPECT_NEAR(balancer.count(1500)[1], 500, 6);
}

TEST(LeastRequest, PrefersTheLessBusyOfTwo) {
  Balancer balancer(of(Kind::kLeastRequest), Hosts().add(4));
  balancer.active = {10, 10, 10, 0};
  // The idle host wins whenever it is among the two: 1 - (3/4)^2.
  EXPECT_NEAR(balancer.count(10'000)[3], 4375, 200);
}

TEST(LeastRequest, MoreChoicesFindTheIdleHostMoreOften) {
  LoadBalancing config = of(Kind::kLeastRequest);
  config.choice_count = 8;
  Balancer balancer(config, Hosts().add(4));
  balancer.active = {10, 10, 10, 0};
  EXPECT_NEAR(balancer.count(10'000)[3], 10'000 * (1 - std::pow(0.75, 8)), 200);
}

TEST(LeastRequest, FullScanFindsTheLeastBusyAndBreaksTiesByChance) {
  LoadBalancing config = of(Kind::kLeastRequest);
  config.full_scan = true;
  Balancer balancer(config, Hosts().add(4));
  balancer.active = {3, 1, 2, 1};
  const std::vector<int> counts = balancer.count(2000);
  EXPECT_NEAR(counts[1], 1000, 150);
  EXPECT_NEAR(counts[3], 1000, 150);
}

TEST(LeastRequest, KeepsLoadsEven) {
  Balancer balancer(of(Kind::kLeastRequest), Hosts().add(10));
  for (int i = 0; i < 1000; ++i) ++balancer.active[static_cast<size_t>(balancer.pick())];
  for (const uint32_t active : balancer.active) EXPECT_NEAR(active, 100, 6);
}

TEST(LeastRequest, WeightsShrinkWithActiveRequests) {
  const Hosts hosts = Hosts().add(1, {.weight = 2}).add(1, {.weight = 1});
  Balancer balancer(of(Kind::kLeastRequest), hosts);
  balancer.active = {3, 0};  // 2 / 4 against 1 / 1
  EXPECT_NEAR(balancer.count(3000)[0], 1000, 10);

  LoadBalancing unbiased = of(Kind::kLeastRequest);
  unbiased.active_request_bias = 0;
  Balancer plain(unbiased, hosts);
  plain.active = {3, 0};
  EXPECT_NEAR(plain.count(3000)[0], 2000, 10);
}

TEST(Hashing, EqualHashesGoToTheSameHost) {
  for (const Kind kind : {Kind::kRingHash, Kind::kMaglev}) {
    Balancer one(of(kind), Hosts().add(7), 1);
    Balancer other(of(kind), Hosts().add(7), 2);
    for (uint64_t i = 0; i < 200; ++i) {
      one.input.hash = other.input.hash = mix_bits(i);
      const int picked = one.pick();
      EXPECT_EQ(one.pick(), picked);
      EXPECT_EQ(other.pick(), picked);
    }
  }
}

TEST(Hashing, KeysOfOtherHostsStayWhenOneFallsIll) {
  for (const Kind kind : {Kind::kRingHash, Kind::kMaglev}) {
    Hosts hosts = Hosts().add(10);
    Balancer before(of(kind), hosts);
    Endpoint sick = hosts.set().endpoints[4];
    sick.health = Health::kUnhealthy;
    hosts.set().endpoints.replace(4, std::move(sick));
    Balancer after(of(kind), hosts);
    int moved = 0;
    for (uint64_t i = 0; i < 10'000; ++i) {
      before.input.hash = after.input.hash = mix_bits(i);
      const int old_host = before.pick();
      const int new_host = after.pick();
      EXPECT_NE(new_host, 4);
      moved += old_host != 4 && old_host != new_host;
    }
    // A ring of the same size has more points for each of nine hosts, hence not quite none.
    EXPECT_LT(moved, 10'000 * 9 / 100) << static_cast<int>(kind);
  }
}

TEST(Hashing, KeyIsMetadataThenHostnameThenAddress) {
  Endpoint endpoint;
  endpoint.address_text = "10.0.0.1:80";
  EXPECT_EQ(hash_key_of(endpoint, true), "10.0.0.1:80");
  endpoint.hostname = "a.example";
  EXPECT_EQ(hash_key_of(endpoint, true), "a.example");
  EXPECT_EQ(hash_key_of(endpoint, false), "10.0.0.1:80");
  endpoint.hash_key = "key";
  EXPECT_EQ(hash_key_of(endpoint, true), "key");
}

TEST(Hashing, BoundedLoadSpreadsTheOverflow) {
  for (const Kind kind : {Kind::kRingHash, Kind::kMaglev}) {
    LoadBalancing config = of(kind);
    config.hash_balance_factor = 150;
    Balancer balancer(config, Hosts().add(5));
    balancer.input.hash = 42;  // one hot key
    std::map<int, int> counts;
    for (int i = 0; i < 1000; ++i) {
      const int picked = balancer.pick();
      ++counts[picked];
      ++balancer.active[static_cast<size_t>(picked)];
    }
    EXPECT_GE(counts.size(), 4u);
    for (const auto& [host, count] : counts) EXPECT_LE(count, 302) << host;
  }
}

TEST(Hashing, BoundedLoadLeavesQuietHostsAlone) {
  LoadBalancing config = of(Kind::kMaglev);
  Balancer plain(config, Hosts().add(5));
  config.hash_balance_factor = 200;
  Balancer bounded(config, Hosts().add(5));
  for (uint64_t i = 0; i < 500; ++i) {
    plain.input.hash = bounded.input.hash = mix_bits(i);
    EXPECT_EQ(plain.pick(), bounded.pick());
  }
}

TEST(Hashing, PriorityIsChosenByTheHashToo) {
  const Hosts hosts = Hosts().add(1).add(1, {.health = Health::kUnhealthy}).add(1, {.priority = 1});
  LoadBalancing config = of(Kind::kRingHash);
  Balancer balancer(config, hosts);
  // 70% of hashes by their remainder, as Envoy does it.
  balancer.input.hash = 69;
  EXPECT_EQ(balancer.pick(), 0);
  balancer.input.hash = 71;
  EXPECT_EQ(balancer.pick(), 2);
}

}  // namespace
}  // namespace weir::upstream
