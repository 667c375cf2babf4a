#include "proxy/upstream/host_moves.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace weir::upstream {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

constexpr uint32_t kGone = HostMoves::kGone;

Endpoint at(int last_byte) {
  Endpoint endpoint;
  endpoint.address = net::Address::ip("10.0.0." + std::to_string(last_byte), 80).take();
  return endpoint;
}

HostSet set_of(std::initializer_list<int> last_bytes) {
  HostSet set;
  for (const int last_byte : last_bytes) set.endpoints.push_back(at(last_byte));
  return set;
}

// Of the old set those of `kept`, shared, then new ones.
HostSet next_of(const HostSet& old, std::initializer_list<size_t> kept,
                std::initializer_list<int> last_bytes) {
  HostSet set;
  for (const size_t i : kept) set.endpoints.push_back(old.endpoints.shared(i));
  for (const int last_byte : last_bytes) set.endpoints.push_back(at(last_byte));
  return set;
}

TEST(HostMoves, NothingMovesWhenTheSetIsTheSame) {
  const HostSet old = set_of({1, 2, 3});
  const HostMoves moves = find_moves(old, old);
  EXPECT_TRUE(moves.in_place);
  EXPECT_THAT(moves.to, IsEmpty());
  EXPECT_THAT(moves.changed, IsEmpty());
}

TEST(HostMoves, AnotherHealthIsNoMove) {
  const HostSet old = set_of({1, 2, 3});
  HostSet next = old;
  Endpoint sick = next.endpoints[1];
  sick.health = Health::kUnhealthy;
  next.endpoints.replace(1, sick);
  const HostMoves moves = find_moves(old, next);
  EXPECT_TRUE(moves.in_place);
  EXPECT_THAT(moves.changed, ElementsAre(1));
  EXPECT_EQ(old.endpoints[1].health, Health::kHealthy) << "what was published stays as it is";
}

TEST(HostMoves, HostsMoveUpWhenOneGoes) {
  const HostSet old = set_of({1, 2, 3, 4});
  const HostMoves moves = find_moves(old, next_of(old, {0, 2, 3}, {}));
  EXPECT_FALSE(moves.in_place);
  EXPECT_THAT(moves.to, ElementsAre(0, kGone, 1, 2));
  EXPECT_THAT(moves.changed, IsEmpty());
}

TEST(HostMoves, NewOnesAreNobodysPlace) {
  const HostSet old = set_of({1, 2});
  const HostMoves moves = find_moves(old, next_of(old, {1, 0}, {9}));
  EXPECT_THAT(moves.to, ElementsAre(1, 0));
  EXPECT_THAT(find_moves(set_of({}), old).to, IsEmpty());
  EXPECT_THAT(find_moves(old, set_of({})).to, ElementsAre(kGone, kGone));
}

TEST(HostMoves, TheSameAddressIsTheSameHost) {
  const HostSet old = set_of({1, 2, 3});
  const HostMoves moves = find_moves(old, set_of({3, 1, 7}));
  EXPECT_THAT(moves.to, ElementsAre(1, kGone, 0));
  EXPECT_THAT(moves.changed, UnorderedElementsAre(0, 1)) << "their endpoints are other objects";
}

TEST(HostMoves, AnAddressMayBeThereTwice) {
  EXPECT_THAT(find_moves(set_of({1, 1, 2}), set_of({2, 1})).to, ElementsAre(1, kGone, 0));
  EXPECT_THAT(find_moves(set_of({1, 2}), set_of({1, 1, 1})).to, ElementsAre(0, kGone));
  EXPECT_THAT(find_moves(set_of({1, 1}), set_of({2, 1, 1})).to, ElementsAre(1, 2));
}

TEST(HostMoves, HeadAndTailOfTheSameObjectsAreNotLookedUpTwice) {
  const HostSet old = set_of({5, 5, 1, 2, 5});
  // The middle one of three equal addresses goes.
  const HostMoves moves = find_moves(old, next_of(old, {0, 2, 3, 4}, {}));
  EXPECT_THAT(moves.to, ElementsAre(0, kGone, 1, 2, 3));
}

TEST(HostMoves, ALogicalHostIsTheSameAtAnotherAddress) {
  HostSet sets[2];
  for (int i = 0; i < 2; ++i) {
    Endpoint endpoint = at(1 + i);
    endpoint.logical = true;
    sets[i].endpoints.push_back(std::move(endpoint));
  }
  const HostMoves moves = find_moves(sets[0], sets[1]);
  EXPECT_TRUE(moves.in_place);
  EXPECT_THAT(moves.changed, ElementsAre(0));
}

TEST(EndpointIndex, TakesEachEndpointOnce) {
  const HostSet set = set_of({1, 2, 1});
  EndpointIndex index(set);
  EXPECT_EQ(index.take(at(1).address), 0u);
  EXPECT_EQ(index.take(at(1).address), 2u);
  EXPECT_EQ(index.take(at(1).address), EndpointIndex::kNone);
  EXPECT_EQ(index.take(at(3).address), EndpointIndex::kNone);
  EXPECT_EQ(index.take(at(2).address), 1u);
}

}  // namespace
}  // namespace weir::upstream
