#include "xds/serving/delta_session.h"

#include "xds/serving/testing/session_client.h"

namespace weir::xds::testing {
namespace {

using envoy::service::discovery::v3::DeltaDiscoveryRequest;
using envoy::service::discovery::v3::DeltaDiscoveryResponse;
using Names = std::vector<std::string>;

struct Client : SessionClient<DeltaSession, DeltaDiscoveryRequest, DeltaDiscoveryResponse> {
  using SessionClient::SessionClient;

  Result<std::optional<Verdict>> ask(ResourceType type, const Names& more, const Names& fewer = {},
                                     const std::map<std::string, std::string>& has = {}) {
    DeltaDiscoveryRequest request;
    request.set_type_url(std::string(type_url(type)));
    for (const std::string& name : more) request.add_resource_names_subscribe(name);
    for (const std::string& name : fewer) request.add_resource_names_unsubscribe(name);
    for (const auto& [name, text] : has)
      (*request.mutable_initial_resource_versions())[name] = content_version(text);
    return send(request);
  }
  std::optional<Verdict> ack(ResourceType type) { return answer(type, {}, ""); }
  std::optional<Verdict> nack(ResourceType type, const std::string& error) {
    return answer(type, {}, error);
  }
  // Asks, takes the answer and says that it is good.
  std::string fetch(ResourceType type, const Names& names = {}) {
    EXPECT_TRUE(ask(type, names).ok());
    const std::string told = next();
    ack(type);
    return told;
  }
};

TEST(DeltaSession, OnlyWhatChangedIsSent) {
  Client client({{kCds, "a=1"}, {kCds, "b=1"}});
  EXPECT_EQ(client.fetch(kCds), "CDS a=1 b=1");
  EXPECT_EQ(client.response.resources(0).name(), "a");
  EXPECT_EQ(client.response.resources(0).version(), content_version("a=1"));
  client.change({{kCds, "a=1"}, {kCds, "b=2"}, {kCds, "c=1"}});
  EXPECT_EQ(client.next(), "CDS b=2 c=1");
}

TEST(DeltaSession, AWildcardIsAnsweredEvenWithNothing) {
  Client client(std::vector<Entry>{});
  EXPECT_EQ(client.fetch(kCds), "CDS");
  EXPECT_EQ(client.fetch(kRds, {"*"}), "RDS");
  ASSERT_TRUE(client.ask(kEds, {}).ok());
  EXPECT_EQ(client.next(), "");
}

TEST(DeltaSession, WhatDoesNotExistIsSaidOnce) {
  Client client({{kRds, "main=1"}});
  EXPECT_EQ(client.fetch(kRds, {"main", "none"}), "RDS main=1 -none");
  EXPECT_EQ(client.next(), "");
  client.change({{kRds, "main=1"}, {kRds, "none=1"}});
  EXPECT_EQ(client.next(), "RDS none=1");
}

TEST(DeltaSession, AClientThatComesBackSaysWhatItHas) {
  Client client({{kCds, "a=1"}, {kCds, "b=2"}});
  ASSERT_TRUE(client.ask(kCds, {}, {}, {{"a", "a=1"}, {"b", "b=1"}, {"gone", "gone=1"}}).ok());
  EXPECT_EQ(client.next(), "CDS b=2");
  client.ack(kCds);
  client.now_ms += Session::kGraceMs;
  EXPECT_EQ(client.next(), "CDS -gone");
}

TEST(DeltaSession, AClientThatComesBackByNameIsNotToldWhatItHas) {
  Client client({{kEds, "a=1"}, {kEds, "b=2"}});
  ASSERT_TRUE(client.ask(kEds, {"a", "b"}, {}, {{"a", "a=1"}, {"stranger", "x"}}).ok());
  EXPECT_EQ(client.next(), "EDS b=2");
  client.ack(kEds);
  client.now_ms += Session::kGraceMs;
  EXPECT_EQ(client.next(), "");
}

TEST(DeltaSession, WhoAsksAgainIsToldAgain) {
  Client client({{kEds, "a=1"}});
  EXPECT_EQ(client.fetch(kEds, {"a"}), "EDS a=1");
  EXPECT_EQ(client.fetch(kEds, {"a"}), "EDS a=1");
  ASSERT_TRUE(client.ask(kEds, {}, {"a"}).ok());
  client.change({{kEds, "a=2"}});
  EXPECT_EQ(client.next(), "");
  EXPECT_EQ(client.fetch(kEds, {"a"}), "EDS a=2");
}

TEST(DeltaSession, ANameThatTheWildcardCoversIsResolved) {
  Client client({{kCds, "a=1"}});
  EXPECT_EQ(client.fetch(kCds, {"*", "a", "none"}), "CDS a=1 -none");
  ASSERT_TRUE(client.ask(kCds, {}, {"a", "none"}).ok());
  EXPECT_EQ(client.next(), "CDS a=1 -none");
}

TEST(DeltaSession, TheWildcardCanBeGivenUp) {
  Client client({{kCds, "a=1"}, {kCds, "b=1"}});
  client.fetch(kCds, {"*", "a"});
  ASSERT_TRUE(client.ask(kCds, {}, {"*"}).ok());
  EXPECT_EQ(client.next(), "");
  client.change({{kCds, "a=2"}, {kCds, "b=2"}});
  EXPECT_EQ(client.next(), "CDS a=2");
}

TEST(DeltaSession, RemovalsComeLastAndListenersGoAtOnce) {
  Client client({{kCds, "a=1"}, {kEds, "a=1"}, {kLds, "l=1"}, {kLds, "m=1"}, {kRds, "r=1"}});
  client.fetch(kCds);
  client.fetch(kEds, {"a"});
  client.fetch(kLds);
  client.fetch(kRds, {"r"});
  client.change({{kLds, "m=2"}});
  EXPECT_EQ(client.next(), "LDS m=2 -l");
  client.ack(kLds);
  EXPECT_EQ(client.next(), "");
  client.now_ms += Session::kGraceMs;
  EXPECT_EQ(client.next(), "CDS -a");
  client.ack(kCds);
  client.now_ms += Session::kGraceMs;
  EXPECT_EQ(client.next(), "EDS -a");
  client.ack(kEds);
  client.now_ms += Session::kGraceMs;
  EXPECT_EQ(client.next(), "RDS -r");
  client.ack(kRds);
  EXPECT_EQ(client.next(), "");
}

TEST(DeltaSession, WhatComesBackInTimeIsNotRemoved) {
  Client client({{kCds, "a=1"}});
  client.fetch(kCds);
  client.change(std::vector<Entry>{});
  EXPECT_EQ(client.next(), "");
  client.change({{kCds, "a=1"}});
  client.now_ms += Session::kGraceMs;
  EXPECT_EQ(client.next(), "");
  EXPECT_EQ(client.session.report().front().held_removals, 0u);
}

TEST(DeltaSession, ALongAnswerComesInParts) {
  const std::string large(400'000, 'x');
  Client client(
      {{kCds, "a=" + large}, {kCds, "b=" + large}, {kCds, "c=" + large}, {kCds, "d=" + large}});
  ASSERT_TRUE(client.ask(kCds, {}).ok());
  client.next();
  EXPECT_EQ(client.response.resources_size(), 3);
  EXPECT_EQ(client.next(), "");
  client.ack(kCds);
  client.next();
  ASSERT_EQ(client.response.resources_size(), 1);
  EXPECT_EQ(client.response.resources(0).name(), "d");
}

TEST(DeltaSession, AnswersAreReported) {
  Client client({{kCds, "a=1"}});
  ASSERT_TRUE(client.ask(kCds, {}).ok());
  client.next();
  const auto answer = client.nack(kCds, "no");
  ASSERT_TRUE(answer.has_value());
  EXPECT_FALSE(answer->accepted);
  EXPECT_EQ(client.session.report().front().error, "no");
  EXPECT_EQ(client.next(), "");
  // A second answer to the same response says nothing.
  EXPECT_FALSE(client.ack(kCds).has_value());
}

TEST(DeltaSession, ChangedClustersAndTheirEndpoints) {
  Client client({{kCds, "a=1", true}, {kEds, "a=1"}});
  client.fetch(kCds);
  client.fetch(kEds, {"a"});
  client.change({{kCds, "a=2", true}, {kEds, "a=1"}});
  EXPECT_EQ(client.next(), "CDS a=2");
  EXPECT_EQ(client.next(), "EDS a=1");
}

TEST(DeltaSession, WhatIsNoRequestEndsTheStream) {
  Client client(std::vector<Entry>{});
  EXPECT_FALSE(client.session.on_request("\xff\xff\xff", 0).ok());
  EXPECT_FALSE(client.ask(kCds, {""}).ok());
  EXPECT_FALSE(client.ask(kCds, {}, {}, {{"", "x"}}).ok());
  DeltaDiscoveryRequest locators;
  locators.add_resource_locators_subscribe();
  EXPECT_FALSE(client.send(locators).ok());
}

TEST(DeltaSession, NamesAreBounded) {
  Client client(std::vector<Entry>{});
  Names names;
  for (size_t i = 0; i <= Session::kMaxNames; ++i) names.push_back(std::to_string(i));
  const auto result = client.ask(kEds, names);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, "resource-exhausted");
}

}  // namespace
}  // namespace weir::xds::testing
