#include "proxy/scope_keys.h"

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <string>

#include "envoy/config/route/v3/scoped_route.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "proxy/base/arena.h"

namespace weir {
namespace {

using envoy::extensions::filters::network::http_connection_manager::v3::ScopedRoutes;

ScopedRoutes::ScopeKeyBuilder builder(const std::string& extractors) {
  ScopedRoutes::ScopeKeyBuilder out;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(extractors, &out));
  return out;
}

std::string by(const std::string& fields) {
  return "fragments { header_value_extractor { " + fields + " } } ";
}

std::string key(const std::vector<std::string>& fragments) {
  envoy::config::route::v3::ScopedRouteConfiguration_Key out;
  for (const std::string& one : fragments) out.add_fragments()->set_string_key(one);
  return scope_key(out);
}

class ScopeKeys : public testing::Test {
 protected:
  // "none" if the request has no key.
  std::string key_of(const std::string& extractors) {
    config::Diagnostics diagnostics;
    const auto compiled =
        ScopeKeyBuilder::compile(builder(extractors), config::FieldPath::root(), diagnostics);
    EXPECT_TRUE(compiled) << extractors;
    if (!compiled) return "error";
    const auto found = compiled->key_of(head_);
    return found ? std::string(*found) : "none";
  }
  std::string error_of(const std::string& extractors) {
    config::Diagnostics diagnostics;
    EXPECT_FALSE(
        ScopeKeyBuilder::compile(builder(extractors), config::FieldPath::root(), diagnostics));
    return diagnostics.items().empty()
               ? ""
               : diagnostics.items()[0].field_path + ": " + diagnostics.items()[0].message;
  }

  Arena arena_;
  http::RequestHead head_{arena_};
};

TEST_F(ScopeKeys, TakesElementsByPosition) {
  head_.headers.add("x-route", "a,b,,d");
  EXPECT_EQ(key_of(by("name: 'X-Route' index: 0")), key({"a,b,,d"}));
  EXPECT_EQ(key_of(by("name: 'X-Route' element_separator: ',' index: 0")), key({"a"}));
  EXPECT_EQ(key_of(by("name: 'x-route' element_separator: ',' index: 2")), key({""}));
  EXPECT_EQ(key_of(by("name: 'x-route' element_separator: ',' index: 3")), key({"d"}));
  EXPECT_EQ(key_of(by("name: 'x-route' element_separator: ',' index: 4")), "none");
  EXPECT_EQ(key_of(by("name: 'x-other' index: 0")), "none");
}

TEST_F(ScopeKeys, TakesElementsByTheirKey) {
  head_.headers.add("x-route", "a=1;vip=2=3;b;vip=4");
  const auto with = [&](const std::string& key) {
    return key_of(
        by("name: 'x-route' element_separator: ';' element { separator: '=' key: '" + key + "' }"));
  };
  EXPECT_EQ(with("vip"), key({"2=3"}));
  EXPECT_EQ(with("a"), key({"1"}));
  EXPECT_EQ(with("b"), key({""}));
  EXPECT_EQ(with("c"), "none");
}

TEST_F(ScopeKeys, AllFragmentsMakeTheKey) {
  head_.headers.add("x-a", "ab");
  head_.headers.add("x-b", "c");
  head_.headers.add("x-b", "second line");
  head_.authority = "example.com";
  const std::string a = by("name: 'x-a' index: 0");
  const std::string b = by("name: 'x-b' index: 0");
  EXPECT_EQ(key_of(a + b), key({"ab", "c"}));
  EXPECT_NE(key_of(a + b), key({"a", "bc"}));
  EXPECT_EQ(key_of(a + by("name: ':authority' index: 0")), key({"ab", "example.com"}));
  EXPECT_EQ(key_of(a + by("name: 'x-none' index: 0")), "none");
}

TEST_F(ScopeKeys, SaysWhatMakesNoSense) {
  EXPECT_EQ(error_of(by("name: 'x' index: 1")),
            "fragments[0].header_value_extractor.index: without an element_separator there is only "
            "the element at 0");
  EXPECT_EQ(error_of(by("name: 'x' index: 0") + by("name: 'x'")),
            "fragments[1].header_value_extractor: it is not said which element is meant");
}

}  // namespace
}  // namespace weir
