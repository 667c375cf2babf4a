// Asking again for what is here already: what control planes are told, and whoever waits.
#include <gmock/gmock.h>

#include "xds/client.h"
#include "xds/testing/client_driver.h"

namespace weir::xds {
namespace {

using testing::DeltaDiscoveryRequest;
using testing::DiscoveryRequest;
using ::testing::ElementsAre;
using testing::endpoints;
using ::testing::IsEmpty;
using testing::joined;
using testing::wrapped;
using State = ResourceStatus::State;

constexpr auto kEds = ResourceType::kEndpoint;

google::protobuf::Any broken() {
  google::protobuf::Any any = endpoints("a");
  any.set_value("\x0a\xff");
  return any;
}

class RefreshTest : public testing::VariantTest {
 protected:
  // `a` and `b` are here.
  void take_first() {
    client().subscribe(kEds, "a", 0);
    client().subscribe(kEds, "b", 0);
    client().start();
    give(kEds, "n1", {wrapped("a", "1", 0, endpoints("a")), wrapped("b", "1", 0, endpoints("b"))});
    wire.sent.clear();
    handlers[kEds].updates.clear();
  }
  std::vector<std::string>& absent() { return handlers[kEds].absent; }
  std::vector<std::string>& unchanged() { return handlers[kEds].unchanged; }
};
INSTANTIATE_TEST_SUITE_P(Variants, RefreshTest, ::testing::Bool(),
                         [](const auto& variant) { return variant.param ? "Delta" : "Sotw"; });

// What is the same again is no news to a server that knows what it sent: the name is left out once.
TEST_P(RefreshTest, AsksSoThatTheServerAnswers) {
  take_first();
  client().refresh(kEds, "a", 0);
  if (GetParam()) {
    const auto sent = take_requests<DeltaDiscoveryRequest>();
    ASSERT_EQ(sent.size(), 2u);
    EXPECT_EQ(joined(sent[0].resource_names_unsubscribe()), "a");
    EXPECT_EQ(joined(sent[0].resource_names_subscribe()), "");
    EXPECT_EQ(joined(sent[1].resource_names_unsubscribe()), "");
    EXPECT_EQ(joined(sent[1].resource_names_subscribe()), "a");
    return;
  }
  const auto sent = take_requests<DiscoveryRequest>();
  ASSERT_EQ(sent.size(), 2u);
  EXPECT_EQ(joined(sent[0].resource_names()), "b");
  EXPECT_EQ(joined(sent[1].resource_names()), "a b");
}

TEST_P(RefreshTest, TheSameAgainIsTold) {
  take_first();
  EXPECT_THAT(unchanged(), IsEmpty());
  client().refresh(kEds, "a", 1'000);
  EXPECT_EQ(status_of("a").state, State::kAccepted) << "what is in force stays so";
  give(kEds, "n2", {wrapped("a", "1", 0, endpoints("a"))});
  EXPECT_THAT(unchanged(), ElementsAre("a"));
  EXPECT_THAT(handlers[kEds].updates, IsEmpty());
  pass(2'000);
  EXPECT_THAT(absent(), IsEmpty());
}

TEST_P(RefreshTest, SoIsWhatNobodyAskedForAgain) {
  take_first();
  give(kEds, "n2", {wrapped("a", "2", 0, endpoints("a", 1)), wrapped("b", "1", 0, endpoints("b"))});
  EXPECT_EQ(handlers[kEds].take_added(), "a");
  EXPECT_THAT(unchanged(), ElementsAre("b"));
}

TEST_P(RefreshTest, AHeartbeatIsNoAnswer) {
  client().subscribe(kEds, "a", 0);
  client().start();
  give(kEds, "n1", {wrapped("a", "1", 60, endpoints("a"))});
  client().refresh(kEds, "a", 5'000);
  give(kEds, "n2", {wrapped("a", "1", 60)});
  EXPECT_THAT(unchanged(), IsEmpty());
  pass(5'000);
  EXPECT_THAT(absent(), ElementsAre("a"));
}

TEST_P(RefreshTest, WhatIsNewEndsTheWait) {
  take_first();
  client().refresh(kEds, "a", 1'000);
  give(kEds, "n2", {wrapped("a", "2", 0, endpoints("a", 1))});
  EXPECT_EQ(handlers[kEds].take_added(), "a");
  pass(2'000);
  EXPECT_THAT(absent(), IsEmpty());
}

TEST_P(RefreshTest, NoAnswerIsTold) {
  take_first();
  client().refresh(kEds, "a", 1'000);
  pass(999);
  EXPECT_THAT(absent(), IsEmpty());
  pass(1);
  EXPECT_THAT(absent(), ElementsAre("a"));
  EXPECT_EQ(status_of("a").state, State::kAccepted);
  pass(5'000);
  EXPECT_EQ(absent().size(), 1u);
}

TEST_P(RefreshTest, AnotherOneBeginsTheWaitAnew) {
  take_first();
  client().refresh(kEds, "a", 1'000);
  pass(900);
  client().refresh(kEds, "a", 1'000);
  pass(900);
  EXPECT_THAT(absent(), IsEmpty());
  pass(100);
  EXPECT_THAT(absent(), ElementsAre("a"));
}

TEST_P(RefreshTest, ARejectionEndsTheWait) {
  take_first();
  client().refresh(kEds, "a", 1'000);
  handlers[kEds].refused["a"] = "odd";
  give(kEds, "n2", {wrapped("a", "2", 0, endpoints("a", 1))});
  EXPECT_THAT(absent(), ElementsAre("a")) << "whoever waits goes on with the last good one";
  pass(2'000);
  EXPECT_EQ(absent().size(), 1u);
}

TEST_P(RefreshTest, SoDoesAnAnswerThatIsRefusedAsAWhole) {
  take_first();
  client().refresh(kEds, "a", 1'000);
  client().refresh(kEds, "b", 1'000);
  give(kEds, "n2", {wrapped("a", "2", 0, broken()), wrapped("b", "1", 0, endpoints("b"))});
  EXPECT_THAT(absent(), ElementsAre("a", "b"));
  EXPECT_EQ(status_of("b").state, State::kAccepted);
  pass(2'000);
  EXPECT_EQ(absent().size(), 2u);
}

TEST_P(RefreshTest, ANewStreamAsksForItToo) {
  take_first();
  client().refresh(kEds, "a", 60'000);
  wire.sent.clear();
  reconnect();
  if (GetParam()) {
    const auto sent = take_request<DeltaDiscoveryRequest>();
    EXPECT_EQ(joined(sent.resource_names_subscribe()), "a b");
    EXPECT_EQ(sent.initial_resource_versions().size(), 1u) << "a server need not send those again";
    EXPECT_TRUE(sent.initial_resource_versions().contains("b"));
  } else {
    EXPECT_EQ(joined(take_request<DiscoveryRequest>().resource_names()), "a b");
  }
  give(kEds, "n2", {wrapped("a", "1", 0, endpoints("a"))});
  EXPECT_THAT(unchanged(), ElementsAre("a"));
}

TEST_P(RefreshTest, UnsubscribingEndsTheWait) {
  take_first();
  client().refresh(kEds, "a", 1'000);
  client().unsubscribe(kEds, "a");
  pass(2'000);
  EXPECT_THAT(absent(), IsEmpty());
}

TEST_P(RefreshTest, WhatNobodySubscribedToIsNotAskedFor) {
  take_first();
  client().refresh(kEds, "c", 1'000);
  EXPECT_THAT(requests(), IsEmpty());
  pass(2'000);
  EXPECT_THAT(absent(), IsEmpty());
}

}  // namespace
}  // namespace weir::xds
