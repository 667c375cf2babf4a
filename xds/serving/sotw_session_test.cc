#include "xds/serving/sotw_session.h"

#include "xds/serving/testing/session_client.h"

namespace weir::xds::testing {
namespace {

using envoy::service::discovery::v3::DiscoveryRequest;
using envoy::service::discovery::v3::DiscoveryResponse;

struct Client : SessionClient<SotwSession, DiscoveryRequest, DiscoveryResponse> {
  using SessionClient::SessionClient;

  Result<std::optional<Verdict>> ask(ResourceType type, const std::vector<std::string>& names = {},
                                     const std::string& nonce = {}) {
    DiscoveryRequest request = naming(names);
    request.set_type_url(std::string(type_url(type)));
    request.set_response_nonce(nonce);
    return send(request);
  }
  std::optional<Verdict> ack(ResourceType type, const std::vector<std::string>& names = {}) {
    return answer(type, naming(names), "");
  }
  std::optional<Verdict> nack(ResourceType type, const std::string& error,
                              const std::vector<std::string>& names = {}) {
    return answer(type, naming(names), error);
  }
  // Asks, takes the answer and says that it is good.
  std::string fetch(ResourceType type, const std::vector<std::string>& names = {}) {
    EXPECT_TRUE(ask(type, names).ok());
    const std::string told = next();
    ack(type, names);
    return told;
  }
  static DiscoveryRequest naming(const std::vector<std::string>& names) {
    DiscoveryRequest request;
    for (const std::string& name : names) request.add_resource_names(name);
    return request;
  }
};

TEST(SotwSession, AnEmptyListIsAllClusters) {
  Client client({{kCds, "a=1"}, {kCds, "b=1"}});
  EXPECT_EQ(client.fetch(kCds), "CDS a=1 b=1");
  EXPECT_EQ(client.next(), "");
  client.change({{kCds, "a=2"}, {kCds, "b=1"}});
  EXPECT_EQ(client.next(), "CDS a=2 b=1");
}

TEST(SotwSession, AnEmptyListIsNoEndpoints) {
  Client client({{kEds, "a=1"}});
  ASSERT_TRUE(client.ask(kEds).ok());
  EXPECT_EQ(client.next(), "");
  EXPECT_EQ(client.fetch(kEds, {"*"}), "EDS a=1");
}

TEST(SotwSession, ANameEndsTheWildcardForGood) {
  Client client({{kLds, "a=1"}, {kLds, "b=1"}});
  EXPECT_EQ(client.fetch(kLds), "LDS a=1 b=1");
  ASSERT_TRUE(client.ask(kLds, {"b"}, client.last.begin()->second).ok());
  EXPECT_EQ(client.next(), "LDS b=1");
  client.ack(kLds, {});
  client.change({{kLds, "a=2"}, {kLds, "b=2"}});
  EXPECT_EQ(client.next(), "");
}

TEST(SotwSession, AStarIsAllAndNamesBesides) {
  Client client({{kCds, "a=1"}});
  EXPECT_EQ(client.fetch(kCds, {"*", "none"}), "CDS a=1");
}

TEST(SotwSession, NothingToServeIsSaidOfClusters) {
  Client client(std::vector<Entry>{});
  EXPECT_EQ(client.fetch(kCds), "CDS");
  ASSERT_TRUE(client.ask(kRds, {"none"}).ok());
  EXPECT_EQ(client.next(), "");
}

TEST(SotwSession, WhatIsAskedForLaterComesWhenItIsThere) {
  Client client({{kRds, "other=1"}});
  ASSERT_TRUE(client.ask(kRds, {"main"}).ok());
  EXPECT_EQ(client.next(), "");
  client.change({{kRds, "main=1"}});
  EXPECT_EQ(client.next(), "RDS main=1");
}

TEST(SotwSession, MoreNamesAreAnsweredFewerAreNot) {
  Client client({{kEds, "a=1"}, {kEds, "b=1"}});
  EXPECT_EQ(client.fetch(kEds, {"a"}), "EDS a=1");
  const std::string nonce = client.response.nonce();
  ASSERT_TRUE(client.ask(kEds, {"a", "b"}, nonce).ok());
  EXPECT_EQ(client.next(), "EDS a=1 b=1");
  client.ack(kEds, {"b"});
  EXPECT_EQ(client.next(), "");
  // What it gave up it has forgotten.
  ASSERT_TRUE(client.ask(kEds, {"a", "b"}, client.response.nonce()).ok());
  EXPECT_EQ(client.next(), "EDS a=1 b=1");
}

TEST(SotwSession, OnlyOneResponseIsUnderWay) {
  Client client({{kCds, "a=1"}});
  ASSERT_TRUE(client.ask(kCds).ok());
  EXPECT_EQ(client.next(), "CDS a=1");
  client.change({{kCds, "a=2"}});
  client.change({{kCds, "a=3"}});
  EXPECT_EQ(client.next(), "");
  client.ack(kCds);
  EXPECT_EQ(client.next(), "CDS a=3");
}

TEST(SotwSession, AStaleNonceSaysNothing) {
  Client client({{kEds, "a=1"}, {kEds, "b=1"}});
  client.fetch(kEds, {"a"});
  const std::string old = client.response.nonce();
  client.change({{kEds, "a=2"}, {kEds, "b=1"}});
  EXPECT_EQ(client.next(), "EDS a=2");
  const auto answer = client.ask(kEds, {"b"}, old);
  ASSERT_TRUE(answer.ok());
  EXPECT_FALSE(answer.value().has_value());
  EXPECT_EQ(client.session.report().front().names, 1u);
  EXPECT_TRUE(client.session.report().front().waiting);
}

TEST(SotwSession, TheFirstRequestMayHaveANonceOfBefore) {
  Client client({{kCds, "a=1"}});
  ASSERT_TRUE(client.ask(kCds, {}, "17").ok());
  EXPECT_EQ(client.next(), "CDS a=1");
}

TEST(SotwSession, RejectionsAreReportedAndNotRepeated) {
  Client client({{kCds, "a=1"}});
  ASSERT_TRUE(client.ask(kCds).ok());
  client.next();
  const std::string version = client.response.version_info();
  const auto answer = client.nack(kCds, "no");
  ASSERT_TRUE(answer.has_value());
  EXPECT_FALSE(answer->accepted);
  EXPECT_EQ(answer->version, version);
  EXPECT_EQ(answer->error, "no");
  EXPECT_EQ(client.next(), "");
  const TypeReport report = client.session.report().front();
  EXPECT_EQ(report.nacked_version, version);
  EXPECT_EQ(report.error, "no");
  EXPECT_EQ(report.acked_version, "");

  client.change({{kCds, "a=2"}});
  EXPECT_EQ(client.next(), "CDS a=2");
  client.ack(kCds);
  EXPECT_EQ(client.session.report().front().nacked_version, "");
  EXPECT_EQ(client.session.report().front().acked_version, client.response.version_info());
}

TEST(SotwSession, ClustersGoBeforeWhatRefersToThem) {
  Client client({{kCds, "a=1", true}, {kEds, "a=1"}, {kLds, "l=1"}, {kRds, "r=1"}});
  client.fetch(kCds);
  client.fetch(kEds, {"a"});
  client.fetch(kLds);
  client.fetch(kRds, {"r"});
  client.change({{kCds, "a=1", true},
                 {kCds, "b=1", true},
                 {kEds, "a=1"},
                 {kEds, "b=1"},
                 {kLds, "l=2"},
                 {kRds, "r=2"}});
  EXPECT_EQ(client.next(), "CDS a=1 b=1");
  EXPECT_EQ(client.next(), "");
  client.ack(kCds);
  EXPECT_EQ(client.next(), "");  // until the endpoints of b are there, too
  ASSERT_TRUE(client.ask(kEds, {"a", "b"}, client.last[std::string(type_url(kEds))]).ok());
  EXPECT_EQ(client.next(), "EDS a=1 b=1");
  EXPECT_EQ(client.next(), "");
  client.ack(kEds, {"a", "b"});
  EXPECT_EQ(client.next(), "LDS l=2");
  EXPECT_EQ(client.next(), "RDS r=2");
}

TEST(SotwSession, RoutesDoNotWaitForEndpointsThatNobodyAsksFor) {
  Client client({{kRds, "r=1"}});
  client.fetch(kCds);
  client.fetch(kRds, {"r"});
  client.change({{kCds, "a=1", true}, {kEds, "a=1"}, {kRds, "r=2"}});
  EXPECT_EQ(client.next(), "CDS a=1");
  client.ack(kCds);
  EXPECT_EQ(client.next(), "");
  EXPECT_EQ(client.session.wake_at_ms(), client.now_ms + Session::kGraceMs);
  client.now_ms += Session::kGraceMs;
  EXPECT_EQ(client.next(), "RDS r=2");
}

TEST(SotwSession, AChangedClusterGetsItsEndpointsAgain) {
  Client client({{kCds, "a=1", true}, {kCds, "b=1", true}, {kEds, "a=1"}, {kEds, "b=1"}});
  client.fetch(kCds);
  client.fetch(kEds, {"a"});
  client.change({{kCds, "a=2", true}, {kCds, "b=1", true}, {kEds, "a=1"}, {kEds, "b=1"}});
  EXPECT_EQ(client.next(), "CDS a=2 b=1");
  EXPECT_EQ(client.next(), "EDS a=1");
}

TEST(SotwSession, AClusterGoesWhenNothingRefersToItAnyMore) {
  Client client({{kCds, "a=1"}, {kCds, "b=1"}, {kLds, "l=1"}});
  client.fetch(kCds);
  client.fetch(kLds);
  client.change({{kCds, "c=1"}, {kLds, "l=2"}});
  EXPECT_EQ(client.next(), "CDS c=1 a=1 b=1");
  EXPECT_TRUE(client.response.version_info().ends_with("+2"));
  client.ack(kCds);
  EXPECT_EQ(client.next(), "LDS l=2");
  client.now_ms += Session::kGraceMs;
  EXPECT_EQ(client.next(), "");  // not before the listener is answered
  client.ack(kLds);
  EXPECT_EQ(client.next(), "");
  EXPECT_EQ(client.session.wake_at_ms(), client.now_ms + Session::kGraceMs);
  client.now_ms += Session::kGraceMs;
  EXPECT_EQ(client.next(), "CDS c=1");
  client.ack(kCds);
  EXPECT_EQ(client.next(), "");
  EXPECT_EQ(client.session.wake_at_ms(), 0);
}

TEST(SotwSession, AClusterStaysWhileTheNewListenerIsRefused) {
  Client client({{kCds, "a=1"}, {kLds, "l=1"}});
  client.fetch(kCds);
  client.fetch(kLds);
  client.change({{kLds, "l=bad"}});
  EXPECT_EQ(client.next(), "LDS l=bad");
  client.nack(kLds, "bad");
  client.now_ms += 10 * Session::kGraceMs;
  EXPECT_EQ(client.next(), "");
  EXPECT_EQ(client.session.report().front().held_removals, 1u);
  client.change({{kLds, "l=good"}});
  EXPECT_EQ(client.next(), "LDS l=good");
  client.ack(kLds);
  client.now_ms += Session::kGraceMs;
  EXPECT_EQ(client.next(), "CDS");
}

TEST(SotwSession, ARefusalOfWhatIsNotWantedAnyMoreKeepsNothing) {
  Client client({{kCds, "a=1"}, {kRds, "r=1"}});
  client.fetch(kCds);
  ASSERT_TRUE(client.ask(kRds, {"r"}).ok());
  EXPECT_EQ(client.next(), "RDS r=1");
  client.nack(kRds, "not wanted", {});
  client.change({{kRds, "r=1"}});
  EXPECT_EQ(client.next(), "");
  client.now_ms += Session::kGraceMs;
  EXPECT_EQ(client.next(), "CDS");
}

TEST(SotwSession, AListenerGoesAtOnce) {
  Client client({{kLds, "a=1"}, {kLds, "b=1"}});
  client.fetch(kLds);
  client.change({{kLds, "b=1"}});
  EXPECT_EQ(client.next(), "LDS b=1");
}

TEST(SotwSession, OneTypeOnly) {
  Client client({{kCds, "a=1"}}, kCds);
  EXPECT_TRUE(client.send({}).ok());
  EXPECT_EQ(client.next(), "CDS a=1");
  const auto other = client.ask(kEds, {"a"});
  ASSERT_FALSE(other.ok());
  EXPECT_EQ(other.error().code, "invalid-argument");
}

TEST(SotwSession, WhatIsNoRequestEndsTheStream) {
  Client client(std::vector<Entry>{});
  EXPECT_EQ(client.session.on_request("\xff\xff\xff", 0).error().code, "invalid-argument");
  EXPECT_EQ(client.send({}).error().message, "a request needs a type_url on this stream");
  EXPECT_FALSE(client.ask(kCds, {""}).ok());
  EXPECT_FALSE(client.ask(kCds, {std::string(2000, 'x')}).ok());
  DiscoveryRequest locators;
  locators.add_resource_locators();
  EXPECT_FALSE(client.send(locators).ok());
}

TEST(SotwSession, NamesAreBounded) {
  Client client(std::vector<Entry>{});
  std::vector<std::string> names;
  for (size_t i = 0; i <= Session::kMaxNames; ++i) names.push_back(std::to_string(i));
  const auto result = client.ask(kEds, names);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, "resource-exhausted");
}

TEST(SotwSession, ATypeThatIsNotServedIsNoted) {
  Client client(std::vector<Entry>{});
  DiscoveryRequest request;
  request.set_type_url("type.googleapis.com/a.B");
  request.mutable_node()->set_id("me");
  EXPECT_TRUE(client.send(request).ok());
  EXPECT_EQ(client.next(), "");
  EXPECT_EQ(client.session.unknown_type(), "type.googleapis.com/a.B");
  EXPECT_EQ(client.session.node().id, "me");
}

}  // namespace
}  // namespace weir::xds::testing
