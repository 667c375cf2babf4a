#include "config/istio_compat.h"

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "config/istio_extensions.h"
#include "config/read_yaml.h"
#include "envoy/config/core/v3/base.pb.h"
#include "envoy/config/listener/v3/listener.pb.h"
#include "envoy/config/route/v3/route.pb.h"
#include "envoy/extensions/filters/http/grpc_stats/v3/config.pb.h"
#include "envoy/extensions/filters/http/router/v3/router.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "udpa/type/v1/typed_struct.pb.h"

namespace weir::config {
namespace {

using envoy::config::listener::v3::Listener;
using GrpcStats = envoy::extensions::filters::http::grpc_stats::v3::FilterConfig;
using envoy::extensions::filters::http::router::v3::Router;
using envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager;

const std::string kUrl = "type.googleapis.com/";
const std::string kStats = "stats.PluginConfig";
const std::string kPeers = "io.istio.http.peer_metadata.Config";
const std::string kExchange = "envoy.tcp.metadataexchange.config.MetadataExchange";

google::protobuf::Any folded(const std::string& type) {
  udpa::type::v1::TypedStruct out;
  out.set_type_url(kUrl + type);
  google::protobuf::Any any;
  any.PackFrom(out);
  return any;
}

// As Istio's listeners are: telemetry around what matters.
Listener listener() {
  HttpConnectionManager manager;
  *manager.add_http_filters()->mutable_typed_config() = folded(kPeers);
  auto& first = *manager.add_http_filters();
  first.set_name("first");
  first.mutable_typed_config()->PackFrom(Router());
  auto& own = *manager.add_http_filters()->mutable_config_discovery();
  own.add_type_urls(kUrl + kStats);
  auto& last = *manager.add_http_filters();
  last.set_name("last");
  last.mutable_typed_config()->PackFrom(Router());
  auto& per_filter = *manager.mutable_route_config()->mutable_typed_per_filter_config();
  per_filter["istio.stats"].set_type_url(kUrl + kStats);
  per_filter["last"].PackFrom(Router());
  Listener out;
  auto& chain = *out.add_filter_chains();
  chain.add_filters()->mutable_typed_config()->set_type_url(kUrl + kExchange);
  chain.add_filters()->mutable_typed_config()->PackFrom(manager);
  return out;
}

TEST(IstioCompat, ItsExtensionsAreTakenOutAndTheOthersKeepTheirOrder) {
  Listener one = listener();
  EXPECT_TRUE(mentions_istio_part(one.SerializeAsString()));
  std::vector<std::string> removed;
  remove_istio_extensions(one, [&](const std::string& type) { removed.push_back(type); });
  EXPECT_EQ(removed, (std::vector<std::string>{kExchange, kPeers, kStats, kStats}));
  ASSERT_EQ(one.filter_chains(0).filters_size(), 1);
  HttpConnectionManager manager;
  ASSERT_TRUE(one.filter_chains(0).filters(0).typed_config().UnpackTo(&manager));
  ASSERT_EQ(manager.http_filters_size(), 2);
  EXPECT_EQ(manager.http_filters(0).name(), "first");
  EXPECT_EQ(manager.http_filters(1).name(), "last");
  const auto& per_filter = manager.route_config().typed_per_filter_config();
  EXPECT_EQ(per_filter.size(), 1u);
  EXPECT_TRUE(per_filter.contains("last"));
  EXPECT_FALSE(mentions_istio_part(one.SerializeAsString()));
}

TEST(IstioCompat, StatisticsWithoutFilterStateNeedNoOtherPartOfIstios) {
  GrpcStats stats;
  stats.set_emit_filter_state(true);
  HttpConnectionManager manager;
  manager.add_http_filters()->mutable_typed_config()->PackFrom(stats);
  EXPECT_TRUE(mentions_istio_part(manager.SerializeAsString()));
  remove_istio_extensions(manager, [](const std::string&) {});
  ASSERT_TRUE(manager.http_filters(0).typed_config().UnpackTo(&stats));
  EXPECT_FALSE(stats.emit_filter_state());
}

TEST(IstioCompat, WhatProtectsSomethingIsNotLeftOut) {
  for (const char* type :
       {"istio.envoy.config.filter.http.authn.v2alpha1.FilterConfig",
        "envoy.extensions.filters.http.wasm.v3.Wasm", "istio.set_internal_dst_address.v1.Config"}) {
    EXPECT_FALSE(is_istio_extension(type)) << type;
    EXPECT_EQ(istio_hint(type), "");
  }
  EXPECT_NE(istio_hint(kStats).find("--istio-compat"), std::string::npos);
}

TEST(IstioCompat, TheNodeTells) {
  envoy::config::core::v3::Node node;
  EXPECT_FALSE(is_istio_node(node));
  (*node.mutable_metadata()->mutable_fields())["ISTIO_VERSION"].set_string_value("1.24.0");
  EXPECT_TRUE(is_istio_node(node));
}

TEST(IstioCompat, APartOfTheBootstrapIsLeftOutWithAWarning) {
  Diagnostics diagnostics;
  const Source& source = diagnostics.add_source("f", R"(
node: {metadata: {ISTIO_VERSION: 1.24.0}}
bootstrap_extensions: [{name: internal_listener}]
admin: {}
)");
  const auto tree = read_yaml(source, {}, diagnostics);
  ASSERT_NE(tree, nullptr);
  EXPECT_TRUE(is_istio_bootstrap(tree->root()));
  const YamlNode root = without_istio_parts(*tree, source, diagnostics);
  EXPECT_EQ(root.entries().size(), 2u);
  EXPECT_EQ(root.find("bootstrap_extensions"), nullptr);
  EXPECT_NE(root.find("admin"), nullptr);
  ASSERT_EQ(diagnostics.warning_count(), 1u);
  EXPECT_FALSE(diagnostics.has_errors());
  EXPECT_EQ(diagnostics.items()[0].line, 3);
}

}  // namespace
}  // namespace weir::config
