// What xDS requires of a client of the delta variant.
#include <gmock/gmock.h>

#include "xds/testing/client_driver.h"

namespace weir::xds {
namespace {

using testing::cluster;
using testing::DeltaDiscoveryRequest;
using testing::DeltaDiscoveryResponse;
using ::testing::ElementsAre;
using testing::endpoints;
using ::testing::IsEmpty;
using testing::joined;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;
using State = ResourceStatus::State;

constexpr auto kCds = ResourceType::kCluster;
constexpr auto kEds = ResourceType::kEndpoint;
constexpr auto kLds = ResourceType::kListener;

std::string subscribed(const DeltaDiscoveryRequest& request) {
  return joined(request.resource_names_subscribe());
}
std::string unsubscribed(const DeltaDiscoveryRequest& request) {
  return joined(request.resource_names_unsubscribe());
}

class DeltaTest : public ::testing::Test, public testing::ClientDriver {
 protected:
  struct Named {
    std::string name;
    std::string version;
    google::protobuf::Any content;
  };

  DeltaTest() : ClientDriver(/*delta=*/true) {}

  DeltaDiscoveryRequest request() { return take_request<DeltaDiscoveryRequest>(); }
  std::vector<DeltaDiscoveryRequest> requests() { return take_requests<DeltaDiscoveryRequest>(); }
  void answer_delta(ResourceType type, const std::string& nonce, const std::vector<Named>& added,
                    const std::vector<std::string>& removed = {}) {
    DeltaDiscoveryResponse response;
    response.set_type_url(std::string(type_url(type)));
    response.set_nonce(nonce);
    response.set_system_version_info("system-" + nonce);
    for (const Named& one : added) {
      auto& resource = *response.add_resources();
      resource.set_name(one.name);
      resource.set_version(one.version);
      *resource.mutable_resource() = one.content;
    }
    for (const std::string& name : removed) response.add_removed_resources(name);
    deliver(response);
  }
  // Clusters `a` and `b` came through "*", endpoints `a` by name.
  void take_first() {
    client().subscribe(kCds, "*", 0);
    client().start();
    answer_delta(kCds, "c1", {{"a", "1", cluster("a")}, {"b", "1", cluster("b")}});
    handlers[kCds].updates.clear();
    wire.sent.clear();
  }
};

TEST_F(DeltaTest, OpensTheAggregatedStream) {
  client().start();
  ASSERT_EQ(wire.opened.size(), 1u);
  EXPECT_EQ(wire.opened[0].service, "envoy.service.discovery.v3.AggregatedDiscoveryService");
  EXPECT_EQ(wire.opened[0].method, "DeltaAggregatedResources");
}

TEST_F(DeltaTest, APureWildcardLeavesTheNamesEmpty) {
  client().subscribe(kCds, "*", 0);
  client().start();
  const DeltaDiscoveryRequest first = request();
  EXPECT_EQ(first.type_url(), type_url(kCds));
  EXPECT_EQ(subscribed(first), "");
  EXPECT_EQ(unsubscribed(first), "");
}

TEST_F(DeltaTest, AnExplicitNameEndsTheEmptyWildcard) {
  client().subscribe(kCds, "*", 0);
  client().start();
  wire.sent.clear();
  client().subscribe(kCds, "x", 0);
  EXPECT_EQ(subscribed(request()), "* x");
  client().subscribe(kCds, "y", 0);
  EXPECT_EQ(subscribed(request()), "y");
  reconnect();
  EXPECT_EQ(subscribed(request()), "* x y");
}

TEST_F(DeltaTest, UnsubscribingTheWildcardNamesIt) {
  take_first();
  client().subscribe(kCds, "a", 0);
  wire.sent.clear();
  client().unsubscribe(kCds, "*");
  EXPECT_EQ(unsubscribed(request()), "*");
  answer_delta(kCds, "c2", {{"a", "2", cluster("a", "x")}, {"b", "2", cluster("b", "x")}});
  EXPECT_EQ(handlers[kCds].take_added(), "a");
}

TEST_F(DeltaTest, AckHasTheNonceAndNoError) {
  client().subscribe(kEds, "a", 0);
  client().start();
  wire.sent.clear();
  answer_delta(kEds, "n1", {{"a", "1", endpoints("a")}});
  const DeltaDiscoveryRequest ack = request();
  EXPECT_EQ(ack.response_nonce(), "n1");
  EXPECT_FALSE(ack.has_error_detail());
  EXPECT_EQ(subscribed(ack), "");
  EXPECT_EQ(client().version(kEds), "system-n1");
  EXPECT_EQ(handlers[kEds].take_added(), "a");
}

TEST_F(DeltaTest, NackHasTheNonceAndErrorDetailOnce) {
  take_first();
  handlers[kCds].refused["a"] = "odd";
  answer_delta(kCds, "c2", {{"a", "2", cluster("a", "x")}, {"c", "1", cluster("c")}});
  const DeltaDiscoveryRequest nack = request();
  EXPECT_EQ(nack.response_nonce(), "c2");
  EXPECT_EQ(nack.error_detail().code(), 13);
  EXPECT_EQ(nack.error_detail().message(), "a: odd");
  EXPECT_EQ(status_of("c").state, State::kAccepted) << "valid siblings are applied";
  client().subscribe(kCds, "d", 0);
  EXPECT_FALSE(request().has_error_detail());
}

TEST_F(DeltaTest, SpontaneousRequestsOmitTheNonce) {
  take_first();
  client().subscribe(kCds, "x", 0);
  EXPECT_EQ(request().response_nonce(), "");
  client().unsubscribe(kCds, "x");
  const DeltaDiscoveryRequest last = request();
  EXPECT_EQ(last.response_nonce(), "");
  EXPECT_EQ(unsubscribed(last), "x");
  EXPECT_TRUE(last.initial_resource_versions().empty());
}

TEST_F(DeltaTest, EveryAnswerIsAcknowledged) {
  take_first();
  client().pause(kCds);
  answer_delta(kCds, "c2", {{"a", "2", cluster("a", "x")}});
  answer_delta(kCds, "c3", {{"b", "2", cluster("b", "x")}});
  client().subscribe(kCds, "x", 0);
  client().subscribe(kCds, "y", 0);
  EXPECT_THAT(requests(), IsEmpty());
  client().resume(kCds);
  const std::vector<DeltaDiscoveryRequest> sent = requests();
  ASSERT_EQ(sent.size(), 2u);
  EXPECT_EQ(sent[0].response_nonce(), "c2");
  EXPECT_EQ(subscribed(sent[0]), "* x y");
  EXPECT_EQ(sent[1].response_nonce(), "c3");
  EXPECT_EQ(subscribed(sent[1]), "");
}

TEST_F(DeltaTest, ReconnectResendsAllSubscriptions) {
  client().subscribe(kLds, "*", 0);
  client().subscribe(kEds, "a", 0);
  client().subscribe(kEds, "b", 0);
  client().start();
  client().unsubscribe(kEds, "b");
  client().subscribe(kEds, "c", 0);
  wire.sent.clear();
  reconnect();
  const std::vector<DeltaDiscoveryRequest> again = requests();
  ASSERT_EQ(again.size(), 2u);
  EXPECT_EQ(again[0].type_url(), type_url(kLds));
  EXPECT_EQ(subscribed(again[0]), "");
  EXPECT_EQ(again[1].type_url(), type_url(kEds));
  EXPECT_EQ(subscribed(again[1]), "a c");
  EXPECT_EQ(unsubscribed(again[1]), "");
}

TEST_F(DeltaTest, InitialVersionsHaveWhatIsHereAndNotWhatIsWaitedFor) {
  take_first();
  client().subscribe(kCds, "a", 0);        // received: requested
  client().subscribe(kCds, "waiting", 0);  // nothing has come
  client().subscribe(kCds, "b", 0);
  client().unsubscribe(kCds, "b");  // ambiguous
  answer_delta(kCds, "c2", {{"w", "9", cluster("w")}});
  wire.sent.clear();
  reconnect();
  const DeltaDiscoveryRequest again = request();
  EXPECT_THAT(again.initial_resource_versions(),
              UnorderedElementsAre(Pair("a", "1"), Pair("b", "1"), Pair("w", "9")));
  EXPECT_EQ(subscribed(again), "* a waiting");
}

TEST_F(DeltaTest, InitialVersionsHaveTheVersionInForceOfWhatWasRejected) {
  take_first();
  handlers[kCds].refused = {{"a", "odd"}, {"new", "odd"}};
  answer_delta(kCds, "c2", {{"a", "2", cluster("a", "x")}, {"new", "1", cluster("new")}});
  wire.sent.clear();
  reconnect();
  EXPECT_THAT(request().initial_resource_versions(),
              UnorderedElementsAre(Pair("a", "1"), Pair("b", "1")));
}

TEST_F(DeltaTest, QueuedAcksAreDroppedOnReconnect) {
  take_first();
  client().pause(kCds);
  answer_delta(kCds, "c2", {{"a", "2", cluster("a", "x")}});
  reconnect();
  client().resume(kCds);
  const DeltaDiscoveryRequest first = request();
  EXPECT_EQ(first.response_nonce(), "");
  EXPECT_THAT(first.initial_resource_versions(),
              UnorderedElementsAre(Pair("a", "2"), Pair("b", "1")));
}

TEST_F(DeltaTest, AcksGoFirst) {
  client().subscribe(kEds, "a", 0);
  take_first();
  // Clusters came: their endpoints are asked for before the answer is acknowledged.
  handlers[kCds].on_apply = [&](const Update&) { client().subscribe(kEds, "c", 0); };
  answer_delta(kCds, "c2", {{"c", "1", cluster("c")}});
  const std::vector<DeltaDiscoveryRequest> sent = requests();
  ASSERT_EQ(sent.size(), 2u);
  EXPECT_EQ(sent[0].type_url(), type_url(kCds));
  EXPECT_EQ(sent[0].response_nonce(), "c2");
  EXPECT_EQ(sent[1].type_url(), type_url(kEds));
  EXPECT_EQ(subscribed(sent[1]), "c");
}

TEST_F(DeltaTest, ARemovedNameThatIsRequestedIsWaitedForAgain) {
  client().subscribe(kEds, "a", 0);
  client().start();
  answer_delta(kEds, "n1", {{"a", "1", endpoints("a")}});
  handlers[kEds].updates.clear();
  wire.sent.clear();
  answer_delta(kEds, "n2", {}, {"a"});
  EXPECT_EQ(handlers[kEds].take_removed(), "a");
  EXPECT_EQ(status_of("a").state, State::kDoesNotExist);
  EXPECT_EQ(request().response_nonce(), "n2");
  reconnect();
  const DeltaDiscoveryRequest again = request();
  EXPECT_EQ(subscribed(again), "a");
  EXPECT_TRUE(again.initial_resource_versions().empty());
  answer_delta(kEds, "n3", {{"a", "1", endpoints("a")}});
  EXPECT_EQ(handlers[kEds].take_added(), "a") << "the same bytes as before the removal";
}

TEST_F(DeltaTest, ARemovedNameThatIsWaitedForIsAbsentAtOnce) {
  client().subscribe(kEds, "a", 15'000);
  client().start();
  answer_delta(kEds, "n1", {}, {"a"});
  EXPECT_THAT(handlers[kEds].absent, ElementsAre("a"));
  EXPECT_THAT(handlers[kEds].updates, IsEmpty());
  pass(20'000);
  EXPECT_EQ(handlers[kEds].absent.size(), 1u);
  EXPECT_EQ(status_of("a").state, State::kDoesNotExist);
}

TEST_F(DeltaTest, ANameBothAddedAndRemovedIsRefused) {
  take_first();
  answer_delta(kCds, "c2", {{"c", "1", cluster("c")}}, {"c", "a"});
  EXPECT_EQ(request().error_detail().message(), "c: is both added and removed");
  EXPECT_THAT(handlers[kCds].updates, IsEmpty());
}

TEST_F(DeltaTest, ANameThatIsThereTwiceIsRefused) {
  take_first();
  answer_delta(kCds, "c2", {{"c", "1", cluster("c")}, {"c", "2", cluster("c")}});
  EXPECT_EQ(request().error_detail().message(), "c: is there more than once");
}

TEST_F(DeltaTest, AnotherTypeThanTheAnswersIsRefused) {
  take_first();
  answer_delta(kCds, "c2", {{"c", "1", endpoints("c")}});
  EXPECT_THAT(request().error_detail().message(), ::testing::StartsWith("c: is of type "));
}

TEST_F(DeltaTest, WhatTheWildcardBroughtIsRemovedByName) {
  take_first();
  answer_delta(kCds, "c2", {{"c", "1", cluster("c")}}, {"a", "unknown"});
  ASSERT_EQ(handlers[kCds].updates.size(), 1u);
  EXPECT_THAT(handlers[kCds].updates[0].removed, ElementsAre("a"));
  EXPECT_EQ(handlers[kCds].take_added(), "c");
}

TEST_F(DeltaTest, AFirstAnswerWithoutResourcesEndsTheWait) {
  client().subscribe(kCds, "*", 0);
  client().start();
  answer_delta(kCds, "c1", {});
  EXPECT_THAT(handlers[kCds].absent, ElementsAre("*"));
}

TEST_F(DeltaTest, AbsenceIsNothing) {
  take_first();
  answer_delta(kCds, "c2", {{"c", "1", cluster("c")}});
  EXPECT_EQ(handlers[kCds].take_removed(), "");
}

TEST_F(DeltaTest, TheServerSaysWhatIsWithAnAmbiguousName) {
  take_first();
  client().subscribe(kCds, "a", 0);
  client().subscribe(kCds, "b", 0);
  client().unsubscribe(kCds, "a");
  client().unsubscribe(kCds, "b");
  EXPECT_EQ(unsubscribed(requests().back()), "b");
  answer_delta(kCds, "c2", {{"b", "2", cluster("b", "x")}}, {"a"});
  EXPECT_THAT(handlers[kCds].updates.back().removed, ElementsAre("a"));
  EXPECT_EQ(handlers[kCds].take_added(), "b");
  client().unsubscribe(kCds, "*");
  EXPECT_THAT(client().status(), IsEmpty());
}

TEST_F(DeltaTest, WhatNobodyAskedForIsIgnored) {
  client().subscribe(kEds, "a", 0);
  client().start();
  wire.sent.clear();
  answer_delta(kEds, "n1", {{"b", "1", endpoints("b")}}, {"c"});
  EXPECT_THAT(handlers[kEds].updates, IsEmpty());
  EXPECT_FALSE(request().has_error_detail());
}

TEST_F(DeltaTest, UnchangedBytesAreLeftOutAndTheVersionIsKept) {
  take_first();
  answer_delta(kCds, "c2", {{"a", "2", cluster("a")}});
  EXPECT_THAT(handlers[kCds].updates, IsEmpty());
  EXPECT_EQ(request().response_nonce(), "c2");
  reconnect();
  EXPECT_THAT(request().initial_resource_versions(),
              UnorderedElementsAre(Pair("a", "2"), Pair("b", "1")));
}

TEST_F(DeltaTest, AResourceMayComeByAnAlias) {
  client().subscribe(kEds, "alias", 0);
  client().start();
  DeltaDiscoveryResponse response;
  response.set_type_url(std::string(type_url(kEds)));
  response.set_nonce("n1");
  auto& resource = *response.add_resources();
  resource.set_name("origin");
  resource.add_aliases("alias");
  resource.set_version("1");
  *resource.mutable_resource() = endpoints("origin");
  deliver(response);
  EXPECT_EQ(handlers[kEds].take_added(), "alias");
  answer_delta(kEds, "n2", {}, {"origin"});
  EXPECT_EQ(handlers[kEds].take_removed(), "alias");
}

TEST_F(DeltaTest, WhatComesByAnotherNameIsNotRemoved) {
  client().subscribe(kEds, "alias", 0);
  client().start();
  DeltaDiscoveryResponse response;
  response.set_type_url(std::string(type_url(kEds)));
  response.add_removed_resources("alias");
  auto& resource = *response.add_resources();
  resource.set_name("origin");
  resource.add_aliases("alias");
  *resource.mutable_resource() = endpoints("origin");
  deliver(response);
  EXPECT_THAT(handlers[kEds].absent, IsEmpty());
  EXPECT_EQ(handlers[kEds].take_added(), "alias");
  EXPECT_EQ(status_of("alias").state, State::kAccepted);
}

TEST_F(DeltaTest, ResubscribingBeforeTheRequestIsSentAsksAgain) {
  take_first();
  client().subscribe(kEds, "a", 0);
  wire.sent.clear();
  client().pause(kEds);
  client().unsubscribe(kEds, "a");
  client().subscribe(kEds, "a", 0);
  client().resume(kEds);
  const DeltaDiscoveryRequest one = request();
  EXPECT_EQ(subscribed(one), "a");
  EXPECT_EQ(unsubscribed(one), "");
}

TEST_F(DeltaTest, NonAggregatedUsesTheTypesOwnService) {
  options.aggregated = false;
  only_type = ResourceType::kScopedRoute;
  client().subscribe(only_type, "*", 0);
  client().start();
  ASSERT_EQ(wire.opened.size(), 1u);
  EXPECT_EQ(wire.opened[0].service, "envoy.service.route.v3.ScopedRoutesDiscoveryService");
  EXPECT_EQ(wire.opened[0].method, "DeltaScopedRoutes");
}

}  // namespace
}  // namespace weir::xds
