#include "proxy/http/header_changes.h"

#include "envoy/config/core/v3/base.pb.h"
#include "envoy/config/route/v3/route_components.pb.h"
#include "proxy/http/route_fixture.h"

namespace weir::http {
namespace {

// A message that carries both lists.
HeaderChanges compile(const std::string& text, config::Diagnostics& diagnostics) {
  envoy::config::route::v3::Route config;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &config)) << text;
  return compile_header_changes(config.request_headers_to_add(), "request_headers_to_add",
                                config.request_headers_to_remove(), "request_headers_to_remove",
                                config::FieldPath::root("route"), diagnostics);
}

std::string add(const std::string& name, const std::string& value, const std::string& more = "") {
  return "request_headers_to_add { header { key: '" + name + "' value: '" + value + "' } " + more +
         " } ";
}

// The headers afterwards, as "name=value;".
std::string headers_after(const std::string& text, TestRequest::Headers headers) {
  config::Diagnostics diagnostics;
  const HeaderChanges changes = compile(text, diagnostics);
  EXPECT_FALSE(diagnostics.has_errors()) << text;
  TestRequest request("a.com", "/p", headers);
  changes.apply(request.head, {.request = &request.head});
  std::string out;
  request.head.headers.for_each([&](const Header& line) {
    out.append(line.name).append("=").append(line.value).append(";");
  });
  return out;
}

TEST(HeaderChangesTest, KnowsEveryAction) {
  const TestRequest::Headers one = {{"a", "1"}};
  EXPECT_EQ(headers_after(add("A", "2"), one), "a=1;a=2;");
  EXPECT_EQ(headers_after(add("A", "2", "append_action: ADD_IF_ABSENT"), one), "a=1;");
  EXPECT_EQ(headers_after(add("b", "2", "append_action: ADD_IF_ABSENT"), one), "a=1;b=2;");
  EXPECT_EQ(headers_after(add("a", "2", "append_action: OVERWRITE_IF_EXISTS_OR_ADD"), one), "a=2;");
  EXPECT_EQ(headers_after(add("b", "2", "append_action: OVERWRITE_IF_EXISTS_OR_ADD"), one),
            "a=1;b=2;");
  EXPECT_EQ(headers_after(add("a", "2", "append_action: OVERWRITE_IF_EXISTS"), one), "a=2;");
  EXPECT_EQ(headers_after(add("b", "2", "append_action: OVERWRITE_IF_EXISTS"), one), "a=1;");
  EXPECT_EQ(headers_after(add("a", "2", "append { value: true }"), one), "a=1;a=2;");
  EXPECT_EQ(headers_after(add("a", "2", "append { value: false }"), one), "a=2;");
  EXPECT_EQ(headers_after("request_headers_to_remove: 'A'", {{"a", "1"}, {"b", "2"}, {"a", "3"}}),
            "b=2;");
}

TEST(HeaderChangesTest, RemovesFirstAndComputesValuesBeforeItSetsAny) {
  EXPECT_EQ(headers_after(add("a", "2") + "request_headers_to_remove: 'a'", {{"a", "1"}}), "a=2;");
  const std::string overwrite = "append_action: OVERWRITE_IF_EXISTS_OR_ADD";
  EXPECT_EQ(
      headers_after(add("a", "new", overwrite) + add("b", "%REQ(a)%", overwrite), {{"a", "old"}}),
      "a=new;b=old;");
  EXPECT_EQ(headers_after(add("a", "2") + add("a", "3", overwrite), {{"a", "1"}}), "a=3;a=2;");
}

TEST(HeaderChangesTest, LeavesEmptyValuesOutUnlessKept) {
  EXPECT_EQ(headers_after(add("b", "%REQ(none)%"), {}), "");
  EXPECT_EQ(headers_after(add("b", "%REQ(none)%", "keep_empty_value: true"), {}), "b=;");
  EXPECT_EQ(headers_after(add("b", ""), {}), "");
  EXPECT_EQ(headers_after(add("b", "", "keep_empty_value: true"), {}), "b=;");
}

TEST(HeaderChangesTest, SubstitutesCommands) {
  EXPECT_EQ(headers_after(add("b", "%REQ(:path)%-%REQ(:method)%-100%%"), {}), "b=/p-GET-100%;");
  EXPECT_EQ(headers_after("request_headers_to_add { header { key: 'b' raw_value: 'x%REQ(a)%' } }",
                          {{"a", "1"}}),
            "a=1;b=x1;");
}

TEST(HeaderChangesTest, LetsNoLineBreakThroughASubstitution) {
  EXPECT_EQ(headers_after(add("b", "%REQ(a)%"), {{"a", "x\r\ny: z"}}), "a=x\r\ny: z;");
}

TEST(HeaderChangesTest, AppliesLevelsOneAfterTheOther) {
  config::Diagnostics diagnostics;
  HeaderChanges changes = compile(add("a", "1"), diagnostics);
  changes.append(compile("request_headers_to_remove: 'a'" + add("b", "2"), diagnostics));
  TestRequest request("a.com", "/");
  changes.apply(request.head, {.request = &request.head});
  EXPECT_FALSE(request.head.headers.has("a"));
  EXPECT_EQ(request.head.headers.get("b"), "2");
}

TEST(HeaderChangesTest, AddsAndRemovesOneByOne) {
  HeaderChanges changes;
  EXPECT_TRUE(changes.empty());
  changes.add({.name = "a", .value = Format::compile("1").take()});
  changes.remove("a");
  changes.add({.name = "a", .value = Format::compile("2").take()});
  EXPECT_FALSE(changes.empty());
  TestRequest request("a.com", "/");
  changes.apply(request.head, {});
  EXPECT_EQ(request.head.headers.count(), 1u);
  EXPECT_EQ(request.head.headers.get("a"), "2");
}

TEST(HeaderChangesTest, RefusesNamesThatAreNotForIt) {
  for (const char* name : {":path", ":authority", "Host", "Connection", "content-length",
                           "Transfer-Encoding", "te", "upgrade", "keep-alive", "expect"}) {
    config::Diagnostics added;
    EXPECT_TRUE(compile(add(name, "x"), added).empty()) << name;
    ASSERT_EQ(added.error_count(), 1u) << name;
    EXPECT_EQ(added.items()[0].field_path, "route.request_headers_to_add[0].header.key");
    config::Diagnostics removed;
    EXPECT_TRUE(compile(std::string("request_headers_to_remove: '") + name + "'", removed).empty());
    ASSERT_EQ(removed.error_count(), 1u) << name;
    EXPECT_EQ(removed.items()[0].field_path, "route.request_headers_to_remove[0]");
  }
}

TEST(HeaderChangesTest, RefusesBadNamesAndValues) {
  using config::Code;
  const std::tuple<std::string, Code, const char*> cases[] = {
      {add("a b", "1"), Code::kInvalidValue, "header.key"},
      {add("", "1"), Code::kInvalidValue, "header.key"},
      {add("a", "1\\r\\n2"), Code::kInvalidValue, "header.value"},
      {add("a", "%REQ(%"), Code::kInvalidValue, "header.value"},
      {add("a", "%NOT_A_COMMAND%"), Code::kInvalidValue, "header.value"},
      {add("a", "%DYNAMIC_METADATA(x)%"), Code::kNotSupported, "header.value"},
      {add("a", "1", "append { value: true } append_action: ADD_IF_ABSENT"), Code::kOneofConflict,
       "append"},
      {"request_headers_to_add { header { key: 'a' value: 'x' raw_value: 'y' } }",
       Code::kOneofConflict, "header.raw_value"},
  };
  for (const auto& [text, code, field] : cases) {
    config::Diagnostics diagnostics;
    compile(text, diagnostics);
    ASSERT_EQ(diagnostics.error_count(), 1u) << text;
    EXPECT_EQ(diagnostics.items()[0].code, code) << text;
    EXPECT_EQ(diagnostics.items()[0].field_path,
              std::string("route.request_headers_to_add[0].") + field);
  }
}

}  // namespace
}  // namespace weir::http
