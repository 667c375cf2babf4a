#include "proxy/xds_client_status.h"

#include <gtest/gtest.h>

#include "envoy/service/status/v3/csds.pb.h"

namespace weir {
namespace {

using envoy::service::status::v3::ClientConfig;
using envoy::service::status::v3::ClientStatusRequest;
using envoy::service::status::v3::ClientStatusResponse;
namespace csds = envoy::service::status::v3;

class XdsClientStatusTest : public testing::Test {
 protected:
  xds::TypeReport& client(const std::string& id) {
    XdsStreamReport stream;
    stream.node.id = id;
    stream.types.push_back({.type = xds::ResourceType::kListener});
    status_.streams.push_back(std::move(stream));
    return status_.streams.back().types.back();
  }
  std::vector<ClientConfig> ask(const ClientStatusRequest& request = {}) {
    const auto answer = answer_xds_client_status(status_, request.SerializeAsString());
    EXPECT_TRUE(answer.ok());
    ClientStatusResponse response;
    EXPECT_TRUE(answer.ok() && response.ParseFromString(*answer));
    return {response.config().begin(), response.config().end()};
  }

  xds::Catalogue catalogue_{{}, {}};
  XdsClientStatus status_{.catalogue = catalogue_, .now_ms = 5'000, .wall_ms = 1'000'000'000'000};
};

TEST_F(XdsClientStatusTest, TellsOfEachTypeWhetherItIsThere) {
  const std::string newest = catalogue_.version(xds::ResourceType::kListener);
  client("new");
  xds::TypeReport& waiting = client("waiting");
  waiting.sent_version = "1" + newest;
  waiting.waiting = true;
  xds::TypeReport& old = client("old");
  old.sent_version = old.acked_version = "0" + newest;
  old.acked_ms = 4'000;
  xds::TypeReport& refuses = client("refuses");
  refuses.sent_version = refuses.nacked_version = "2";
  refuses.acked_version = "1";
  refuses.error = "no";
  refuses.nacked_ms = 3'500;
  xds::TypeReport& there = client("there");
  there.sent_version = there.acked_version = newest;
  const std::vector<ClientConfig> all = ask();
  ASSERT_EQ(all.size(), 5u);
  EXPECT_EQ(all[4].generic_xds_configs(0).config_status(), csds::SYNCED);
  const auto& first = all[0].generic_xds_configs(0);
  EXPECT_EQ(all[0].node().id(), "new");
  EXPECT_EQ(first.type_url(), "type.googleapis.com/envoy.config.listener.v3.Listener");
  EXPECT_EQ(first.config_status(), csds::NOT_SENT);
  EXPECT_EQ(first.client_status(), envoy::admin::v3::REQUESTED);
  EXPECT_EQ(all[1].generic_xds_configs(0).config_status(), csds::STALE);
  const auto& third = all[2].generic_xds_configs(0);
  EXPECT_EQ(third.config_status(), csds::STALE) << "there is a newer one";
  EXPECT_EQ(third.client_status(), envoy::admin::v3::ACKED);
  EXPECT_EQ(third.last_updated().seconds(), 999'999'999);
  const auto& last = all[3].generic_xds_configs(0);
  EXPECT_EQ(last.config_status(), csds::ERROR);
  EXPECT_EQ(last.client_status(), envoy::admin::v3::NACKED);
  EXPECT_EQ(last.version_info(), "1");
  EXPECT_EQ(last.error_state().details(), "no");
  EXPECT_EQ(last.error_state().version_info(), "2");
  EXPECT_EQ(last.error_state().last_update_attempt().seconds(), 999'999'998);
}

TEST_F(XdsClientStatusTest, NodeMatchersChoose) {
  client("edge-1");
  client("edge-2");
  client("inner");
  ClientStatusRequest request;
  request.add_node_matchers()->mutable_node_id()->set_prefix("edge-");
  EXPECT_EQ(ask(request).size(), 2u);
  request.add_node_matchers()->mutable_node_id()->set_exact("inner");
  EXPECT_EQ(ask(request).size(), 3u);
}

TEST_F(XdsClientStatusTest, WhatCannotBeAnsweredIsAnError) {
  EXPECT_EQ(answer_xds_client_status(status_, "\xff").error().code, "bad-query");
  ClientStatusRequest request;
  request.add_node_matchers()->add_node_metadatas();
  EXPECT_EQ(answer_xds_client_status(status_, request.SerializeAsString()).error().code,
            "bad-query");
}

}  // namespace
}  // namespace weir
