#include "proxy/admin/client_status.h"

#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "envoy/extensions/transport_sockets/tls/v3/tls.pb.h"
#include "envoy/service/status/v3/csds.pb.h"

namespace weir::admin {
namespace {

using envoy::config::bootstrap::v3::Bootstrap;
using envoy::config::cluster::v3::Cluster;
using envoy::service::status::v3::ClientStatusRequest;
using envoy::service::status::v3::ClientStatusResponse;
using nlohmann::json;
using Secret = envoy::extensions::transport_sockets::tls::v3::Secret;

constexpr const char* kCluster = "type.googleapis.com/envoy.config.cluster.v3.Cluster";
constexpr const char* kSecret =
    "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret";

DynamicResource resource(const google::protobuf::Message& message, std::string name,
                         std::string version) {
  auto content = std::make_shared<google::protobuf::Any>();
  content->PackFrom(message);
  return {.type_url = content->type_url(),
          .name = std::move(name),
          .version = std::move(version),
          .content = content};
}

Secret secret(const std::string& name) {
  Secret out;
  out.set_name(name);
  out.mutable_tls_certificate()->mutable_private_key()->set_inline_string("TOP-SECRET");
  return out;
}

class ClientStatusTest : public testing::Test {
 protected:
  ClientStatusTest() {
    Bootstrap bootstrap;
    bootstrap.mutable_node()->set_id("n1");
    bootstrap.mutable_static_resources()->add_clusters()->set_name("fixed");
    *bootstrap.mutable_static_resources()->add_secrets() = secret("own");
    hooks_.bootstrap = [kept = std::make_shared<const Bootstrap>(bootstrap)] { return kept; };
    hooks_.config_updated_s = [] { return int64_t{60}; };
    hooks_.dynamic_resources = [this] { return dynamic_; };
    hooks_.control_planes = [this] { return std::vector<ControlPlaneState>{plane_}; };
  }

  ResourceState& state(std::string name, std::string what, std::string version = "",
                       const char* type_url = kCluster) {
    plane_.resources.push_back({.type_url = type_url,
                                .name = std::move(name),
                                .state = std::move(what),
                                .version = std::move(version)});
    return plane_.resources.back();
  }
  json entries(bool exclude_contents = false) {
    const Result<std::string> text = client_status_json(hooks_, exclude_contents);
    EXPECT_TRUE(text.ok());
    EXPECT_EQ(text->find("TOP-SECRET"), std::string::npos);
    return json::parse(*text)["config"][0]["generic_xds_configs"];
  }

  AdminHooks hooks_;
  std::vector<DynamicResource> dynamic_;
  ControlPlaneState plane_{"ads", true, "someone", {}};
};

TEST_F(ClientStatusTest, TellsWhereEachResourceStands) {
  Cluster cluster;
  cluster.set_name("app");
  dynamic_ = {resource(cluster, "app", "v7")};
  state("app", "ACKED", "v7").updated_ms = 1'500;
  state("asked", "REQUESTED");
  state("none", "DOES_NOT_EXIST");
  state("late", "TIMEOUT");
  const json all = entries();
  EXPECT_EQ(all[0]["type_url"], kCluster);
  EXPECT_EQ(all[0]["name"], "app");
  EXPECT_EQ(all[0]["version_info"], "v7");
  EXPECT_EQ(all[0]["client_status"], "ACKED");
  EXPECT_EQ(all[0]["last_updated"], "1970-01-01T00:00:01.500Z");
  EXPECT_EQ(all[0]["xds_config"]["name"], "app");
  EXPECT_EQ(all[1]["client_status"], "REQUESTED");
  EXPECT_FALSE(all[1].contains("xds_config"));
  EXPECT_FALSE(all[1].contains("last_updated"));
  EXPECT_EQ(all[2]["client_status"], "DOES_NOT_EXIST");
  EXPECT_EQ(all[3]["client_status"], "DOES_NOT_EXIST");
}

TEST_F(ClientStatusTest, ARefusedVersionIsToldBesideTheOneInForce) {
  Cluster old, next;
  old.set_name("app");
  next.set_name("app");
  next.set_alt_stat_name("other");
  dynamic_ = {resource(next, "app", "v8"), resource(old, "app", "v7")};
  ResourceState& refused = state("app", "NACKED", "v7");
  refused.error = "connect_timeout: too short";
  refused.rejected_version = "v9";
  refused.rejected_ms = 2'000;
  const json entry = entries()[0];
  EXPECT_EQ(entry["client_status"], "NACKED");
  EXPECT_EQ(entry["version_info"], "v7");
  EXPECT_FALSE(entry["xds_config"].contains("alt_stat_name")) << "of version 7";
  EXPECT_EQ(entry["error_state"]["details"], "connect_timeout: too short");
  EXPECT_EQ(entry["error_state"]["version_info"], "v9");
  EXPECT_EQ(entry["error_state"]["last_update_attempt"], "1970-01-01T00:00:02Z");
}

TEST_F(ClientStatusTest, SecretsAreRedacted) {
  dynamic_ = {resource(secret("cert"), "cert", "v1")};
  state("cert", "ACKED", "v1", kSecret);
  const json all = entries();
  EXPECT_EQ(all[0]["xds_config"]["tls_certificate"]["private_key"]["inline_string"], "[redacted]");
}

TEST_F(ClientStatusTest, TheBootstrapsOwnAreStatic) {
  const json all = entries();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0]["name"], "fixed");
  EXPECT_EQ(all[0]["is_static_resource"], true);
  EXPECT_EQ(all[0]["last_updated"], "1970-01-01T00:01:00Z");
  EXPECT_EQ(all[1]["name"], "own");
  EXPECT_FALSE(all[0].contains("client_status"));
}

TEST_F(ClientStatusTest, ContentsMayBeLeftOut) {
  Cluster cluster;
  dynamic_ = {resource(cluster, "app", "v7")};
  state("app", "ACKED", "v7");
  for (const json& entry : entries(true)) EXPECT_FALSE(entry.contains("xds_config"));
}

TEST_F(ClientStatusTest, AnswersACall) {
  state("app", "ACKED", "v7");
  ClientStatusRequest request;
  const Result<std::string> answer = answer_client_status(hooks_, request.SerializeAsString());
  ASSERT_TRUE(answer.ok());
  ClientStatusResponse response;
  ASSERT_TRUE(response.ParseFromString(*answer));
  ASSERT_EQ(response.config_size(), 1);
  EXPECT_EQ(response.config(0).node().id(), "n1");
  EXPECT_EQ(response.config(0).generic_xds_configs(0).client_status(), envoy::admin::v3::ACKED);
}

TEST_F(ClientStatusTest, WhatCannotBeAnsweredIsAnError) {
  EXPECT_EQ(answer_client_status(hooks_, "\xff").error().code, "bad-query");
  ClientStatusRequest others;
  others.add_node_matchers();
  const Result<std::string> answer = answer_client_status(hooks_, others.SerializeAsString());
  EXPECT_EQ(answer.error().code, "bad-query");
  EXPECT_NE(answer.error().message.find("node_matchers"), std::string::npos);
  hooks_.control_planes = nullptr;
  EXPECT_EQ(answer_client_status(hooks_, "").error().code, "not-available");
}

}  // namespace
}  // namespace weir::admin
