#include "config/message_check.h"

#include <gtest/gtest.h>

#include "config/diagnostic_format.h"
#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/listener/v3/listener.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "envoy/extensions/load_balancing_policies/pick_first/v3/pick_first.pb.h"
#include "envoy/extensions/load_balancing_policies/random/v3/random.pb.h"
#include "xds/type/v3/typed_struct.pb.h"

namespace weir::config {
namespace {

using envoy::config::listener::v3::Filter;
using envoy::config::listener::v3::Listener;
using envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager;

std::string check_all(const google::protobuf::Message& message) {
  MessageCheck check(default_support());
  Diagnostics diagnostics;
  check.check_all(message, FieldPath::root(), diagnostics);
  return format_text(diagnostics, false);
}

Listener listener_with(const HttpConnectionManager& manager) {
  Listener listener;
  Filter& filter = *listener.add_filter_chains()->add_filters();
  filter.set_name("http");
  filter.mutable_typed_config()->PackFrom(manager);
  return listener;
}

TEST(MessageCheck, LooksIntoAny) {
  HttpConnectionManager manager;
  manager.set_stat_prefix("x");
  auto& host = *manager.mutable_route_config()->add_virtual_hosts();
  host.set_name("h");
  EXPECT_EQ(
      check_all(listener_with(manager)),
      "error: filter_chains[0].filters[0].typed_config.route_config.virtual_hosts[0].domains: "
      "'domains' must not be empty [constraint]\n");
  host.add_domains("*");
  EXPECT_EQ(check_all(listener_with(manager)), "");
}

TEST(MessageCheck, RefusesExtensionsItDoesNotKnow) {
  HttpConnectionManager manager;
  manager.set_stat_prefix("x");
  manager.mutable_route_config();
  auto& filter = *manager.add_http_filters();
  filter.set_name("f");
  filter.mutable_typed_config()->set_type_url("type.googleapis.com/no.Such");
  EXPECT_EQ(
      check_all(listener_with(manager)),
      "error: filter_chains[0].filters[0].typed_config.http_filters[0].typed_config: there is "
      "no extension of type 'no.Such' here [unknown-extension]\n");
  filter.mutable_typed_config()->set_type_url("nonsense");
  EXPECT_NE(check_all(listener_with(manager)).find("'nonsense' is no type URL"), std::string::npos);
  filter.mutable_typed_config()->PackFrom(Listener());
  EXPECT_NE(check_all(listener_with(manager)).find("[not-supported]"), std::string::npos);
}

TEST(MessageCheck, TellsWhetherEnvoyHasAnExtension) {
  HttpConnectionManager manager;
  manager.set_stat_prefix("x");
  manager.mutable_route_config();
  auto& filter = *manager.add_http_filters();
  filter.set_name("f");
  filter.mutable_typed_config()->set_type_url("t/envoy.extensions.filters.http.lua.v3.Lua");
  EXPECT_EQ(check_all(listener_with(manager)),
            "error: filter_chains[0].filters[0].typed_config.http_filters[0].typed_config: "
            "extension 'envoy.extensions.filters.http.lua.v3.Lua' exists in Envoy; Weir does not "
            "support it yet [not-supported]\n");
}

TEST(MessageCheck, WarnsOfPoliciesThatArePassedOver) {
  envoy::config::cluster::v3::Cluster cluster;
  cluster.set_name("c");
  const auto add = [&] {
    auto& added =
        *cluster.mutable_load_balancing_policy()->add_policies()->mutable_typed_extension_config();
    added.set_name("p");
    return added.mutable_typed_config();
  };
  xds::type::v3::TypedStruct folded;
  folded.set_type_url("t/folded.Policy");
  add()->PackFrom(folded);
  add()->set_type_url("t/no.Such");
  add()->PackFrom(envoy::extensions::load_balancing_policies::random::v3::Random());
  std::string expected;
  const std::vector<std::string> types = {"folded.Policy", "no.Such"};
  for (size_t i = 0; i < types.size(); ++i)
    expected += "warning: load_balancing_policy.policies[" + std::to_string(i) +
                "].typed_extension_config.typed_config: Weir has no load balancing policy '" +
                types[i] + "', and passes over it [not-supported]\nhint: the first that it has " +
                "is used\n";
  EXPECT_EQ(check_all(cluster), expected);
  add()->PackFrom(envoy::extensions::load_balancing_policies::pick_first::v3::PickFirst());
  EXPECT_NE(check_all(cluster).find("error: load_balancing_policy.policies[3]"), std::string::npos)
      << "Envoy has it, and might have used it";
}

TEST(MessageCheck, RefusesContentThatCannotBeParsed) {
  Listener listener = listener_with({});
  auto& any = *listener.mutable_filter_chains(0)->mutable_filters(0)->mutable_typed_config();
  any.set_value("\xff\xff\xff");
  EXPECT_NE(check_all(listener).find("this is no valid envoy.extensions.filters.network."),
            std::string::npos);
}

}  // namespace
}  // namespace weir::config
