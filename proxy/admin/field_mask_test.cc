#include "proxy/admin/field_mask.h"

#include <google/protobuf/text_format.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include "envoy/admin/v3/config_dump.pb.h"
#include "envoy/config/listener/v3/listener.pb.h"

namespace weir::admin {
namespace {

using envoy::admin::v3::ListenersConfigDump;
using google::protobuf::util::MessageDifferencer;

template <class Message>
Message read(const char* text) {
  Message out;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &out));
  return out;
}

ListenersConfigDump::DynamicListener example() {
  return read<ListenersConfigDump::DynamicListener>(R"pb(
    name: "front"
    active_state {
      version_info: "7"
      listener {
        [type.googleapis.com/envoy.config.listener.v3.Listener] {
          name: "front"
          stat_prefix: "p"
          address { socket_address { address: "::" port_value: 80 } }
        }
      }
    }
  )pb");
}

void expect_kept(const std::string& mask, const char* text) {
  ListenersConfigDump::DynamicListener message = example();
  EXPECT_TRUE(keep_masked(mask, message)) << mask;
  const auto expected = read<ListenersConfigDump::DynamicListener>(text);
  EXPECT_TRUE(MessageDifferencer::Equals(message, expected)) << mask << "\n"
                                                             << message.DebugString();
}

TEST(FieldMaskTest, KeepsWhatIsNamed) {
  expect_kept("name", R"pb(name: "front")pb");
  expect_kept("active_state.version_info", R"pb(active_state { version_info: "7" })pb");
  expect_kept("name,active_state.version_info",
              R"pb(name: "front"
                   active_state { version_info: "7" })pb");
}

TEST(FieldMaskTest, LeadsThroughAny) {
  expect_kept("active_state.listener.address.socket_address.port_value,active_state.listener.name",
              R"pb(active_state {
                     listener {
                       [type.googleapis.com/envoy.config.listener.v3.Listener] {
                         name: "front"
                         address { socket_address { port_value: 80 } }
                       }
                     }
                   })pb");
}

TEST(FieldMaskTest, WhatIsNotThereIsNoError) {
  expect_kept("warming_state.listener.name,name", R"pb(name: "front")pb");
}

TEST(FieldMaskTest, AWholeFieldIsMoreThanAPartOfIt) {
  ListenersConfigDump::DynamicListener message = example();
  EXPECT_TRUE(keep_masked("active_state.version_info,active_state", message));
  EXPECT_TRUE(message.active_state().has_listener());
}

TEST(FieldMaskTest, AnEmptyMaskKeepsAll) {
  ListenersConfigDump::DynamicListener message = example();
  EXPECT_TRUE(keep_masked("", message));
  EXPECT_TRUE(keep_masked(",", message));
  EXPECT_TRUE(MessageDifferencer::Equals(message, example()));
}

TEST(FieldMaskTest, WhatFitsNotIsAnError) {
  for (const char* mask :
       {"nothing", "name.more", "active_state.nothing", "name,", "active_state.listener.nothing",
        "active_state.listener.filter_chains.a", "active_state..listener"}) {
    ListenersConfigDump::DynamicListener message = example();
    EXPECT_EQ(keep_masked(mask, message), std::string_view(mask) == "name,") << mask;
  }
  ListenersConfigDump dump;
  EXPECT_FALSE(keep_masked("static_listeners.listener", dump)) << "within a list";
}

TEST(FieldMaskTest, AnUnknownTypeIsAnError) {
  ListenersConfigDump::DynamicListener message;
  message.mutable_active_state()->mutable_listener()->set_type_url("type.googleapis.com/no.Such");
  EXPECT_FALSE(keep_masked("active_state.listener.name", message));
}

}  // namespace
}  // namespace weir::admin
