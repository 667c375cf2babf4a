#include "config/support.h"

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include "config/diagnostic_format.h"
#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/listener/v3/listener.pb.h"
#include "envoy/config/route/v3/route_components.pb.h"

namespace weir::config {
namespace {

template <class Message>
std::string check(std::string_view table, const std::string& text) {
  Support support;
  support.add(table);
  Message message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message)) << text;
  Diagnostics diagnostics;
  support.check(message, FieldPath::root(), diagnostics);
  return format_text(diagnostics, false);
}

using envoy::config::cluster::v3::Cluster;
using envoy::config::listener::v3::Listener;
using envoy::config::route::v3::VirtualHost;

TEST(Support, RefusesFieldsThatAreNotListed) {
  constexpr std::string_view kTable =
      "package envoy.config.listener.v3\nListener: name # comment\n  filter_chains\n";
  EXPECT_EQ(check<Listener>(kTable, "name: 'a' filter_chains { name: 'x' }"), "");
  EXPECT_EQ(check<Listener>(kTable, "name: 'a' udp_listener_config { }"),
            "error: udp_listener_config: 'udp_listener_config' of "
            "envoy.config.listener.v3.Listener exists in Envoy; Weir does not support it yet "
            "[not-supported]\n");
}

TEST(Support, RefusesFieldsThatAreExcepted) {
  constexpr std::string_view kTable =
      "package envoy.config.listener.v3\nFilterChain: * -on_demand_configuration\n";
  const std::string shown = check<Listener>(
      kTable, "filter_chains { name: 'x' } filter_chains { on_demand_configuration { } }");
  EXPECT_TRUE(shown.starts_with("error: filter_chains[1].on_demand_configuration: ")) << shown;
}

TEST(Support, RefusesValuesOfEnums) {
  constexpr std::string_view kTable = "package envoy.config.cluster.v3\nCluster: * -type=EDS\n";
  EXPECT_EQ(check<Cluster>(kTable, "type: STRICT_DNS"), "");
  EXPECT_EQ(check<Cluster>(kTable, "type: EDS"),
            "error: type: 'type: EDS' of envoy.config.cluster.v3.Cluster exists in Envoy; Weir "
            "does not support it yet [not-supported]\n");
}

TEST(Support, DescendsIntoMessagesThatAreNotListed) {
  constexpr std::string_view kTable = "package envoy.config.core.v3\nHeaderValue: key\n";
  const std::string shown = check<VirtualHost>(
      kTable, "routes { request_headers_to_add { header { key: 'a' value: 'b' } } }");
  EXPECT_TRUE(shown.starts_with("error: routes[0].request_headers_to_add[0].header.value: "))
      << shown;
}

TEST(Support, ListsExtensions) {
  Support support;
  support.add("package a.v1\nextension X: *\nY: *\n");
  Diagnostics diagnostics;
  const FieldPath root = FieldPath::root();
  EXPECT_EQ(support.extension_types(), std::vector<std::string_view>{"a.v1.X"});
  EXPECT_TRUE(support.check_extension("a.v1.X", root, diagnostics));
  EXPECT_FALSE(diagnostics.has_errors());
  EXPECT_FALSE(support.check_extension("a.v1.Y", root, diagnostics));
  EXPECT_EQ(diagnostics.items()[0].code, Code::kNotSupported);
}

TEST(Support, LetsALaterTableReplaceALine) {
  Support support;
  support.add("package envoy.config.listener.v3\nListener: name\n");
  support.add("package envoy.config.listener.v3\nListener: *\n");
  Listener listener;
  listener.mutable_udp_listener_config();
  Diagnostics diagnostics;
  support.check(listener, FieldPath::root(), diagnostics);
  EXPECT_FALSE(diagnostics.has_errors());
}

TEST(Support, TellsWhatIsWrongWithATable) {
  Support support;
  support.add("package envoy.config.listener.v3\nListner: *\nListener: nome -drain_type=NEVER\n");
  EXPECT_EQ(
      support.problems(),
      (std::vector<std::string>{"envoy.config.listener.v3.Listener has no field nome",
                                "envoy.config.listener.v3.Listener.drain_type has no value NEVER",
                                "there is no message envoy.config.listener.v3.Listner"}));
}

TEST(Support, HasATableOfItsOwnWithoutMistakes) {
  const Support support = default_support();
  EXPECT_EQ(support.problems(), std::vector<std::string>{});
  EXPECT_GT(support.extension_types().size(), 20u);
}

}  // namespace
}  // namespace weir::config
