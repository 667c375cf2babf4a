// What holds of both variants: connecting, limits, pauses, and time.
#include "xds/client.h"

#include <gmock/gmock.h>
#include <google/protobuf/duration.pb.h>

#include "xds/testing/client_driver.h"

namespace weir::xds {
namespace {

using testing::cluster;
using testing::DeltaDiscoveryRequest;
using testing::DeltaDiscoveryResponse;
using testing::DiscoveryRequest;
using testing::DiscoveryResponse;
using ::testing::ElementsAre;
using testing::endpoints;
using ::testing::IsEmpty;
using State = ResourceStatus::State;
using Wrapper = envoy::service::discovery::v3::Resource;

constexpr auto kCds = ResourceType::kCluster;
constexpr auto kEds = ResourceType::kEndpoint;
constexpr auto kLds = ResourceType::kListener;

Wrapper wrapped(const std::string& name, const std::string& version, int ttl_s = 0) {
  Wrapper wrapper;
  wrapper.set_name(name);
  wrapper.set_version(version);
  if (ttl_s > 0) wrapper.mutable_ttl()->set_seconds(ttl_s);
  return wrapper;
}
Wrapper wrapped(const std::string& name, const std::string& version, int ttl_s,
                const google::protobuf::Any& content) {
  Wrapper wrapper = wrapped(name, version, ttl_s);
  *wrapper.mutable_resource() = content;
  return wrapper;
}

class ClientTest : public ::testing::TestWithParam<bool>, public testing::ClientDriver {
 protected:
  ClientTest() : ClientDriver(/*delta=*/GetParam()) {}

  // An answer in the variant of the test.
  void give(ResourceType type, const std::string& nonce, const std::vector<Wrapper>& resources) {
    if (!GetParam()) {
      std::vector<google::protobuf::Any> packed;
      for (const Wrapper& resource : resources) packed.push_back(testing::any_of(resource));
      return answer(type, "v-" + nonce, nonce, packed);
    }
    DeltaDiscoveryResponse response;
    response.set_type_url(std::string(type_url(type)));
    response.set_nonce(nonce);
    response.set_system_version_info("v-" + nonce);
    for (const Wrapper& resource : resources) *response.add_resources() = resource;
    deliver(response);
  }
  struct Request {
    std::string type_url, nonce, error;
  };
  std::vector<Request> requests() {
    std::vector<Request> all;
    if (GetParam()) {
      for (const auto& one : take_requests<DeltaDiscoveryRequest>())
        all.push_back({one.type_url(), one.response_nonce(), one.error_detail().message()});
    } else {
      for (const auto& one : take_requests<DiscoveryRequest>())
        all.push_back({one.type_url(), one.response_nonce(), one.error_detail().message()});
    }
    return all;
  }
  Request request() {
    std::vector<Request> all = requests();
    EXPECT_EQ(all.size(), 1u);
    return all.empty() ? Request() : all.front();
  }
  google::protobuf::Any broken() {
    google::protobuf::Any any = endpoints("a");
    any.set_value("\x0a\xff");
    return any;
  }
};
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

TEST_P(ClientTest, WhatDoesNotComeInTimeIsAbsent) {
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

TEST_P(ClientTest, TheWildcardMayNotComeInTimeEither) {
  client().subscribe(kCds, "*", 15'000);
  client().subscribe(kLds, "*", 15'000);
  client().start();
  give(kCds, "n1", {});
  pass(15'000);
  EXPECT_THAT(handlers[kCds].absent, IsEmpty());
  EXPECT_THAT(handlers[kLds].absent, ElementsAre("*"));
}

TEST_P(ClientTest, AFailedConnectionDoesNotDisarmTheTimeout) {
  client().subscribe(kEds, "a", 15'000);
  client().start();
  wire.break_off();
  EXPECT_THAT(handlers[kEds].absent, IsEmpty());
  pass(15'000);
  EXPECT_THAT(handlers[kEds].absent, ElementsAre("a"));
}

TEST_P(ClientTest, AnUpdateDisarmsTheTimeout) {
  client().subscribe(kEds, "a", 15'000);
  client().start();
  give(kEds, "n1", {wrapped("a", "1", 0, endpoints("a"))});
  pass(20'000);
  EXPECT_THAT(handlers[kEds].absent, IsEmpty());
}

TEST_P(ClientTest, ARejectionDisarmsTheTimeout) {
  client().subscribe(kEds, "a", 15'000);
  client().start();
  handlers[kEds].refused["a"] = "odd";
  give(kEds, "n1", {wrapped("a", "1", 0, endpoints("a"))});
  pass(20'000);
  EXPECT_THAT(handlers[kEds].absent, IsEmpty()) << "the handler rejected it, so it knows";
  EXPECT_EQ(status_of("a").state, State::kRejected);
}

TEST_P(ClientTest, NobodyWaitsForWhatCameInARefusedAnswer) {
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

TEST_P(ClientTest, ARefusedAnswerWithoutNamesEndsTheWait) {
  client().subscribe(kCds, "*", 15'000);
  client().subscribe(kCds, "x", 15'000);
  client().start();
  google::protobuf::Any any = cluster("a");
  any.set_value("\x0a\xff");
  give(kCds, "n1", {wrapped("", "1", 0, any)});
  EXPECT_THAT(handlers[kCds].absent, ElementsAre("x", "*"));
}

TEST_P(ClientTest, AnotherSubscriberWaitsForItself) {
  client().subscribe(kEds, "a", 1'000);
  client().start();
  pass(1'000);
  client().subscribe(kEds, "a", 5'000);
  pass(5'000);
  EXPECT_THAT(handlers[kEds].absent, ElementsAre("a", "a"));
}

TEST_P(ClientTest, UnsubscribingDisarmsTheTimeout) {
  client().subscribe(kEds, "a", 1'000);
  client().subscribe(kCds, "*", 1'000);
  client().start();
  client().unsubscribe(kEds, "a");
  client().unsubscribe(kCds, "*");
  pass(5'000);
  EXPECT_THAT(handlers[kEds].absent, IsEmpty());
  EXPECT_THAT(handlers[kCds].absent, IsEmpty());
}

TEST_P(ClientTest, WhoIsToldOfAbsenceMaySubscribe) {
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

TEST_P(ClientTest, ExpiryRemoves) {
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

TEST_P(ClientTest, AHeartbeatRefreshesTheTimerOnly) {
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

TEST_P(ClientTest, HeartbeatsDoNotRemoveOthers) {
  client().subscribe(kCds, "*", 0);
  client().start();
  give(kCds, "c1", {wrapped("a", "1", 10, cluster("a")), wrapped("b", "1", 0, cluster("b"))});
  handlers[kCds].updates.clear();
  give(kCds, "c2", {wrapped("a", "1", 10)});
  EXPECT_THAT(handlers[kCds].updates, IsEmpty());
}

TEST_P(ClientTest, AHeartbeatOfAnotherVersionIsRefused) {
  client().subscribe(kEds, "a", 0);
  client().start();
  give(kEds, "e1", {wrapped("a", "1", 10, endpoints("a"))});
  wire.sent.clear();
  give(kEds, "e2", {wrapped("a", "2", 10)});
  EXPECT_EQ(request().error, "a: has no resource, and version '2' is not what is here");
  pass(10'000);
  EXPECT_EQ(handlers[kEds].take_removed(), "a");
}

TEST_P(ClientTest, AnUpdateWithoutTtlDisarmsIt) {
  client().subscribe(kEds, "a", 0);
  client().start();
  give(kEds, "e1", {wrapped("a", "1", 10, endpoints("a"))});
  handlers[kEds].updates.clear();
  give(kEds, "e2", {wrapped("a", "2", 0, endpoints("a"))});
  pass(100'000);
  EXPECT_THAT(handlers[kEds].updates, IsEmpty());
}

TEST_P(ClientTest, AnOddTtlIsRefused) {
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

TEST_P(ClientTest, TellsWhereEachResourceStands) {
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

TEST(Types, UrlsNamesAndServices) {
  for (size_t i = 0; i < kResourceTypes; ++i) {
    const auto type = static_cast<ResourceType>(i);
    EXPECT_EQ(type_of_url(type_url(type)), type);
    EXPECT_FALSE(short_name(type).empty());
  }
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
