// What xDS requires of a client of the state-of-the-world variant.
#include <gmock/gmock.h>
#include <google/protobuf/duration.pb.h>

#include "envoy/config/core/v3/extension.pb.h"
#include "xds/testing/client_driver.h"

namespace weir::xds {
namespace {

using testing::cluster;
using testing::DiscoveryRequest;
using testing::DiscoveryResponse;
using ::testing::ElementsAre;
using testing::endpoints;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::joined;
using testing::listener;
using State = ResourceStatus::State;

constexpr auto kCds = ResourceType::kCluster;
constexpr auto kEds = ResourceType::kEndpoint;
constexpr auto kLds = ResourceType::kListener;

class SotwTest : public ::testing::Test, public testing::ClientDriver {
 protected:
  SotwTest() : ClientDriver(/*delta=*/false) {}

  DiscoveryRequest request() { return take_request<DiscoveryRequest>(); }
  std::vector<DiscoveryRequest> requests() { return take_requests<DiscoveryRequest>(); }
  // All clusters are subscribed to, and version 1 with `a` and `b` is in force.
  void take_first_clusters() {
    client().subscribe(kCds, "*", 0);
    client().start();
    answer(kCds, "1", "n1", {cluster("a"), cluster("b")});
    handlers[kCds].updates.clear();
    wire.sent.clear();
  }
};

TEST_F(SotwTest, OpensTheAggregatedStream) {
  client().start();
  ASSERT_EQ(wire.opened.size(), 1u);
  EXPECT_EQ(wire.opened[0].service, "envoy.service.discovery.v3.AggregatedDiscoveryService");
  EXPECT_EQ(wire.opened[0].method, "StreamAggregatedResources");
  EXPECT_THAT(requests(), IsEmpty());
}

TEST_F(SotwTest, TheFirstRequestCarriesNodeAndNoNonce) {
  auto node = std::make_shared<envoy::config::core::v3::Node>();
  node->set_id("proxy-1");
  options.node = node;
  client().subscribe(kEds, "a", 0);
  client().start();
  const DiscoveryRequest first = request();
  EXPECT_EQ(first.node().id(), "proxy-1");
  EXPECT_EQ(first.type_url(), "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment");
  EXPECT_EQ(joined(first.resource_names()), "a");
  EXPECT_EQ(first.response_nonce(), "");
  EXPECT_EQ(first.version_info(), "");
  client().subscribe(kEds, "b", 0);
  EXPECT_EQ(request().node().id(), "proxy-1");
}

TEST_F(SotwTest, NodeOnFirstMessageOnlyDropsItAfterwards) {
  auto node = std::make_shared<envoy::config::core::v3::Node>();
  node->set_id("proxy-1");
  options.node = node;
  options.node_on_first_message_only = true;
  client().subscribe(kCds, "*", 0);
  client().subscribe(kLds, "*", 0);
  client().start();
  const std::vector<DiscoveryRequest> sent = requests();
  ASSERT_EQ(sent.size(), 2u);
  EXPECT_TRUE(sent[0].has_node());
  EXPECT_FALSE(sent[1].has_node());
  reconnect();
  const std::vector<DiscoveryRequest> again = requests();
  ASSERT_EQ(again.size(), 2u);
  EXPECT_TRUE(again[0].has_node());
  EXPECT_FALSE(again[1].has_node());
}

TEST_F(SotwTest, AckHasTheNewVersionAndTheNonce) {
  client().subscribe(kCds, "*", 0);
  client().start();
  wire.sent.clear();
  answer(kCds, "1", "n1", {cluster("a")});
  const DiscoveryRequest ack = request();
  EXPECT_EQ(ack.version_info(), "1");
  EXPECT_EQ(ack.response_nonce(), "n1");
  EXPECT_FALSE(ack.has_error_detail());
  EXPECT_EQ(client().version(kCds), "1");
  EXPECT_EQ(handlers[kCds].take_added(), "a");
}

TEST_F(SotwTest, NackHasTheOldVersionTheNonceAndErrorDetailOnce) {
  take_first_clusters();
  handlers[kCds].refused["a"] = "lb_policy: is odd";
  answer(kCds, "2", "n2", {cluster("a", "x"), cluster("b", "x")});
  const DiscoveryRequest nack = request();
  EXPECT_EQ(nack.version_info(), "1");
  EXPECT_EQ(nack.response_nonce(), "n2");
  EXPECT_EQ(nack.error_detail().code(), 13);
  EXPECT_EQ(nack.error_detail().message(), "a: lb_policy: is odd");
  client().subscribe(kCds, "c", 0);
  const DiscoveryRequest next = request();
  EXPECT_FALSE(next.has_error_detail());
  EXPECT_EQ(next.response_nonce(), "n2");
  EXPECT_EQ(next.version_info(), "1");
}

TEST_F(SotwTest, ErrorDetailIsBoundedAndValidText) {
  take_first_clusters();
  handlers[kCds].refused["a"] = "\xff" + std::string(20'000, 'x');
  answer(kCds, "2", "n2", {cluster("a", "x")});
  const std::string message = request().error_detail().message();
  EXPECT_LE(message.size(), 8u << 10);
  EXPECT_THAT(message, ::testing::StartsWith("a: ?xxx"));
  EXPECT_THAT(message, ::testing::EndsWith("(and more)"));
}

TEST_F(SotwTest, EachTypeHasItsOwnNonce) {
  client().subscribe(kCds, "*", 0);
  client().subscribe(kEds, "a", 0);
  client().start();
  answer(kCds, "1", "nc", {cluster("a")});
  answer(kEds, "7", "ne", {endpoints("a")});
  wire.sent.clear();
  client().subscribe(kCds, "x", 0);
  EXPECT_EQ(request().response_nonce(), "nc");
  client().subscribe(kEds, "x", 0);
  const DiscoveryRequest eds = request();
  EXPECT_EQ(eds.response_nonce(), "ne");
  EXPECT_EQ(eds.version_info(), "7");
}

TEST_F(SotwTest, ReconnectClearsNoncesKeepsVersionsAndTheOrder) {
  client().subscribe(kLds, "*", 0);
  client().subscribe(kCds, "*", 0);
  client().subscribe(kEds, "a", 0);
  client().start();
  answer(kCds, "1", "n1", {cluster("a")});
  answer(kEds, "5", "n2", {endpoints("a")});
  wire.sent.clear();
  reconnect();
  const std::vector<DiscoveryRequest> again = requests();
  ASSERT_EQ(again.size(), 3u);
  EXPECT_EQ(again[0].type_url(), type_url(kLds));
  EXPECT_EQ(again[0].version_info(), "");
  EXPECT_EQ(again[1].type_url(), type_url(kCds));
  EXPECT_EQ(again[1].version_info(), "1");
  EXPECT_EQ(again[2].type_url(), type_url(kEds));
  EXPECT_EQ(again[2].version_info(), "5");
  for (const DiscoveryRequest& one : again) EXPECT_EQ(one.response_nonce(), "");
}

TEST_F(SotwTest, AnAnswerThatIsOvertakenIsNotAcknowledged) {
  take_first_clusters();
  client().pause(kCds);
  answer(kCds, "2", "n2", {cluster("a", "x")});
  answer(kCds, "3", "n3", {cluster("a", "y")});
  client().resume(kCds);
  const DiscoveryRequest ack = request();
  EXPECT_EQ(ack.response_nonce(), "n3");
  EXPECT_EQ(ack.version_info(), "3");
}

TEST_F(SotwTest, AnotherTypeThanTheAnswersIsRefused) {
  take_first_clusters();
  answer(kCds, "2", "n2", {cluster("c"), listener("l")});
  const DiscoveryRequest nack = request();
  EXPECT_EQ(nack.version_info(), "1");
  EXPECT_THAT(nack.error_detail().message(),
              HasSubstr("resources[1]: is of type "
                        "'type.googleapis.com/envoy.config.listener.v3.Listener'"));
  EXPECT_THAT(handlers[kCds].updates, IsEmpty());
}

TEST_F(SotwTest, WhatCannotBeReadIsRefusedByName) {
  take_first_clusters();
  google::protobuf::Any broken = cluster("c");
  broken.set_value("\x0a\xff");
  answer(kCds, "2", "n2", {cluster("d"), broken});
  EXPECT_EQ(request().error_detail().message(),
            "resources[1]: is no valid envoy.config.cluster.v3.Cluster");
  EXPECT_THAT(handlers[kCds].updates, IsEmpty());
  DiscoveryResponse response;
  response.set_type_url(std::string(type_url(kCds)));
  testing::Wrapper wrapper;
  wrapper.set_name("c");
  *wrapper.mutable_resource() = broken;
  *response.add_resources() = testing::any_of(wrapper);
  deliver(response);
  EXPECT_EQ(request().error_detail().message(), "c: is no valid envoy.config.cluster.v3.Cluster");
}

TEST_F(SotwTest, ANameThatIsThereTwiceIsRefused) {
  take_first_clusters();
  answer(kCds, "2", "n2", {cluster("c"), cluster("c", "x")});
  EXPECT_EQ(request().error_detail().message(), "c: is there more than once");
  EXPECT_THAT(handlers[kCds].updates, IsEmpty());
}

TEST_F(SotwTest, NoNameIsRefused) {
  take_first_clusters();
  answer(kCds, "2", "n2", {cluster(""), cluster("*")});
  EXPECT_EQ(request().error_detail().message(),
            "resources[0]: has no name of its own\n*: has no name of its own");
}

TEST_F(SotwTest, ResourcesMayBeWrapped) {
  client().subscribe(kEds, "alias-of-a", 0);
  client().subscribe(kEds, "b", 0);
  client().start();
  testing::Wrapper a;
  a.set_name("a");
  a.add_aliases("alias-of-a");
  a.set_version("a7");
  *a.mutable_resource() = endpoints("a");
  testing::Wrapper b;
  *b.mutable_resource() = endpoints("b");
  answer(kEds, "1", "n1", {testing::any_of(a), testing::any_of(b)});
  ASSERT_EQ(handlers[kEds].updates.size(), 1u);
  const std::vector<Resource>& added = handlers[kEds].updates[0].added;
  ASSERT_EQ(added.size(), 2u);
  EXPECT_EQ(added[0].name, "alias-of-a");
  EXPECT_EQ(added[0].version, "a7");
  EXPECT_EQ(added[0].content->type_url(), type_url(kEds));
  EXPECT_EQ(added[1].name, "b");
  EXPECT_EQ(added[1].version, "1");
}

TEST_F(SotwTest, WhatNobodyAskedForIsIgnored) {
  client().subscribe(kEds, "a", 0);
  client().start();
  wire.sent.clear();
  answer(kEds, "1", "n1", {endpoints("a"), endpoints("b")});
  EXPECT_EQ(handlers[kEds].take_added(), "a");
  EXPECT_FALSE(request().has_error_detail());
  answer(kEds, "2", "n2", {endpoints("b", 1)});
  EXPECT_THAT(handlers[kEds].updates, IsEmpty());
  EXPECT_EQ(request().version_info(), "2");
}

TEST_F(SotwTest, ATypeThatNobodySubscribedToIsIgnored) {
  take_first_clusters();
  answer(kEds, "1", "n1", {endpoints("a")});
  DiscoveryResponse response;
  response.set_type_url("type.googleapis.com/envoy.no.Such");
  deliver(response);
  EXPECT_THAT(requests(), IsEmpty());
}

TEST_F(SotwTest, ATypeThatNobodyIsSubscribedToAnyMoreIsRefused) {
  client().subscribe(kEds, "a", 0);
  client().start();
  client().unsubscribe(kEds, "a");
  std::vector<DiscoveryRequest> sent = requests();
  ASSERT_EQ(sent.size(), 2u);
  EXPECT_EQ(sent[1].resource_names_size(), 0);
  answer(kEds, "1", "n1", {endpoints("a")});
  const DiscoveryRequest nack = request();
  EXPECT_EQ(nack.version_info(), "");
  EXPECT_TRUE(nack.has_error_detail());
  answer(kEds, "2", "n2", {});
  EXPECT_FALSE(request().has_error_detail());
}

TEST_F(SotwTest, AbsenceRemovesClustersAndListeners) {
  take_first_clusters();
  answer(kCds, "2", "n2", {cluster("b"), cluster("c")});
  ASSERT_EQ(handlers[kCds].updates.size(), 1u);
  EXPECT_THAT(handlers[kCds].updates[0].removed, ElementsAre("a"));
  EXPECT_EQ(handlers[kCds].take_added(), "c");
}

TEST_F(SotwTest, AnEmptyAnswerRemovesAll) {
  take_first_clusters();
  answer(kCds, "2", "n2", {});
  EXPECT_EQ(handlers[kCds].take_removed(), "a b");
  EXPECT_EQ(request().version_info(), "2");
  EXPECT_THAT(client().status(), IsEmpty());
}

TEST_F(SotwTest, AFirstAnswerWithoutResourcesEndsTheWait) {
  client().subscribe(kCds, "*", 0);
  client().start();
  answer(kCds, "1", "n1", {});
  EXPECT_THAT(handlers[kCds].absent, ElementsAre("*"));
  answer(kCds, "2", "n2", {});
  EXPECT_EQ(handlers[kCds].absent.size(), 1u);
}

TEST_F(SotwTest, AFirstOneThatIsRejectedEndsTheWait) {
  client().subscribe(kEds, "a", 5000);
  client().start();
  handlers[kEds].refused["a"] = "endpoints: are odd";
  answer(kEds, "1", "n1", {endpoints("a")});
  EXPECT_THAT(handlers[kEds].absent, ElementsAre("a"));
  answer(kEds, "2", "n2", {endpoints("a", 1)});
  EXPECT_EQ(handlers[kEds].absent.size(), 1u);
}

TEST_F(SotwTest, AbsenceOfEndpointsIsNothing) {
  client().subscribe(kEds, "a", 0);
  client().subscribe(kEds, "b", 0);
  client().start();
  answer(kEds, "1", "n1", {endpoints("a")});
  handlers[kEds].updates.clear();
  answer(kEds, "2", "n2", {endpoints("b")});
  EXPECT_EQ(handlers[kEds].take_added(), "b");
  EXPECT_THAT(handlers[kEds].absent, IsEmpty());
  EXPECT_EQ(status_of("a").state, State::kAccepted);
}

TEST_F(SotwTest, AnExplicitListenerThatIsNotThereIsAbsent) {
  client().subscribe(kLds, "l", 15'000);
  client().start();
  answer(kLds, "1", "n1", {listener("other")});
  EXPECT_THAT(handlers[kLds].absent, ElementsAre("l"));
  EXPECT_THAT(handlers[kLds].updates, IsEmpty());
  EXPECT_EQ(status_of("l").state, State::kDoesNotExist);
  answer(kLds, "2", "n2", {});
  EXPECT_EQ(handlers[kLds].absent.size(), 1u);
  answer(kLds, "3", "n3", {listener("l")});
  EXPECT_EQ(handlers[kLds].take_added(), "l");
}

TEST_F(SotwTest, WildcardIsAnEmptyListUntilThereIsAName) {
  client().subscribe(kCds, "*", 0);
  client().start();
  EXPECT_EQ(joined(request().resource_names()), "");
  client().subscribe(kCds, "a", 0);
  EXPECT_EQ(joined(request().resource_names()), "* a");
  client().unsubscribe(kCds, "a");
  EXPECT_EQ(joined(request().resource_names()), "*");
  reconnect();
  EXPECT_EQ(joined(request().resource_names()), "");
}

TEST_F(SotwTest, UnsubscribingTheWildcardLeavesTheNames) {
  client().subscribe(kCds, "*", 0);
  client().subscribe(kCds, "a", 0);
  client().start();
  answer(kCds, "1", "n1", {cluster("a"), cluster("b")});
  wire.sent.clear();
  client().unsubscribe(kCds, "*");
  EXPECT_EQ(joined(request().resource_names()), "a");
  answer(kCds, "2", "n2", {cluster("a", "x"), cluster("b", "x")});
  EXPECT_EQ(handlers[kCds].take_added(), "a");
}

TEST_F(SotwTest, AWildcardThatNobodyWantsAnyMoreIsNamedAndThenLeftOut) {
  take_first_clusters();
  client().unsubscribe(kCds, "*");
  const std::vector<DiscoveryRequest> sent = requests();
  ASSERT_EQ(sent.size(), 2u);
  EXPECT_EQ(joined(sent[0].resource_names()), "*");
  EXPECT_EQ(joined(sent[1].resource_names()), "");
  // An empty list would now say that nothing is wanted.
  client().subscribe(kCds, "*", 0);
  EXPECT_EQ(joined(request().resource_names()), "*");
  answer(kCds, "2", "n2", {cluster("a")});
  EXPECT_EQ(handlers[kCds].take_added(), "a");
}

TEST_F(SotwTest, AWildcardThatIsGivenUpAndWantedAgainAtOnceIsAskedForAnew) {
  take_first_clusters();
  client().pause(kCds);
  client().unsubscribe(kCds, "*");
  client().subscribe(kCds, "*", 0);
  client().resume(kCds);
  const std::vector<DiscoveryRequest> sent = requests();
  ASSERT_EQ(sent.size(), 3u);
  EXPECT_EQ(joined(sent[0].resource_names()), "*");
  EXPECT_EQ(joined(sent[1].resource_names()), "");
  EXPECT_EQ(joined(sent[2].resource_names()), "*");
}

// To the server two equal lists in a row would be no news, and it would send nothing.
TEST_F(SotwTest, ANameThatIsDroppedAndWantedAgainWithinOneRequestIsLeftOutOnce) {
  client().subscribe(kEds, "a", 0);
  client().subscribe(kEds, "b", 0);
  client().start();
  answer(kEds, "1", "n1", {endpoints("a"), endpoints("b")});
  handlers[kEds].updates.clear();
  wire.sent.clear();
  client().pause(kEds);
  client().unsubscribe(kEds, "a");
  client().subscribe(kEds, "a", 0);
  client().resume(kEds);
  const std::vector<DiscoveryRequest> sent = requests();
  ASSERT_EQ(sent.size(), 2u);
  EXPECT_EQ(joined(sent[0].resource_names()), "b");
  EXPECT_EQ(joined(sent[1].resource_names()), "a b");
  answer(kEds, "1", "n2", {endpoints("a"), endpoints("b")});
  EXPECT_EQ(handlers[kEds].take_added(), "a");
}

TEST_F(SotwTest, ANameThatNoRequestNamedYetNeedsNoGap) {
  client().subscribe(kEds, "a", 0);
  client().unsubscribe(kEds, "a");
  client().subscribe(kEds, "a", 0);
  client().start();
  EXPECT_EQ(joined(request().resource_names()), "a");
}

TEST_F(SotwTest, ANameMayHaveSeveralSubscribers) {
  client().subscribe(kEds, "a", 0);
  client().start();
  wire.sent.clear();
  client().subscribe(kEds, "a", 0);
  client().unsubscribe(kEds, "a");
  EXPECT_THAT(requests(), IsEmpty());
  client().unsubscribe(kEds, "a");
  EXPECT_EQ(joined(request().resource_names()), "");
  client().unsubscribe(kEds, "a");
  EXPECT_THAT(requests(), IsEmpty());
}

TEST_F(SotwTest, UnchangedBytesAreLeftOut) {
  take_first_clusters();
  answer(kCds, "2", "n2", {cluster("a"), cluster("b", "x")});
  EXPECT_EQ(handlers[kCds].take_added(), "b");
  EXPECT_EQ(status_of("a").version, "2");
  wire.sent.clear();
  answer(kCds, "3", "n3", {cluster("a"), cluster("b", "x")});
  EXPECT_THAT(handlers[kCds].updates, IsEmpty());
  EXPECT_EQ(request().version_info(), "3");
}

TEST_F(SotwTest, WhatWasRejectedComesAgain) {
  take_first_clusters();
  handlers[kCds].refused["a"] = "bad";
  answer(kCds, "2", "n2", {cluster("a", "x"), cluster("b")});
  EXPECT_EQ(handlers[kCds].take_added(), "a");
  answer(kCds, "3", "n3", {cluster("a", "x"), cluster("b")});
  EXPECT_EQ(handlers[kCds].take_added(), "a");
  EXPECT_TRUE(requests().back().has_error_detail());
  // The good version again: the handler decides that it is what it has.
  handlers[kCds].refused.clear();
  answer(kCds, "4", "n4", {cluster("a"), cluster("b")});
  EXPECT_EQ(handlers[kCds].take_added(), "a");
  EXPECT_EQ(status_of("a").state, State::kAccepted);
}

TEST_F(SotwTest, ValidSiblingsAreAppliedAndErrorsAreJoined) {
  client().subscribe(kCds, "*", 0);
  client().start();
  wire.sent.clear();
  handlers[kCds].refused = {{"a", "one"}, {"c", "two"}};
  answer(kCds, "1", "n1", {cluster("a"), cluster("b"), cluster("c")});
  EXPECT_EQ(handlers[kCds].updates.size(), 1u);
  const DiscoveryRequest nack = request();
  EXPECT_EQ(nack.error_detail().message(), "a: one\nc: two");
  EXPECT_EQ(nack.version_info(), "");
  EXPECT_EQ(status_of("b").state, State::kAccepted);
  handlers[kCds].updates.clear();
  answer(kCds, "2", "n2", {});
  EXPECT_EQ(handlers[kCds].take_removed(), "b") << "only what was applied is removed";
}

TEST_F(SotwTest, RemovedAndAddedComeInOneCall) {
  take_first_clusters();
  answer(kCds, "2", "n2", {cluster("c")});
  ASSERT_EQ(handlers[kCds].updates.size(), 1u);
  EXPECT_EQ(handlers[kCds].updates[0].version, "2");
  EXPECT_THAT(handlers[kCds].updates[0].removed, ElementsAre("a", "b"));
  EXPECT_EQ(handlers[kCds].take_added(), "c");
}

TEST_F(SotwTest, NonAggregatedUsesTheTypesOwnService) {
  options.aggregated = false;
  only_type = ResourceType::kSecret;
  client().start();
  EXPECT_THAT(wire.opened, IsEmpty()) << "there is nothing to ask for";
  client().subscribe(ResourceType::kSecret, "cert", 0);
  ASSERT_EQ(wire.opened.size(), 1u);
  EXPECT_EQ(wire.opened[0].service, "envoy.service.secret.v3.SecretDiscoveryService");
  EXPECT_EQ(wire.opened[0].method, "StreamSecrets");
  EXPECT_EQ(joined(request().resource_names()), "cert");
}

TEST_F(SotwTest, KeepsWhatTheControlPlaneCallsItself) {
  take_first_clusters();
  DiscoveryResponse response;
  response.set_type_url(std::string(type_url(kCds)));
  response.mutable_control_plane()->set_identifier("plane-1");
  deliver(response);
  EXPECT_EQ(client().control_plane(), "plane-1");
}

}  // namespace
}  // namespace weir::xds
