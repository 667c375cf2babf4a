#include "config/typed_struct.h"

#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>

#include <string>

#include "envoy/config/listener/v3/listener_components.pb.h"
#include "envoy/extensions/filters/http/router/v3/router.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "udpa/type/v1/typed_struct.pb.h"
#include "xds/type/v3/typed_struct.pb.h"

namespace weir::config {
namespace {

using envoy::config::listener::v3::Filter;
using envoy::extensions::filters::http::router::v3::Router;
using envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager;

const char* const kRouter = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router";
const char* const kManager =
    "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3."
    "HttpConnectionManager";

// A network filter with a TypedStruct of either package.
template <class Folded>
Filter filter(const std::string& type_url, const std::string& json) {
  Folded folded;
  folded.set_type_url(type_url);
  const auto status = google::protobuf::util::JsonStringToMessage(json, folded.mutable_value());
  EXPECT_TRUE(status.ok()) << status;
  Filter out;
  out.mutable_typed_config()->PackFrom(folded);
  return out;
}

std::string unfold(Filter& filter, bool allow_unknown_fields = false) {
  Diagnostics diagnostics;
  EXPECT_TRUE(mentions_typed_struct(filter.SerializeAsString()));
  unfold_typed_structs(filter, FieldPath::root(), {.allow_unknown_fields = allow_unknown_fields},
                       diagnostics);
  std::string out;
  for (const Diagnostic& one : diagnostics.items())
    out +=
        (one.severity == Severity::kError ? "" : "warning ") + one.field_path + ": " + one.message;
  return out;
}

TEST(TypedStruct, BothPackagesStandForTheMessage) {
  Filter current = filter<xds::type::v3::TypedStruct>(kRouter, R"({"suppressEnvoyHeaders": true})");
  Filter old = filter<udpa::type::v1::TypedStruct>(kRouter, R"({"suppress_envoy_headers": true})");
  for (Filter* one : {&current, &old}) {
    EXPECT_EQ(unfold(*one), "");
    Router router;
    ASSERT_TRUE(one->typed_config().UnpackTo(&router));
    EXPECT_TRUE(router.suppress_envoy_headers());
  }
}

TEST(TypedStruct, EveryKindOfValueIsRead) {
  Filter one = filter<xds::type::v3::TypedStruct>(kManager, R"({
      "stat_prefix": "front", "codec_type": "HTTP2", "xff_num_trusted_hops": 3,
      "max_request_headers_kb": 1e2, "request_timeout": "1.5s", "via": null,
      "normalize_path": false, "common_http_protocol_options": {"max_headers_count": 7},
      "access_log": [{"name": "a"}, {"name": "b"}],
      "http_filters": [{"name": "router", "typed_config": {"@type": ")" +
                                                                std::string(kRouter) + R"("}}]})");
  EXPECT_EQ(unfold(one), "");
  HttpConnectionManager manager;
  ASSERT_TRUE(one.typed_config().UnpackTo(&manager));
  EXPECT_EQ(manager.stat_prefix(), "front");
  EXPECT_EQ(manager.codec_type(), HttpConnectionManager::HTTP2);
  EXPECT_EQ(manager.xff_num_trusted_hops(), 3u);
  EXPECT_EQ(manager.max_request_headers_kb().value(), 100u);
  EXPECT_EQ(manager.request_timeout().nanos(), 500'000'000);
  EXPECT_TRUE(manager.has_normalize_path());
  EXPECT_EQ(manager.common_http_protocol_options().max_headers_count().value(), 7u);
  EXPECT_EQ(manager.access_log(1).name(), "b");
  EXPECT_TRUE(manager.http_filters(0).typed_config().Is<Router>());
}

TEST(TypedStruct, OneWithinAnAnyIsFound) {
  HttpConnectionManager manager;
  auto& inner = *manager.add_http_filters()->mutable_typed_config();
  inner = filter<xds::type::v3::TypedStruct>(kRouter, "{}").typed_config();
  Filter outer;
  outer.mutable_typed_config()->PackFrom(manager);
  EXPECT_EQ(unfold(outer), "");
  ASSERT_TRUE(outer.typed_config().UnpackTo(&manager));
  EXPECT_EQ(manager.http_filters(0).typed_config().type_url(), kRouter);
}

// Or what is the same would be taken for another configuration.
TEST(TypedStruct, EqualMessagesAreEqualBytesWhateverTheOrderOfTheirMaps) {
  std::string first;
  for (int round = 0; round < 20; ++round) {
    HttpConnectionManager manager;
    *manager.add_http_filters()->mutable_typed_config() =
        filter<xds::type::v3::TypedStruct>(kRouter, "{}").typed_config();
    auto& map = *manager.mutable_route_config()->mutable_typed_per_filter_config();
    for (int i = 0; i < 30; ++i) {
      const int key = round % 2 == 0 ? i : 29 - i;
      map["filter " + std::to_string(key)].set_type_url("x");
    }
    Filter outer;
    outer.mutable_typed_config()->PackFrom(manager);
    EXPECT_EQ(unfold(outer), "");
    if (first.empty()) first = outer.typed_config().value();
    EXPECT_EQ(outer.typed_config().value(), first);
  }
}

TEST(TypedStruct, ErrorsNameTheFieldsPath) {
  Filter wrong = filter<xds::type::v3::TypedStruct>(
      kManager, R"({"http_protocol_options": {"accept_http_10": "yes"}})");
  EXPECT_EQ(unfold(wrong),
            "typed_config.http_protocol_options.accept_http_10: expected true or "
            "false, got 'yes'");
  Filter unknown = filter<xds::type::v3::TypedStruct>(kManager, R"({"stat_prefox": "x"})");
  const Filter again = unknown;
  EXPECT_EQ(unfold(unknown).find("typed_config.stat_prefox: unknown field 'stat_prefox'"), 0u);
  unknown = again;
  EXPECT_EQ(
      unfold(unknown, true).find("warning typed_config.stat_prefox: unknown field 'stat_prefox'"),
      0u);
  Filter no_type = filter<xds::type::v3::TypedStruct>("type.googleapis.com/no.Such", "{}");
  EXPECT_EQ(unfold(no_type), "typed_config: there is no extension of type 'no.Such' here");
}

TEST(TypedStruct, OtherMessagesStayAsTheyAre) {
  Filter other;
  other.mutable_typed_config()->PackFrom(Router());
  EXPECT_FALSE(mentions_typed_struct(other.SerializeAsString()));
  const std::string before = other.SerializeAsString();
  Diagnostics diagnostics;
  unfold_typed_structs(other, FieldPath::root(), {}, diagnostics);
  EXPECT_EQ(other.SerializeAsString(), before);
}

}  // namespace
}  // namespace weir::config
