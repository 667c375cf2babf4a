#include "config/proto_loader.h"

#include <google/protobuf/any.pb.h>
#include <google/protobuf/duration.pb.h>
#include <google/protobuf/field_mask.pb.h>
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/timestamp.pb.h>
#include <google/protobuf/type.pb.h>
#include <google/protobuf/util/time_util.h>
#include <google/protobuf/wrappers.pb.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "config/diagnostic_format.h"
#include "config/read_yaml.h"
#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/core/v3/base.pb.h"
#include "envoy/config/listener/v3/listener.pb.h"
#include "envoy/config/route/v3/route_components.pb.h"
#include "envoy/extensions/filters/http/router/v3/router.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "xds/type/v3/typed_struct.pb.h"

namespace weir::config {
namespace {

using envoy::config::cluster::v3::Cluster;
using envoy::config::core::v3::DataSource;
using envoy::config::core::v3::Metadata;
using envoy::config::core::v3::SocketAddress;
using envoy::config::listener::v3::Filter;
using envoy::config::route::v3::RouteAction;
using envoy::config::route::v3::RouteMatch;
using envoy::config::route::v3::VirtualHost;
using envoy::extensions::filters::http::router::v3::Router;
using envoy::extensions::filters::network::http_connection_manager::v3::HttpFilter;

struct Loaded {
  Diagnostics diagnostics;

  std::string text() const { return format_text(diagnostics, false); }
  // The first line of the report.
  std::string error() const { return text().substr(0, text().find('\n')); }
};

void load_into(const std::string& yaml, google::protobuf::Message& out, Loaded& loaded,
               const ProtoLoadOptions& options = {}) {
  const Source& source = loaded.diagnostics.add_source("f", yaml);
  const auto tree = read_yaml(source, {}, loaded.diagnostics);
  ASSERT_NE(tree, nullptr) << loaded.text();
  ProtoLoader(source, options, loaded.diagnostics).load(tree->root(), FieldPath::root(), out);
}

// A message from YAML that must be right.
template <class Message>
Message load(const std::string& yaml, const ProtoLoadOptions& options = {}) {
  Message out;
  Loaded loaded;
  load_into(yaml, out, loaded, options);
  EXPECT_EQ(loaded.text(), "") << yaml;
  return out;
}

// The first error that loading reports.
template <class Message>
std::string error_of(const std::string& yaml, const ProtoLoadOptions& options = {}) {
  Message out;
  Loaded loaded;
  load_into(yaml, out, loaded, options);
  EXPECT_TRUE(loaded.diagnostics.has_errors()) << yaml;
  return loaded.error();
}

TEST(ProtoLoader, TakesBothSpellingsOfNames) {
  EXPECT_EQ(load<SocketAddress>("{address: a, port_value: 80}").port_value(), 80u);
  EXPECT_EQ(load<SocketAddress>("{address: a, portValue: 80}").port_value(), 80u);
  EXPECT_EQ(error_of<SocketAddress>("{ipv4_compat: true, ipv4Compat: true}"),
            "f:1:21: error: field 'ipv4_compat' is given twice, as 'ipv4_compat' and as "
            "'ipv4Compat' [duplicate-key]");
}

TEST(ProtoLoader, LoadsListsMapsAndMessages) {
  const auto host = load<VirtualHost>(R"(
name: a
domains: [x, "y"]
routes:
- match: {prefix: /}
  route: {cluster: c, timeout: 1.5s}
)");
  EXPECT_EQ(host.domains_size(), 2);
  EXPECT_EQ(host.domains(1), "y");
  EXPECT_EQ(host.routes(0).route().cluster(), "c");
  EXPECT_EQ(host.routes(0).route().timeout().nanos(), 500'000'000);
  const auto metadata = load<Metadata>("filter_metadata: {a: {b: 1}, c: {}}");
  EXPECT_EQ(metadata.filter_metadata().size(), 2u);
  EXPECT_EQ(metadata.filter_metadata().at("a").fields().at("b").number_value(), 1);
}

TEST(ProtoLoader, TakesNullAsUnset) {
  const auto host = load<VirtualHost>("{name: ~, domains: , retry_policy: null}");
  EXPECT_EQ(host.domains_size(), 0);
  EXPECT_FALSE(host.has_retry_policy());
  EXPECT_EQ(error_of<VirtualHost>("domains: [null]"),
            "f:1:11: error: expected a string, got null [wrong-type]");
  EXPECT_EQ(error_of<VirtualHost>("routes: [~]"),
            "f:1:10: error: expected an item of the list, got null [wrong-type]");
}

TEST(ProtoLoader, LoadsIntegers) {
  EXPECT_EQ(load<SocketAddress>("port_value: 0x1F90").port_value(), 8080u);
  EXPECT_EQ(load<SocketAddress>("port_value: \"80\"").port_value(), 80u);
  EXPECT_EQ(load<SocketAddress>("port_value: 8e1").port_value(), 80u);
  EXPECT_EQ(load<google::protobuf::Int64Value>("\"-9223372036854775808\"").value(), INT64_MIN);
  EXPECT_EQ(load<google::protobuf::UInt64Value>("18446744073709551615").value(), UINT64_MAX);
  EXPECT_EQ(load<google::protobuf::Int32Value>("-2147483648").value(), INT32_MIN);
  EXPECT_EQ(error_of<SocketAddress>("port_value: -1"),
            "f:1:13: error: -1 is not a 32-bit unsigned integer [out-of-range]");
  EXPECT_EQ(error_of<SocketAddress>("port_value: 4294967296"),
            "f:1:13: error: 4294967296 is not a 32-bit unsigned integer [out-of-range]");
  EXPECT_EQ(error_of<google::protobuf::Int32Value>("2147483648"),
            "f:1:1: error: 2147483648 is not a 32-bit integer [out-of-range]");
  EXPECT_EQ(error_of<google::protobuf::Int64Value>("9223372036854775808"),
            "f:1:1: error: 9223372036854775808 is not a 64-bit integer [out-of-range]");
  EXPECT_EQ(error_of<SocketAddress>("port_value: http"),
            "f:1:13: error: expected a 32-bit unsigned integer, got 'http' [wrong-type]");
  EXPECT_EQ(error_of<SocketAddress>("port_value: {}"),
            "f:1:13: error: expected a 32-bit unsigned integer, got a mapping [wrong-type]");
}

TEST(ProtoLoader, ReadsALeadingZeroAsOctalOnlyWithoutQuotes) {
  EXPECT_EQ(load<SocketAddress>("port_value: 0100").port_value(), 64u);
  EXPECT_EQ(load<SocketAddress>("port_value: \"0100\"").port_value(), 100u);
  EXPECT_EQ(load<google::protobuf::DoubleValue>("'010'").value(), 10);
  EXPECT_EQ(load<Cluster>("lb_policy: '02'").lb_policy(), Cluster::RING_HASH);
  EXPECT_EQ(error_of<SocketAddress>("port_value: \"0x50\""),
            "f:1:13: error: expected a 32-bit unsigned integer, got '0x50' [wrong-type]");
  SocketAddress address;
  Loaded loaded;
  load_into("port_value: 080", address, loaded);
  EXPECT_EQ(loaded.error(),
            "f:1:13: error: expected a 32-bit unsigned integer, got '080' [wrong-type]");
  EXPECT_NE(loaded.text().find("hint: a leading 0 makes it octal, which has no 8 and 9; write 80"),
            std::string::npos)
      << loaded.text();
}

TEST(ProtoLoader, SaysThatANumberIsTooLarge) {
  EXPECT_EQ(error_of<SocketAddress>("port_value: 99999999999999999999999"),
            "f:1:13: error: 99999999999999999999999 is not a 32-bit unsigned integer "
            "[out-of-range]");
  EXPECT_EQ(error_of<SocketAddress>("port_value: -" + std::string(5000, '9')),
            "f:1:13: error: -" + std::string(39, '9') +
                "... is not a 32-bit unsigned integer [out-of-range]");
}

TEST(ProtoLoader, LoadsFloatingPointNumbers) {
  EXPECT_EQ(load<google::protobuf::DoubleValue>("1.5").value(), 1.5);
  EXPECT_EQ(load<google::protobuf::DoubleValue>("3").value(), 3);
  EXPECT_TRUE(std::isnan(load<google::protobuf::DoubleValue>("NaN").value()));
  EXPECT_TRUE(std::isinf(load<google::protobuf::FloatValue>("-Infinity").value()));
  EXPECT_EQ(error_of<google::protobuf::FloatValue>("1e39"),
            "f:1:1: error: 1e39 is not a 32-bit floating-point number [out-of-range]");
  EXPECT_EQ(error_of<google::protobuf::DoubleValue>("much"),
            "f:1:1: error: expected a number, got 'much' [wrong-type]");
}

TEST(ProtoLoader, LoadsBoolsUnquoted) {
  EXPECT_TRUE(load<SocketAddress>("ipv4_compat: yes").ipv4_compat());
  EXPECT_EQ(error_of<SocketAddress>("ipv4_compat: \"true\""),
            "f:1:14: error: expected true or false, got 'true' [wrong-type]");
  EXPECT_EQ(error_of<SocketAddress>("ipv4_compat: 1"),
            "f:1:14: error: expected true or false, got '1' [wrong-type]");
}

TEST(ProtoLoader, WantsStringsThatLookLikeOtherThingsQuoted) {
  EXPECT_EQ(load<VirtualHost>("name: 1.5").name(), "1.5");
  EXPECT_EQ(load<VirtualHost>("name: '80'").name(), "80");
  EXPECT_EQ(load<VirtualHost>("name: !!str no").name(), "no");
  Loaded loaded;
  VirtualHost host;
  load_into("{name: no, domains: [80]}", host, loaded);
  EXPECT_NE(loaded.text().find("hint: unquoted, this is a bool; write \"no\""), std::string::npos);
  EXPECT_NE(loaded.text().find("hint: unquoted, this is a number; write \"80\""),
            std::string::npos);
}

TEST(ProtoLoader, LoadsBytesAsBase64) {
  EXPECT_EQ(load<DataSource>("inline_bytes: aGVsbG8=").inline_bytes(), "hello");
  EXPECT_EQ(error_of<DataSource>("inline_bytes: '?'"),
            "f:1:15: error: expected base64 [invalid-value]");
}

TEST(ProtoLoader, LoadsEnumsByNameOrNumber) {
  EXPECT_EQ(load<Cluster>("lb_policy: RANDOM").lb_policy(), Cluster::RANDOM);
  EXPECT_EQ(load<Cluster>("lb_policy: 3").lb_policy(), Cluster::RANDOM);
  Loaded loaded;
  Cluster cluster;
  load_into("lb_policy: random", cluster, loaded);
  EXPECT_EQ(loaded.error(),
            "f:1:12: error: 'random' is no value of envoy.config.cluster.v3.Cluster.LbPolicy "
            "[unknown-value]");
  EXPECT_NE(loaded.text().find("hint: did you mean 'RANDOM'?"), std::string::npos);
  EXPECT_NE(error_of<Cluster>("lb_policy: 99999999999").find("[unknown-value]"), std::string::npos);
}

TEST(ProtoLoader, LoadsTimes) {
  EXPECT_EQ(load<google::protobuf::Duration>("-1.25s").nanos(), -250'000'000);
  EXPECT_EQ(load<google::protobuf::Timestamp>("2026-01-31T12:00:00Z").seconds(), 1769860800);
  Loaded loaded;
  RouteAction route;
  load_into("timeout: 5m", route, loaded);
  EXPECT_EQ(loaded.error(),
            "f:1:10: error: expected a duration in seconds, such as 0.25s, got "
            "'5m' [wrong-type]");
  EXPECT_NE(loaded.text().find("hint: write 300s"), std::string::npos);
  EXPECT_NE(error_of<google::protobuf::Timestamp>("noon").find("[wrong-type]"), std::string::npos);
}

TEST(ProtoLoader, LoadsFieldMasks) {
  const auto mask = load<google::protobuf::FieldMask>("\"userName,a.bC\"");
  ASSERT_EQ(mask.paths_size(), 2);
  EXPECT_EQ(mask.paths(0), "user_name");
  EXPECT_EQ(mask.paths(1), "a.b_c");
}

TEST(ProtoLoader, LoadsStructsAsEnvoyDoes) {
  const std::string text = "{b: true, n: 80, f: 1.5, s: x, q: '1', z: ~, l: [1, {m: w}]}";
  const auto yaml = load<google::protobuf::Struct>(text).fields();
  EXPECT_TRUE(yaml.at("b").bool_value());
  EXPECT_EQ(yaml.at("n").number_value(), 80);
  EXPECT_EQ(yaml.at("f").string_value(), "1.5");
  EXPECT_EQ(yaml.at("q").string_value(), "1");
  EXPECT_EQ(yaml.at("z").kind_case(), google::protobuf::Value::kNullValue);
  EXPECT_EQ(yaml.at("l").list_value().values(1).struct_value().fields().at("m").string_value(),
            "w");
  ProtoLoadOptions options;
  options.is_json = true;
  EXPECT_EQ(load<google::protobuf::Struct>(text, options).fields().at("f").number_value(), 1.5);
}

TEST(ProtoLoader, KeepsKeysOfMapsAsText) {
  const auto metadata = load<Metadata>("filter_metadata: {80: {}, true: {}}");
  EXPECT_TRUE(metadata.filter_metadata().contains("80"));
  EXPECT_TRUE(metadata.filter_metadata().contains("true"));
}

TEST(ProtoLoader, RefusesTwoMembersOfAOneof) {
  EXPECT_EQ(error_of<RouteMatch>("prefix: /\npath: /x"),
            "f:2:1: error: 'path' and 'prefix' cannot both be set [oneof-conflict]");
  EXPECT_EQ(load<RouteMatch>("prefix: /\npath: ~").prefix(), "/");
}

TEST(ProtoLoader, NamesUnknownFields) {
  Loaded loaded;
  RouteMatch match;
  load_into("prefx: /", match, loaded);
  EXPECT_EQ(loaded.text(),
            "f:1:1: error: unknown field 'prefx' of envoy.config.route.v3.RouteMatch "
            "[unknown-field]\n    prefx: /\n    ^\nhint: did you mean 'prefix'?\n");
  EXPECT_EQ(loaded.diagnostics.items()[0].field_path, "prefx");
  EXPECT_EQ(error_of<Cluster>("tls_context: {}"),
            "f:1:1: error: field 'tls_context' was removed from envoy.config.cluster.v3.Cluster "
            "[unknown-field]");
  Loaded filter;
  Filter out;
  load_into("config: {}", out, filter);
  EXPECT_NE(filter.text().find("hint: use 'typed_config'"), std::string::npos);
}

TEST(ProtoLoader, AllowsUnknownFieldsOnDemand) {
  ProtoLoadOptions options;
  options.allow_unknown_fields = true;
  Loaded loaded;
  RouteMatch match;
  load_into("{prefix: /, future: 1}", match, loaded, options);
  EXPECT_FALSE(loaded.diagnostics.has_errors());
  EXPECT_EQ(loaded.diagnostics.warning_count(), 1u);
  EXPECT_EQ(match.prefix(), "/");
}

TEST(ProtoLoader, ReportsAllErrorsAtOnce) {
  Loaded loaded;
  VirtualHost host;
  load_into("{name: [], domains: {}, routes: [{match: 1}, {rout: {}}], require_tls: X}", host,
            loaded);
  EXPECT_EQ(loaded.diagnostics.error_count(), 5u) << loaded.text();
  EXPECT_EQ(loaded.diagnostics.items()[2].field_path, "routes[0].match");
}

constexpr const char* kRouter =
    "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router";

TEST(ProtoLoader, PacksAny) {
  const auto filter = load<Filter>(std::string("{name: r, typed_config: {'@type': ") + kRouter +
                                   ", suppress_envoy_headers: true}}");
  EXPECT_EQ(filter.typed_config().type_url(), kRouter);
  Router router;
  ASSERT_TRUE(filter.typed_config().UnpackTo(&router));
  EXPECT_TRUE(router.suppress_envoy_headers());
}

TEST(ProtoLoader, PacksMessagesWithAJsonFormOfTheirOwn) {
  const auto any =
      load<google::protobuf::Any>("{'@type': x/google.protobuf.Duration, value: 1.5s}");
  google::protobuf::Duration duration;
  ASSERT_TRUE(any.UnpackTo(&duration));
  EXPECT_EQ(duration.nanos(), 500'000'000);
}

TEST(ProtoLoader, TurnsATypedStructIntoItsType) {
  for (const char* type : {"xds.type.v3.TypedStruct", "udpa.type.v1.TypedStruct"}) {
    const auto any = load<google::protobuf::Any>(std::string("{'@type': type.googleapis.com/") +
                                                 type + ", type_url: " + kRouter +
                                                 ", value: {suppress_envoy_headers: true}}");
    EXPECT_EQ(any.type_url(), kRouter);
    Router router;
    ASSERT_TRUE(any.UnpackTo(&router));
    EXPECT_TRUE(router.suppress_envoy_headers());
  }
  EXPECT_EQ(error_of<google::protobuf::Any>(
                std::string("{'@type': x/xds.type.v3.TypedStruct, type_url: ") + kRouter +
                ", value: {supress_envoy_headers: true}}"),
            "f:1:124: error: unknown field 'supress_envoy_headers' of "
            "envoy.extensions.filters.http.router.v3.Router [unknown-field]");
  EXPECT_NE(error_of<google::protobuf::Any>("{'@type': x/xds.type.v3.TypedStruct, type_url: x/y.Z}")
                .find("[unknown-extension]"),
            std::string::npos);
}

TEST(ProtoLoader, ExplainsWhatIsWrongWithAnAny) {
  EXPECT_EQ(error_of<Filter>("typed_config: {a: 1}"),
            "f:1:15: error: this extension's type is not given [wrong-type]");
  EXPECT_EQ(error_of<Filter>("typed_config: 5"),
            "f:1:15: error: expected a mapping with '@type', got '5' [wrong-type]");
  EXPECT_EQ(error_of<Filter>("typed_config: {'@type': [x]}"),
            "f:1:25: error: expected a type URL, got a list [wrong-type]");
  EXPECT_EQ(error_of<Filter>("typed_config: {'@type': google.protobuf.Duration}"),
            "f:1:25: error: a type URL needs a prefix [invalid-value]");
  ProtoLoadOptions options;
  options.extension_types = {"envoy.extensions.filters.http.router.v3.Router"};
  Loaded loaded;
  Filter filter;
  load_into("typed_config: {'@type': t/envoy.config.filter.http.router.v2.Router}", filter, loaded,
            options);
  EXPECT_EQ(loaded.error(),
            "f:1:25: error: there is no extension of type 'envoy.config.filter.http.router.v2."
            "Router' here [unknown-extension]");
  EXPECT_NE(loaded.text().find("did you mean 'envoy.extensions.filters.http.router.v3.Router'?"),
            std::string::npos);
}

TEST(ProtoLoader, KeepsTheTypesOfUnknownPolicies) {
  std::vector<std::string> seen;
  ProtoLoadOptions options;
  options.on_any = [&seen](const google::protobuf::Message& content, const FieldPath& path) {
    seen.push_back(path.str() + "=" + content.GetTypeName());
  };
  const std::string begin =
      "load_balancing_policy: {policies: [{typed_extension_config: {name: a, typed_config: ";
  for (const std::string config :
       {"{'@type': t/xds.type.v3.TypedStruct, type_url: t/a.b.C, value: {x: [1]}}",
        "{'@type': t/udpa.type.v1.TypedStruct, typeUrl: t/a.b.C, value: {x: [1]}}"}) {
    const auto cluster = load<Cluster>(begin + config + "}}]}", options);
    xds::type::v3::TypedStruct folded;
    ASSERT_TRUE(cluster.load_balancing_policy()
                    .policies(0)
                    .typed_extension_config()
                    .typed_config()
                    .UnpackTo(&folded))
        << config;
    EXPECT_EQ(folded.type_url(), "t/a.b.C");
    EXPECT_FALSE(folded.has_value());
  }
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[0],
            "load_balancing_policy.policies[0].typed_extension_config.typed_config="
            "xds.type.v3.TypedStruct");
  // As in Envoy, a type that is not folded has to be known.
  for (const std::string no_url : {"5", "[t/a.b.C]", "''", "t/a.b.C"})
    error_of<Cluster>(begin + "{'@type': " + no_url + "}}}]}");
}

TEST(ProtoLoader, LeavesOutOptionalExtensionsThatItDoesNotHave) {
  ProtoLoadOptions options;
  options.leaves_out_optional = true;
  options.extension_types = {"envoy.extensions.filters.http.router.v3.Router"};
  std::vector<std::string> seen;
  options.on_any = [&seen](const google::protobuf::Message& content, const FieldPath&) {
    seen.push_back(content.GetTypeName());
  };
  const auto left_out = [&](const std::string& yaml) {
    HttpFilter filter;
    Loaded loaded;
    load_into(yaml, filter, loaded, options);
    EXPECT_EQ(filter.name(), "x") << yaml;
    EXPECT_FALSE(filter.has_typed_config()) << yaml;
    return loaded.error();
  };
  const std::string begin = "{name: x, is_optional: true, typed_config: ";
  EXPECT_EQ(left_out(begin + "{'@type': t/a.b.C, x: [1]}}"),
            "f:1:44: warning: Weir has no extension 'a.b.C', and leaves this optional one out "
            "[not-supported]");
  left_out("{typedConfig: {'@type': t/a.b.C}, isOptional: true, name: x}");
  left_out(begin + "{'@type': t/envoy.config.route.v3.VirtualHost, name: y}}");
  left_out(begin + "{'@type': t/xds.type.v3.TypedStruct, type_url: t/a.b.C, value: {}}}");
  EXPECT_TRUE(seen.empty());
  const auto there = load<HttpFilter>(
      begin + "{'@type': t/envoy.extensions.filters.http.router.v3.Router}}", options);
  EXPECT_TRUE(there.has_typed_config());
  // What is wrong with one that is there, or with how it is named, is no less wrong.
  for (const std::string wrong : {"{name: x, is_optional: false, typed_config: {'@type': t/a.b.C}}",
                                  "{name: x, typed_config: {'@type': t/a.b.C}}",
                                  "{name: x, is_optional: true, typed_config: {'@type': a.b.C}}",
                                  "{name: x, is_optional: true, typed_config: {}}"}) {
    HttpFilter filter;
    Loaded loaded;
    load_into(wrong, filter, loaded, options);
    EXPECT_TRUE(loaded.diagnostics.has_errors()) << wrong;
  }
}

TEST(ProtoLoader, ShowsEveryAnyToItsVisitorInnermostFirst) {
  std::vector<std::string> seen;
  ProtoLoadOptions options;
  options.on_any = [&seen](const google::protobuf::Message& content, const FieldPath& path) {
    seen.push_back(path.str() + "=" + content.GetTypeName());
  };
  load<Filter>(
      "typed_config: {'@type': x/envoy.config.listener.v3.Filter, "
      "typed_config: {'@type': x/google.protobuf.Duration, value: 1s}}",
      options);
  EXPECT_EQ(seen, (std::vector<std::string>{"typed_config.typed_config=google.protobuf.Duration",
                                            "typed_config=envoy.config.listener.v3.Filter"}));
}

TEST(ProtoLoader, PacksEqualMessagesAsEqualBytes) {
  const std::string head = "{'@type': x/envoy.config.core.v3.Metadata, filter_metadata: ";
  const auto one = load<google::protobuf::Any>(head + "{a: {}, b: {}, c: {}, d: {}}}");
  const auto two = load<google::protobuf::Any>(head + "{d: {}, c: {}, b: {}, a: {}}}");
  EXPECT_EQ(one.value(), two.value());
}

}  // namespace
}  // namespace weir::config
