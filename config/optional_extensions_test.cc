#include "config/optional_extensions.h"

#include <gtest/gtest.h>

#include "config/diagnostic_format.h"
#include "envoy/config/listener/v3/listener.pb.h"
#include "envoy/config/route/v3/route_components.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "xds/type/v3/typed_struct.pb.h"

namespace weir::config {
namespace {

using envoy::config::listener::v3::Listener;
using envoy::config::route::v3::FilterConfig;
using envoy::config::route::v3::VirtualHost;
using envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager;
using envoy::extensions::filters::network::http_connection_manager::v3::HttpFilter;

constexpr char kKnown[] = "t/a.Known";
constexpr char kUnknown[] = "t/a.Unknown";

// What is told.
std::string leave_out(google::protobuf::Message& message) {
  EXPECT_TRUE(mentions_optional_extension(message.SerializeAsString()));
  Diagnostics diagnostics;
  leave_out_optional(
      message, FieldPath::root(), [](std::string_view type) { return type == "a.Known"; },
      diagnostics);
  return format_text(diagnostics, false);
}

void add(HttpConnectionManager& manager, const std::string& url, bool optional) {
  HttpFilter& filter = *manager.add_http_filters();
  filter.set_is_optional(optional);
  filter.mutable_typed_config()->set_type_url(url);
}

TEST(OptionalExtensions, FiltersAreLeftOutWithinAny) {
  HttpConnectionManager manager;
  add(manager, kKnown, true);
  add(manager, kUnknown, true);
  add(manager, kUnknown, false);
  xds::type::v3::TypedStruct folded;
  folded.set_type_url(kUnknown);
  manager.add_http_filters()->set_is_optional(true);
  manager.mutable_http_filters(3)->mutable_typed_config()->PackFrom(folded);
  Listener listener;
  listener.add_filter_chains()->add_filters()->mutable_typed_config()->PackFrom(manager);
  const std::string at = "warning: filter_chains[0].filters[0].typed_config.http_filters[";
  const std::string message =
      "].typed_config: Weir has no extension 'a.Unknown', and leaves this optional one out "
      "[not-supported]\n";
  EXPECT_EQ(leave_out(listener), at + "1" + message + at + "3" + message);
  ASSERT_TRUE(listener.filter_chains(0).filters(0).typed_config().UnpackTo(&manager));
  ASSERT_EQ(manager.http_filters_size(), 4);
  EXPECT_TRUE(manager.http_filters(0).has_typed_config());
  EXPECT_FALSE(manager.http_filters(1).has_typed_config());
  EXPECT_TRUE(manager.http_filters(2).has_typed_config());
  EXPECT_FALSE(manager.http_filters(3).has_typed_config());
}

TEST(OptionalExtensions, SoIsWhatRoutesSayOfThem) {
  FilterConfig says;
  says.set_is_optional(true);
  says.mutable_config()->set_type_url(kUnknown);
  VirtualHost host;
  (*host.mutable_typed_per_filter_config())["x"].PackFrom(says);
  EXPECT_NE(leave_out(host).find("typed_per_filter_config[\"x\"].config: "), std::string::npos);
  ASSERT_TRUE(host.typed_per_filter_config().at("x").UnpackTo(&says));
  EXPECT_FALSE(says.has_config());
}

TEST(OptionalExtensions, MostMessagesHaveNone) {
  VirtualHost host;
  host.set_name("x");
  EXPECT_FALSE(mentions_optional_extension(host.SerializeAsString()));
}

}  // namespace
}  // namespace weir::config
