// What holds of both variants: connecting, limits and pauses.
#include "xds/client.h"

#include <gmock/gmock.h>

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

class ClientTest : public testing::VariantTest {};
INSTANTIATE_TEST_SUITE_P(Variants, ClientTest, ::testing::Bool(),
                         [](const auto& variant) { return variant.param ? "Delta" : "Sotw"; });

TEST_P(ClientTest, BacksOffWithJitterUntilAMessageComes) {
  client().subscribe(kCds, "*", 0);
  client().start();
  EXPECT_EQ(wire.opened.size(), 1u);
  // Opened, but without a message: the waits grow.
  for (const int64_t bound_ms : {500, 1000, 2000}) {
    wire.random_value = static_cast<uint64_t>(bound_ms) - 1;
    wire.break_off();
    const size_t before = wire.opened.size();
    pass(bound_ms - 2);
    EXPECT_EQ(wire.opened.size(), before);
    pass(1);
    EXPECT_EQ(wire.opened.size(), before + 1);
  }
  give(kCds, "n1", {});
  wire.random_value = 499;
  wire.break_off();
  pass(499);
  EXPECT_TRUE(wire.is_open()) << "the first message resets the wait";
}

TEST_P(ClientTest, IsConnectedOnceAMessageCame) {
  client().subscribe(kCds, "*", 0);
  client().start();
  EXPECT_FALSE(client().connected());
  give(kCds, "n1", {});
  give(kCds, "n2", {});
  EXPECT_TRUE(client().connected());
  EXPECT_THAT(connections, ElementsAre(true));
  wire.break_off();
  EXPECT_FALSE(client().connected());
  EXPECT_THAT(connections, ElementsAre(true, false));
  pass(1);
  wire.break_off();
  EXPECT_THAT(connections, ElementsAre(true, false)) << "it was not connected";
}

TEST_P(ClientTest, TellsOncePerOutageWhy) {
  client().subscribe(kCds, "*", 0);
  client().start();
  wire.break_off("connection refused");
  pass(1'000);
  wire.break_off("connection refused");
  EXPECT_THAT(outages, ElementsAre("connection refused"));
  pass(10'000);
  give(kCds, "n1", {wrapped("a", "1", 0, cluster("a"))});
  wire.break_off("gRPC status 14: bye");
  pass(10'000);
  wire.break_off("connection refused");
  EXPECT_THAT(outages, ElementsAre("connection refused", "gRPC status 14: bye"));
}

TEST_P(ClientTest, StartingTwiceOpensOneStream) {
  client().start();
  client().start();
  EXPECT_EQ(wire.opened.size(), 1u);
}

TEST_P(ClientTest, WhatIsNoMessageBreaksTheStreamOff) {
  client().subscribe(kCds, "*", 0);
  client().start();
  wire.deliver("\xff\xff");
  EXPECT_FALSE(wire.is_open());
  pass(1);
  EXPECT_TRUE(wire.is_open());
  wire.random_value = 999;
  wire.deliver("\xff\xff");
  pass(998);
  EXPECT_FALSE(wire.is_open()) << "it does not count as a message";
}

TEST_P(ClientTest, CountsWhatHappens) {
  client().subscribe(kCds, "*", 0);
  EXPECT_EQ((events[{kCds, Event::kAttempt}]), 1);
  client().start();
  EXPECT_EQ((events[{kCds, Event::kAttempt}]), 2);
  give(kCds, "n1", {wrapped("a", "1", 0, cluster("a"))});
  EXPECT_EQ((events[{kCds, Event::kSuccess}]), 1);
  handlers[kCds].refused["a"] = "odd";
  give(kCds, "n2", {wrapped("a", "2", 0, cluster("a", "x"))});
  EXPECT_EQ((events[{kCds, Event::kRejected}]), 1);
  EXPECT_EQ(rejections, (std::vector<std::string>{"a: odd"}));
  wire.break_off();
  EXPECT_EQ((events[{kCds, Event::kFailure}]), 1);
  EXPECT_EQ((events[{kLds, Event::kFailure}]), 0);
}

TEST_P(ClientTest, RefusingForEverIsLimitedToTenASecond) {
  client().subscribe(kCds, "*", 0);
  client().start();
  handlers[kCds].refused["a"] = "odd";
  int nonce = 0;
  // The control plane answers each request at once.
  const auto answer_all = [&] {
    const size_t count = wire.sent.size();
    wire.sent.clear();
    for (size_t i = 0; i < count; ++i) {
      give(kCds, std::to_string(++nonce), {wrapped("a", "2", 0, cluster("a"))});
    }
  };
  while (!wire.sent.empty() && nonce < 1000) answer_all();
  EXPECT_EQ(nonce, 100) << "the burst";
  size_t total = 0;
  for (int i = 0; i < 1000; ++i) {
    pass(10);
    total += wire.sent.size();
    answer_all();
  }
  EXPECT_GE(total, 99u);
  EXPECT_LE(total, 100u) << "ten seconds";
  EXPECT_GE((events[{kCds, Event::kRateLimited}]), 1);
}

TEST_P(ClientTest, NewSubscriptionsGetThroughEndlessRefusals) {
  options.max_tokens = 1;
  client().subscribe(kCds, "*", 0);
  client().start();
  wire.sent.clear();
  handlers[kCds].refused["a"] = "odd";
  give(kCds, "0", {wrapped("a", "2", 0, cluster("a"))});
  client().subscribe(kEds, "a", 0);
  bool has_asked = false;
  for (int i = 0; i < 20; ++i) {
    pass(100);
    for (const Request& one : requests()) {
      has_asked = has_asked || one.type_url == type_url(kEds);
      give(kCds, std::to_string(i), {wrapped("a", "2", 0, cluster("a"))});
    }
  }
  EXPECT_TRUE(has_asked);
}

TEST_P(ClientTest, TheLimitHoldsOverReconnects) {
  options.max_tokens = 2;
  client().subscribe(kCds, "*", 0);
  client().subscribe(kEds, "a", 0);
  client().start();
  EXPECT_EQ(requests().size(), 2u);
  wire.break_off();
  pass(1);
  EXPECT_TRUE(wire.is_open());
  EXPECT_THAT(requests(), IsEmpty());
  pass(200);
  EXPECT_EQ(requests().size(), 2u);
}

TEST_P(ClientTest, APausedTypeSendsNothingAndThenOneRequest) {
  client().subscribe(kEds, "a", 0);
  client().start();
  wire.sent.clear();
  client().pause(kEds);
  client().pause(kEds);
  give(kEds, "n1", {wrapped("a", "1", 0, endpoints("a"))});
  client().subscribe(kEds, "b", 0);
  client().subscribe(kEds, "c", 0);
  client().resume(kEds);
  EXPECT_THAT(requests(), IsEmpty()) << "pauses nest";
  client().subscribe(kCds, "*", 0);
  EXPECT_EQ(request().type_url, type_url(kCds)) << "other types go on";
  client().resume(kEds);
  EXPECT_EQ(request().nonce, "n1");
  client().resume(kEds);
  EXPECT_THAT(requests(), IsEmpty());
}

TEST_P(ClientTest, WhatAHandlerSubscribesToIsGathered) {
  client().subscribe(kCds, "*", 0);
  client().start();
  wire.sent.clear();
  handlers[kCds].on_apply = [&](const Update& update) {
    for (const Resource& resource : update.added) client().subscribe(kEds, resource.name, 0);
    EXPECT_THAT(wire.sent, IsEmpty());
  };
  give(kCds, "n1", {wrapped("a", "1", 0, cluster("a")), wrapped("b", "1", 0, cluster("b"))});
  const std::vector<Request> sent = requests();
  ASSERT_EQ(sent.size(), 2u);
  EXPECT_EQ(sent[0].nonce, "n1");
  EXPECT_EQ(sent[1].type_url, type_url(kEds));
}

TEST_P(ClientTest, AHandlerMayGiveUpWhatItIsToldOf) {
  client().subscribe(kEds, "a", 0);
  client().subscribe(kEds, "b", 0);
  client().start();
  handlers[kEds].on_apply = [&](const Update&) { client().unsubscribe(kEds, "a"); };
  give(kEds, "n1", {wrapped("a", "1", 0, endpoints("a")), wrapped("b", "1", 0, endpoints("b"))});
  ASSERT_EQ(client().status().size(), 1u);
  EXPECT_EQ(status_of("b").state, State::kAccepted);
}

TEST_P(ClientTest, AControlPlaneThatDoesNotWaitForAcksIsCutOff) {
  client().subscribe(kEds, "a", 0);
  client().start();
  client().pause(kEds);
  for (int i = 0; i < 1100 && wire.is_open(); ++i) {
    give(kEds, std::to_string(i), {wrapped("a", "1", 0, endpoints("a", 1 + i % 2))});
  }
  // Of the state of the world only the last answer is acknowledged: nothing piles up.
  EXPECT_EQ(wire.is_open(), !GetParam());
}

TEST_P(ClientTest, WhatIsHereStaysWhenTheStreamBreaks) {
  client().subscribe(kEds, "a", 0);
  client().start();
  give(kEds, "e1", {wrapped("a", "1", 0, endpoints("a"))});
  handlers[kEds].updates.clear();
  reconnect();
  give(kEds, "e1", {wrapped("a", "1", 0, endpoints("a"))});
  EXPECT_THAT(handlers[kEds].updates, IsEmpty());
  EXPECT_EQ(status_of("a").state, State::kAccepted);
}

TEST_P(ClientTest, TicksMayComeAnyTime) {
  client().tick();
  client().start();
  client().tick();
  wire.break_off();
  wire.random_value = 400;
  client().tick();
  client().tick();
  EXPECT_EQ(wire.opened.size(), 2u) << "random was 0 when it broke off";
}

TEST(Types, UrlsAndNames) {
  for (size_t i = 0; i < kResourceTypes; ++i) {
    const auto type = static_cast<ResourceType>(i);
    EXPECT_EQ(type_of_url(type_url(type)), type);
    EXPECT_FALSE(short_name(type).empty());
  }
  EXPECT_EQ(state_name(State::kAccepted), "ACKED");
  EXPECT_EQ(state_name(State::kDoesNotExist), "DOES_NOT_EXIST");
  EXPECT_FALSE(type_of_url("type.googleapis.com/envoy.api.v2.Cluster"));
  EXPECT_FALSE(type_of_url(""));
  EXPECT_EQ(short_name(kCds), "CDS");
  EXPECT_EQ(short_name(ResourceType::kScopedRoute), "SRDS");
  EXPECT_TRUE(absence_removes(kCds));
  EXPECT_TRUE(absence_removes(kLds));
  EXPECT_FALSE(absence_removes(kEds));
}

}  // namespace
}  // namespace weir::xds
