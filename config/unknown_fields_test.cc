#include "config/unknown_fields.h"

#include <google/protobuf/any.pb.h>
#include <google/protobuf/unknown_field_set.h>
#include <gtest/gtest.h>

#include "config/diagnostic_format.h"
#include "envoy/config/listener/v3/listener.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"

namespace weir::config {
namespace {

using envoy::config::listener::v3::Listener;
using envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager;
using google::protobuf::Message;

void add_unknown(Message& message, int number) {
  message.GetReflection()->MutableUnknownFields(&message)->AddVarint(number, 1);
}

std::string report(const Message& message, Severity severity = Severity::kWarning) {
  Diagnostics diagnostics;
  report_unknown_fields(message, FieldPath::root(), severity, diagnostics);
  return format_text(diagnostics, false);
}

TEST(UnknownFields, NoneAreNotReported) {
  Listener listener;
  listener.set_name("x");
  listener.add_filter_chains()->add_filters()->mutable_typed_config()->PackFrom(
      HttpConnectionManager());
  EXPECT_EQ(report(listener), "");
}

TEST(UnknownFields, AreReportedWithTheirMessage) {
  Listener listener;
  add_unknown(*listener.add_filter_chains()->add_filters(), 901);
  EXPECT_EQ(report(listener),
            "warning: filter_chains[0].filters[0]: 'envoy.config.listener.v3.Filter' has no field "
            "901 here [unknown-field]\nhint: it is ignored\n");
}

TEST(UnknownFields, MayBeErrors) {
  Listener listener;
  add_unknown(listener, 901);
  Diagnostics diagnostics;
  EXPECT_EQ(report_unknown_fields(listener, FieldPath::root("l"), Severity::kError, diagnostics),
            1u);
  EXPECT_TRUE(diagnostics.has_errors());
  EXPECT_EQ(diagnostics.items()[0].field_path, "l");
}

TEST(UnknownFields, AreFoundInAnys) {
  HttpConnectionManager manager;
  auto& host = *manager.mutable_route_config()->add_virtual_hosts();
  add_unknown(host, 902);
  add_unknown(host, 902);
  add_unknown(host, 903);
  Listener listener;
  listener.add_filter_chains()->add_filters()->mutable_typed_config()->PackFrom(manager);
  Diagnostics diagnostics;
  EXPECT_EQ(report_unknown_fields(listener, FieldPath::root(), Severity::kWarning, diagnostics),
            2u);
  ASSERT_EQ(diagnostics.items().size(), 2u) << "each number once";
  EXPECT_EQ(diagnostics.items()[0].field_path,
            "filter_chains[0].filters[0].typed_config.route_config.virtual_hosts[0]");
}

TEST(UnknownFields, AreFoundInMaps) {
  HttpConnectionManager manager;
  auto& host = *manager.mutable_route_config()->add_virtual_hosts();
  HttpConnectionManager inner;
  add_unknown(inner, 904);
  (*host.mutable_typed_per_filter_config())["f"].PackFrom(inner);
  EXPECT_NE(report(manager).find("typed_per_filter_config[\"f\"]: "), std::string::npos);
}

TEST(UnknownFields, AreFoundInTheAnyItself) {
  Listener listener;
  add_unknown(*listener.add_filter_chains()->add_filters()->mutable_typed_config(), 905);
  EXPECT_NE(report(listener).find("'google.protobuf.Any' has no field 905"), std::string::npos);
}

TEST(UnknownFields, AnysThatCannotBeReadArePassedOver) {
  Listener listener;
  auto& chain = *listener.add_filter_chains();
  chain.add_filters()->mutable_typed_config()->set_type_url("type.googleapis.com/no.Such");
  chain.add_filters()->mutable_typed_config()->set_type_url("nonsense");
  auto& broken = *chain.add_filters()->mutable_typed_config();
  broken.PackFrom(Listener());
  broken.set_value("\xff");
  EXPECT_EQ(report(listener), "");
}

TEST(UnknownFields, AnysAreNestedToABound) {
  google::protobuf::Any any;
  for (int i = 0; i < 200; ++i) {
    google::protobuf::Any outer;
    outer.PackFrom(any);
    any = outer;
  }
  EXPECT_NE(report(any).find("error: Anys are nested too deep [limit]"), std::string::npos);
}

}  // namespace
}  // namespace weir::config
