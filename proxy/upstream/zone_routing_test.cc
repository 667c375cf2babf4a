#include "proxy/upstream/zone_routing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace weir::upstream {
namespace {

using testing::DoubleNear;
using testing::ElementsAre;
using testing::IsEmpty;

Locality zone(const std::string& name) {
  return {.region = "r", .zone = name, .sub_zone = ""};
}

std::vector<ZoneHosts> zones(uint64_t a, uint64_t b, uint64_t c) {
  return {{zone("a"), a}, {zone("b"), b}, {zone("c"), c}};
}

auto near(double value) {
  return DoubleNear(value, 1e-9);
}

TEST(ZoneShares, AllStaysWhereThereIsEnough) {
  EXPECT_THAT(zone_shares(zone("a"), zones(2, 2, 2), zones(4, 4, 4), 6),
              ElementsAre(near(1), near(0), near(0)));
  EXPECT_THAT(zone_shares(zone("b"), zones(4, 1, 1), zones(1, 4, 1), 6),
              ElementsAre(near(0), near(1), near(0)));
}

TEST(ZoneShares, WhatIsTooMuchGoesWhereThereIsRoom) {
  // A half of the senders is here, but a quarter of the hosts: half of it stays. Zone b sends a
  // quarter and has a half, zone c sends and has a quarter.
  EXPECT_THAT(zone_shares(zone("a"), zones(4, 2, 2), zones(2, 4, 2), 6),
              ElementsAre(near(0.5), near(0.5), near(0)));
}

TEST(ZoneShares, RoomIsSharedByItsSize) {
  EXPECT_THAT(zone_shares(zone("a"), zones(8, 1, 1), zones(4, 4, 2), 6),
              ElementsAre(near(0.5), near(0.375), near(0.125)));
}

// All senders together load every host alike.
TEST(ZoneShares, EveryHostGetsTheSame) {
  const auto local = zones(5, 3, 2);
  const auto upstream = zones(2, 7, 3);
  std::vector<double> load(3, 0);
  for (size_t from = 0; from < 3; ++from) {
    const auto shares = zone_shares(local[from].locality, local, upstream, 6);
    for (size_t to = 0; to < 3; ++to)
      load[to] += shares[to] * static_cast<double>(local[from].hosts);
  }
  for (size_t i = 0; i < 3; ++i)
    EXPECT_NEAR(load[i] / static_cast<double>(upstream[i].hosts), 10.0 / 12, 1e-9) << i;
}

TEST(ZoneShares, ZonesPlayNoPart) {
  EXPECT_THAT(zone_shares(zone("a"), zones(2, 2, 2), zones(2, 2, 1), 6), IsEmpty()) << "few hosts";
  EXPECT_THAT(zone_shares(zone("x"), zones(2, 2, 2), zones(4, 4, 4), 6), IsEmpty()) << "elsewhere";
  EXPECT_THAT(zone_shares(zone("a"), zones(2, 2, 2), zones(0, 4, 4), 6), IsEmpty()) << "none fit";
  EXPECT_THAT(zone_shares(zone("a"), zones(0, 0, 0), zones(4, 4, 4), 6), IsEmpty()) << "unknown";
  const std::vector<ZoneHosts> one = {{zone("a"), 10}};
  EXPECT_THAT(zone_shares(zone("a"), one, one, 6), IsEmpty()) << "one zone";
}

TEST(ZoneShares, WithoutRoomAnywhereEachGetsItsPart) {
  // Senders stand in a zone that has no host at all, so nobody has room beyond what it is sent.
  const std::vector<ZoneHosts> local = {{zone("a"), 6}, {zone("b"), 6}};
  const std::vector<ZoneHosts> upstream = {{zone("a"), 2}, {zone("b"), 6}, {zone("c"), 0}};
  const auto shares = zone_shares(zone("a"), local, upstream, 6);
  EXPECT_THAT(shares, ElementsAre(near(0.5), near(0.5), near(0)));
}

}  // namespace
}  // namespace weir::upstream
