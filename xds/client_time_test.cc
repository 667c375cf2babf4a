// What holds of both variants: waiting for resources, their time to live, and where they stand.
#include <gmock/gmock.h>
#include <google/protobuf/duration.pb.h>

#include "xds/client.h"
#include "xds/testing/client_driver.h"

namespace weir::xds {
namespace {

using testing::cluster;
using ::testing::ElementsAre;
using testing::endpoints;
using ::testing::IsEmpty;
using testing::wrapped;
using testing::Wrapper;
using State = ResourceStatus::State;

constexpr auto kCds = ResourceType::kCluster;
constexpr auto kEds = ResourceType::kEndpoint;
constexpr auto kLds = ResourceType::kListener;

google::protobuf::Any broken() {
  google::protobuf::Any any = endpoints("a");
  any.set_value("\x0a\xff");
  return any;
}

class ClientTimeTest : public testing::VariantTest {};
INSTANTIATE_TEST_SUITE_P(Variants, ClientTimeTest, ::testing::Bool(),
                         [](const auto& variant) { return variant.param ? "Delta" : "Sotw"; });

TEST_P(ClientTimeTest, WhatDoesNotComeInTimeIsAbsent) {
  client().subscribe(kEds, "a", 15'000);
  client().subscribe(kEds, "b", 0);
  client().start();
  pass(14'999);
  EXPECT_THAT(handlers[kEds].absent, IsEmpty());
  pass(1);
  EXPECT_THAT(handlers[kEds].absent, ElementsAre("a"));
  EXPECT_EQ(status_of("a").state, State::kTimeout);
  EXPECT_EQ((events[{kEds, Event::kFetchTimeout}]), 1);
  pass(1'000'000);
  EXPECT_EQ(handlers[kEds].absent.size(), 1u) << "0 is for ever";
  EXPECT_EQ(status_of("b").state, State::kRequested);
  give(kEds, "n1", {wrapped("a", "1", 0, endpoints("a"))});
  EXPECT_EQ(status_of("a").state, State::kAccepted) << "it may come later";
}

TEST_P(ClientTimeTest, TheWildcardMayNotComeInTimeEither) {
  client().subscribe(kCds, "*", 15'000);
  client().subscribe(kLds, "*", 15'000);
  client().start();
  give(kCds, "n1", {});
  EXPECT_THAT(handlers[kCds].absent, ElementsAre("*")) << "there is none: nobody has to wait";
  EXPECT_THAT(handlers[kLds].absent, IsEmpty());
  pass(15'000);
  EXPECT_THAT(handlers[kCds].absent, ElementsAre("*"));
  EXPECT_THAT(handlers[kLds].absent, ElementsAre("*"));
}

TEST_P(ClientTimeTest, AFailedConnectionDoesNotDisarmTheTimeout) {
  client().subscribe(kEds, "a", 15'000);
  client().start();
  wire.break_off();
  EXPECT_THAT(handlers[kEds].absent, IsEmpty());
  pass(15'000);
  EXPECT_THAT(handlers[kEds].absent, ElementsAre("a"));
}

TEST_P(ClientTimeTest, AnUpdateDisarmsTheTimeout) {
  client().subscribe(kEds, "a", 15'000);
  client().start();
  give(kEds, "n1", {wrapped("a", "1", 0, endpoints("a"))});
  pass(20'000);
  EXPECT_THAT(handlers[kEds].absent, IsEmpty());
}

TEST_P(ClientTimeTest, ARejectionDisarmsTheTimeout) {
  client().subscribe(kEds, "a", 15'000);
  client().start();
  handlers[kEds].refused["a"] = "odd";
  give(kEds, "n1", {wrapped("a", "1", 0, endpoints("a"))});
  EXPECT_THAT(handlers[kEds].absent, ElementsAre("a")) << "whoever waits goes on without";
  pass(20'000);
  EXPECT_EQ(handlers[kEds].absent.size(), 1u);
  EXPECT_EQ(status_of("a").state, State::kRejected);
}

TEST_P(ClientTimeTest, NobodyWaitsForWhatCameInARefusedAnswer) {
  client().subscribe(kEds, "a", 15'000);
  client().subscribe(kEds, "b", 15'000);
  client().start();
  give(kEds, "n1", {wrapped("a", "1", 0, broken())});
  EXPECT_THAT(handlers[kEds].updates, IsEmpty());
  EXPECT_THAT(handlers[kEds].absent, ElementsAre("a")) << "what waits goes on without";
  EXPECT_EQ(status_of("a").state, State::kRejected);
  EXPECT_EQ(status_of("a").error, "is no valid envoy.config.endpoint.v3.ClusterLoadAssignment");
  EXPECT_EQ(status_of("b").state, State::kRequested);
}

TEST_P(ClientTimeTest, ARefusedAnswerWithoutNamesEndsTheWait) {
  client().subscribe(kCds, "*", 15'000);
  client().subscribe(kCds, "x", 15'000);
  client().start();
  google::protobuf::Any any = cluster("a");
  any.set_value("\x0a\xff");
  give(kCds, "n1", {wrapped("", "1", 0, any)});
  EXPECT_THAT(handlers[kCds].absent, ElementsAre("x", "*"));
}

TEST_P(ClientTimeTest, AnotherSubscriberWaitsForItself) {
  client().subscribe(kEds, "a", 1'000);
  client().start();
  pass(1'000);
  client().subscribe(kEds, "a", 5'000);
  pass(5'000);
  EXPECT_THAT(handlers[kEds].absent, ElementsAre("a", "a"));
}

TEST_P(ClientTimeTest, UnsubscribingDisarmsTheTimeout) {
  client().subscribe(kEds, "a", 1'000);
  client().subscribe(kCds, "*", 1'000);
  client().start();
  client().unsubscribe(kEds, "a");
  client().unsubscribe(kCds, "*");
  pass(5'000);
  EXPECT_THAT(handlers[kEds].absent, IsEmpty());
  EXPECT_THAT(handlers[kCds].absent, IsEmpty());
}

TEST_P(ClientTimeTest, WhoIsToldOfAbsenceMaySubscribe) {
  client().subscribe(kEds, "a", 1'000);
  client().start();
  wire.sent.clear();
  handlers[kEds].on_absence = [&](const std::string& name) {
    client().unsubscribe(kEds, name);
    client().subscribe(kLds, "*", 0);
  };
  pass(1'000);
  EXPECT_EQ(requests().size(), 2u);
}

TEST_P(ClientTimeTest, ExpiryRemoves) {
  client().subscribe(kCds, "*", 0);
  client().subscribe(kEds, "a", 0);
  client().start();
  give(kCds, "c1", {wrapped("a", "1", 10, cluster("a")), wrapped("b", "1", 0, cluster("b"))});
  give(kEds, "e1", {wrapped("a", "1", 10, endpoints("a"))});
  handlers[kCds].updates.clear();
  handlers[kEds].updates.clear();
  pass(9'999);
  EXPECT_THAT(handlers[kCds].updates, IsEmpty());
  pass(1);
  EXPECT_EQ(handlers[kCds].take_removed(), "a");
  EXPECT_EQ(handlers[kEds].take_removed(), "a");
  EXPECT_EQ(status_of("a").state, State::kDoesNotExist) << "the endpoints; the cluster is gone";
  EXPECT_EQ(client().status().size(), 2u);
  give(kEds, "e2", {wrapped("a", "1", 0, endpoints("a"))});
  EXPECT_EQ(handlers[kEds].take_added(), "a") << "the same bytes as before";
  pass(100'000);
  EXPECT_EQ(status_of("b").state, State::kAccepted);
}

TEST_P(ClientTimeTest, AHeartbeatRefreshesTheTimerOnly) {
  client().subscribe(kEds, "a", 0);
  client().start();
  give(kEds, "e1", {wrapped("a", "1", 10, endpoints("a"))});
  handlers[kEds].updates.clear();
  wire.sent.clear();
  pass(9'000);
  give(kEds, "e2", {wrapped("a", "1", 10)});
  EXPECT_THAT(handlers[kEds].updates, IsEmpty());
  EXPECT_EQ(request().error, "");
  pass(9'000);
  EXPECT_EQ(status_of("a").state, State::kAccepted);
  pass(1'000);
  EXPECT_EQ(handlers[kEds].take_removed(), "a");
}

TEST_P(ClientTimeTest, HeartbeatsDoNotRemoveOthers) {
  client().subscribe(kCds, "*", 0);
  client().start();
  give(kCds, "c1", {wrapped("a", "1", 10, cluster("a")), wrapped("b", "1", 0, cluster("b"))});
  handlers[kCds].updates.clear();
  give(kCds, "c2", {wrapped("a", "1", 10)});
  EXPECT_THAT(handlers[kCds].updates, IsEmpty());
}

TEST_P(ClientTimeTest, AHeartbeatOfAnotherVersionIsRefused) {
  client().subscribe(kEds, "a", 0);
  client().start();
  give(kEds, "e1", {wrapped("a", "1", 10, endpoints("a"))});
  wire.sent.clear();
  give(kEds, "e2", {wrapped("a", "2", 10)});
  EXPECT_EQ(request().error, "a: has no resource, and version '2' is not what is here");
  pass(10'000);
  EXPECT_EQ(handlers[kEds].take_removed(), "a");
}

TEST_P(ClientTimeTest, AnUpdateWithoutTtlDisarmsIt) {
  client().subscribe(kEds, "a", 0);
  client().start();
  give(kEds, "e1", {wrapped("a", "1", 10, endpoints("a"))});
  handlers[kEds].updates.clear();
  give(kEds, "e2", {wrapped("a", "2", 0, endpoints("a"))});
  pass(100'000);
  EXPECT_THAT(handlers[kEds].updates, IsEmpty());
}

TEST_P(ClientTimeTest, AnOddTtlIsRefused) {
  client().subscribe(kEds, "a", 0);
  client().start();
  wire.sent.clear();
  Wrapper negative = wrapped("a", "1", 0, endpoints("a"));
  negative.mutable_ttl()->set_seconds(INT64_MIN);
  give(kEds, "e1", {negative});
  EXPECT_EQ(request().error, "a: has a ttl that is not positive, or out of range");
  Wrapper longest = wrapped("a", "1", 0, endpoints("a"));
  longest.mutable_ttl()->set_seconds(315'576'000'000);
  give(kEds, "e2", {longest});
  EXPECT_EQ(request().error, "");
}

TEST_P(ClientTimeTest, TellsWhereEachResourceStands) {
  client().subscribe(kEds, "a", 0);
  client().start();
  EXPECT_EQ(status_of("a").type, kEds);
  EXPECT_EQ(status_of("a").state, State::kRequested);
  EXPECT_EQ(status_of("a").since_ms, wire.wall_ms());
  pass(10);
  give(kEds, "e1", {wrapped("a", "1", 0, endpoints("a"))});
  const int64_t first_ms = wire.wall_ms();
  EXPECT_EQ(status_of("a").version, "1");
  EXPECT_EQ(status_of("a").updated_ms, first_ms);
  pass(10);
  handlers[kEds].refused["a"] = "odd";
  give(kEds, "e2", {wrapped("a", "2", 0, endpoints("a", 1))});
  const ResourceStatus refused = status_of("a");
  EXPECT_EQ(refused.state, State::kRejected);
  EXPECT_EQ(refused.version, "1") << "the last good one";
  EXPECT_EQ(refused.rejected_version, "2");
  EXPECT_EQ(refused.error, "odd");
  EXPECT_EQ(refused.since_ms, wire.wall_ms());
  EXPECT_EQ(refused.updated_ms, first_ms);
  pass(10);
  handlers[kEds].refused.clear();
  give(kEds, "e3", {wrapped("a", "3", 0, endpoints("a", 2))});
  EXPECT_EQ(status_of("a").state, State::kAccepted);
  EXPECT_EQ(status_of("a").version, "3");
  EXPECT_EQ(status_of("a").error, "");
  EXPECT_EQ(status_of("a").rejected_version, "");
  EXPECT_EQ(status_of("a").updated_ms, wire.wall_ms());
}

}  // namespace
}  // namespace weir::xds
