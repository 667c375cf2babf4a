#include "proxy/upstream/ring.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "proxy/upstream/maglev.h"
#include "proxy/upstream/random.h"

namespace weir::upstream {
namespace {

// Hosts whose endpoint number is the number in `first`..; equal weights.
struct Hosts {
  std::vector<std::string> keys;
  std::vector<HashedHost> hosts;

  explicit Hosts(std::string_view prefix, uint32_t first, uint32_t count) {
    for (uint32_t i = 0; i < count; ++i)
      keys.push_back(std::string(prefix) + std::to_string(first + i));
    for (uint32_t i = 0; i < count; ++i) hosts.push_back({keys[i], first + i, 1.0 / count});
  }

  Hosts without(size_t gone) const {
    Hosts rest = *this;
    rest.hosts.erase(rest.hosts.begin() + static_cast<ptrdiff_t>(gone));
    for (HashedHost& host : rest.hosts) {
      host.key = rest.keys[static_cast<size_t>(&host - rest.hosts.data()) +
                           (static_cast<size_t>(&host - rest.hosts.data()) >= gone)];
      host.weight = 1.0 / static_cast<double>(rest.hosts.size());
    }
    return rest;
  }
};

// Positions as Envoy documents them for these six hosts and a ring of 12.
TEST(Ring, PointsAreEnvoys) {
  const Hosts hosts("127.0.0.1:", 90, 6);
  const Ring ring(hosts.hosts, {.min_size = 12});
  ASSERT_EQ(ring.size(), 12u);
  const std::pair<uint64_t, uint32_t> points[] = {
      {833437586790550860u, 94},   {928266305478181108u, 92},   {1033482794131418490u, 90},
      {3551244743356806947u, 95},  {3851675632748031481u, 93},  {5583722120771150861u, 91},
      {6311230543546372928u, 91},  {7700377290971790572u, 93},  {13144177310400110813u, 95},
      {13444792449719432967u, 92}, {15516499411664133160u, 94}, {16117243373044804889u, 90}};
  for (size_t i = 0; i < 12; ++i) {
    EXPECT_EQ(ring.look_up(points[i].first), points[i].second);
    EXPECT_EQ(ring.look_up(points[i].first + 1), points[(i + 1) % 12].second);
    EXPECT_EQ(ring.look_up(points[i].first, 1), points[(i + 1) % 12].second);
  }
  EXPECT_EQ(ring.look_up(0), 94u);
  EXPECT_EQ(ring.look_up(UINT64_MAX), 94u);
}

TEST(Ring, MurmurPointsAreEnvoys) {
  const Hosts hosts("127.0.0.1:", 80, 6);
  const Ring ring(hosts.hosts, {.min_size = 12, .murmur = true});
  EXPECT_EQ(ring.look_up(1358027074129602068u), 85u);
  EXPECT_EQ(ring.look_up(1358027074129602069u), 83u);
  EXPECT_EQ(ring.look_up(10150910876324007730u), 82u);
  EXPECT_EQ(ring.look_up(17613279263364193814u), 85u);
}

TEST(Ring, PointsFollowWeights) {
  Hosts hosts("h", 0, 3);
  hosts.hosts[0].weight = 0.25;
  hosts.hosts[1].weight = 0.25;
  hosts.hosts[2].weight = 0.5;
  const Ring ring(hosts.hosts, {.min_size = 1000});
  EXPECT_EQ(ring.size(), 1000u);
  std::vector<int> counts(3);
  for (size_t step = 0; step < ring.size(); ++step) ++counts[ring.look_up(0, step)];
  EXPECT_EQ(counts, (std::vector<int>{250, 250, 500}));
}

TEST(Ring, StaysBelowTheLargestSize) {
  Hosts hosts("h", 0, 2);
  hosts.hosts[0].weight = 0.001;
  hosts.hosts[1].weight = 0.999;
  EXPECT_EQ(Ring(hosts.hosts, {.min_size = 100, .max_size = 200}).size(), 200u);
  // The lightest host is given one whole point, which makes the ring larger than the minimum.
  EXPECT_EQ(Ring(hosts.hosts, {.min_size = 100, .max_size = 5000}).size(), 1000u);
}

TEST(Ring, WithoutHostsIsEmpty) {
  EXPECT_TRUE(Ring({}, {}).empty());
}

TEST(Ring, OnlyTheKeysOfALostHostMove) {
  const Hosts all("10.0.0.", 0, 20);
  const Ring before(all.hosts, {.min_size = 2000});
  const Ring after(all.without(7).hosts, {.min_size = 1900});
  int lost = 0;
  for (uint64_t i = 0; i < 20'000; ++i) {
    const uint64_t key = mix_bits(i);
    if (before.look_up(key) == 7)
      ++lost;
    else
      EXPECT_EQ(before.look_up(key), after.look_up(key));
  }
  EXPECT_NEAR(lost, 1000, 400);
}

// Tables as Envoy documents them for these hosts and a size of 7.
TEST(MaglevTable, EntriesAreEnvoys) {
  const auto entries = [](const Hosts& hosts) {
    const MaglevTable table(hosts.hosts, 7);
    return std::vector<uint32_t>(table.entries().begin(), table.entries().end());
  };
  EXPECT_EQ(entries(Hosts("127.0.0.1:", 90, 6)),
            (std::vector<uint32_t>{92, 94, 90, 91, 95, 90, 93}));
  EXPECT_EQ(entries(Hosts("", 90, 6)), (std::vector<uint32_t>{92, 95, 90, 93, 94, 91, 90}));
}

TEST(MaglevTable, OrderOfHostsDoesNotMatter) {
  Hosts hosts("h", 0, 50);
  const MaglevTable table(hosts.hosts, 1009);
  std::reverse(hosts.hosts.begin(), hosts.hosts.end());
  const MaglevTable reversed(hosts.hosts, 1009);
  EXPECT_TRUE(std::equal(table.entries().begin(), table.entries().end(), reversed.entries().begin(),
                         reversed.entries().end()));
}

TEST(MaglevTable, SharesDifferByAtMostOne) {
  const Hosts hosts("10.1.2.3:", 0, 37);
  const MaglevTable table(hosts.hosts, 65537);
  std::vector<int> counts(37);
  for (const uint32_t endpoint : table.entries()) ++counts[endpoint];
  const auto [least, most] = std::minmax_element(counts.begin(), counts.end());
  EXPECT_LE(*most - *least, 1);
}

TEST(MaglevTable, SharesFollowWeights) {
  Hosts hosts("h", 0, 3);
  hosts.hosts[0].weight = 1.0 / 6;
  hosts.hosts[1].weight = 2.0 / 6;
  hosts.hosts[2].weight = 3.0 / 6;
  const MaglevTable table(hosts.hosts, 65537);
  std::vector<double> counts(3);
  for (const uint32_t endpoint : table.entries()) ++counts[endpoint];
  EXPECT_NEAR(counts[0], 65537 / 6.0, 2);
  EXPECT_NEAR(counts[1], 65537 / 3.0, 2);
  EXPECT_NEAR(counts[2], 65537 / 2.0, 2);
}

TEST(MaglevTable, LosingAHostMovesFewOthers) {
  const Hosts all("10.0.0.", 0, 20);
  const MaglevTable before(all.hosts, 65537);
  const MaglevTable after(all.without(3).hosts, 65537);
  int moved = 0;
  for (size_t i = 0; i < 65537; ++i) {
    if (before.entries()[i] != 3 && before.entries()[i] != after.entries()[i]) ++moved;
  }
  EXPECT_LT(moved, 65537 * 4 / 100);
}

TEST(MaglevTable, MoreHostsThanEntries) {
  const Hosts hosts("h", 0, 30);
  const MaglevTable table(hosts.hosts, 11);
  EXPECT_EQ(table.entries().size(), 11u);
  for (const uint32_t endpoint : table.entries()) EXPECT_LT(endpoint, 30u);
}

TEST(MaglevTable, AttemptsGoElsewhere) {
  const Hosts hosts("h", 0, 10);
  const MaglevTable table(hosts.hosts, 65537);
  int same = 0;
  for (uint64_t i = 0; i < 1000; ++i) {
    const uint64_t key = mix_bits(i);
    same += table.look_up(key) == table.look_up(key, 1);
  }
  EXPECT_NEAR(same, 100, 60);
}

}  // namespace
}  // namespace weir::upstream
