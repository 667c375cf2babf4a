#include "config/validation.h"

#include <google/protobuf/compiler/parser.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "config/diagnostic_format.h"
#include "validate/validate.pb.h"

namespace weir::config {
namespace {

using google::protobuf::Message;

// Compiles `fields`, the body of message M, and checks messages of it that are given as text.
class Rules {
 public:
  explicit Rules(const std::string& fields) : pool_(base_pool()), factory_(&pool_) {
    const std::string file =
        "syntax = \"proto3\"; package t; import \"validate/validate.proto\"; "
        "import \"google/protobuf/any.proto\"; import \"google/protobuf/duration.proto\"; "
        "import \"google/protobuf/timestamp.proto\"; import \"google/protobuf/wrappers.proto\"; "
        "message M { " +
        fields + " }";
    google::protobuf::io::ArrayInputStream stream(file.data(), static_cast<int>(file.size()));
    google::protobuf::io::Tokenizer tokenizer(&stream, nullptr);
    google::protobuf::FileDescriptorProto proto;
    proto.set_name("t.proto");
    factory_.SetDelegateToGeneratedFactory(true);
    EXPECT_TRUE(google::protobuf::compiler::Parser().Parse(&tokenizer, &proto)) << fields;
    EXPECT_NE(pool_.BuildFile(proto), nullptr) << fields;
  }

  // What is reported, each on its line, if errors are known at some paths already.
  std::string check(const std::string& text, const std::vector<std::string>& known = {}) {
    const auto* const type = pool_.FindMessageTypeByName("t.M");
    const std::unique_ptr<Message> message(factory_.GetPrototype(type)->New());
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, message.get())) << text;
    Diagnostics diagnostics;
    for (const std::string& path : known) diagnostics.error(Code::kWrongType, path, "known");
    validator_.check(*message, FieldPath::root(), diagnostics);
    std::string out;
    for (const Diagnostic& item : diagnostics.items().subspan(known.size())) {
      EXPECT_EQ(item.code, Code::kConstraint);
      out += (out.empty() ? "" : "\n") + item.field_path + ": " + item.message;
    }
    return out;
  }

 private:
  static const google::protobuf::DescriptorPool* base_pool() {
    validate::FieldRules::descriptor();  // links the rules in
    return google::protobuf::DescriptorPool::generated_pool();
  }

  google::protobuf::DescriptorPool pool_;
  google::protobuf::DynamicMessageFactory factory_;
  Validator validator_;
};

TEST(Validation, BoundsNumbers) {
  Rules rules(
      "uint32 a = 1 [(validate.rules).uint32 = {gte: 1 lte: 10}];"
      "int64 b = 2 [(validate.rules).int64 = {gt: -5 lt: 5}];"
      "double c = 3 [(validate.rules).double = {gt: 0.5 ignore_empty: true}];");
  EXPECT_EQ(rules.check("a: 1 b: -4"), "");
  EXPECT_EQ(rules.check("a: 10 b: 4 c: 0.75"), "");
  EXPECT_EQ(rules.check(""), "a: 'a' must be >= 1 and <= 10 (is 0)");
  EXPECT_EQ(rules.check("a: 11 b: 5 c: 0.5"),
            "a: 'a' must be >= 1 and <= 10 (is 11)\nb: 'b' must be > -5 and < 5 (is 5)\n"
            "c: 'c' must be > 0.5 (is 0.5)");
  EXPECT_EQ(rules.check("a: 1 b: -5"), "b: 'b' must be > -5 and < 5 (is -5)");
}

TEST(Validation, KnowsEveryKindOfNumber) {
  for (const char* kind : {"float", "double", "int32", "int64", "uint32", "uint64", "sint32",
                           "sint64", "fixed32", "fixed64", "sfixed32", "sfixed64"}) {
    Rules rules(std::string(kind) + " a = 1 [(validate.rules)." + kind + ".gte = 3];");
    EXPECT_EQ(rules.check("a: 3"), "") << kind;
    EXPECT_EQ(rules.check("a: 2"), "a: 'a' must be >= 3 (is 2)") << kind;
  }
}

TEST(Validation, TakesReversedBoundsAsExclusion) {
  Rules rules("int32 a = 1 [(validate.rules).int32 = {gt: 10 lt: 5}];");
  EXPECT_EQ(rules.check("a: 11"), "");
  EXPECT_EQ(rules.check("a: 4"), "");
  EXPECT_EQ(rules.check("a: 7"), "a: 'a' must be > 10 or < 5 (is 7)");
}

TEST(Validation, ChecksConstAndMembership) {
  Rules rules(
      "int32 a = 1 [(validate.rules).int32 = {in: [1, 2]}];"
      "int32 b = 2 [(validate.rules).int32 = {not_in: [3]}];"
      "int32 c = 3 [(validate.rules).int32.const = 7];"
      "bool d = 4 [(validate.rules).bool.const = true];");
  EXPECT_EQ(rules.check("a: 2 b: 4 c: 7 d: true"), "");
  EXPECT_EQ(rules.check("a: 3 b: 3 c: 8"),
            "a: 'a' must be one of 1, 2 (is 3)\nb: 'b' must not be 3\n"
            "c: 'c' must be 7 (is 8)\nd: 'd' must be true");
}

TEST(Validation, ChecksLengthsOfStrings) {
  Rules rules(
      "string a = 1 [(validate.rules).string.min_len = 1];"
      "string b = 2 [(validate.rules).string = {max_len: 2}];"
      "string c = 3 [(validate.rules).string = {len: 2 ignore_empty: true}];"
      "string d = 4 [(validate.rules).string = {max_bytes: 3}];"
      "bytes e = 5 [(validate.rules).bytes = {min_len: 2 ignore_empty: true}];");
  EXPECT_EQ(rules.check("a: 'x' b: '\xc3\xa9\xc3\xa9' c: 'ab' d: 'abc' e: 'ab'"), "");
  EXPECT_EQ(rules.check("b: 'abc' c: 'a' d: '\xc3\xa9\xc3\xa9' e: 'a'"),
            "a: 'a' must not be empty\nb: 'b' must have at most 2 characters (has 3)\n"
            "c: 'c' must have 2 characters (has 1)\nd: 'd' must have at most 3 bytes (has 4)\n"
            "e: 'e' must have at least 2 bytes (has 1)");
}

TEST(Validation, ChecksContentOfStrings) {
  Rules rules(
      "string a = 1 [(validate.rules).string.pattern = \"^[a-c]+$\"];"
      "string b = 2 [(validate.rules).string = {prefix: \"x\" suffix: \"y\"}];"
      "string c = 3 [(validate.rules).string = {contains: \"-\" not_contains: \"+\"}];"
      "string d = 4 [(validate.rules).string = {in: [\"p\", \"q\"]}];"
      "string e = 5 [(validate.rules).string = {not_in: [\"r\"]}];");
  EXPECT_EQ(rules.check("a: 'abc' b: 'xy' c: '-' d: 'p'"), "");
  EXPECT_EQ(rules.check("a: 'abd' b: 'y' c: '-+' d: 's' e: 'r'"),
            "a: 'a' must match '^[a-c]+$'\nb: 'b' must begin with 'x'\n"
            "c: 'c' must not contain '+'\nd: 'd' must be one of 'p', 'q'\ne: 'e' must not be 'r'");
}

TEST(Validation, KnowsHeaders) {
  Rules rules(
      "string a = 1 [(validate.rules).string = {well_known_regex: HTTP_HEADER_NAME ignore_empty: "
      "true}]; string b = 2 [(validate.rules).string = {well_known_regex: HTTP_HEADER_NAME strict: "
      "false}]; string c = 3 [(validate.rules).string = {well_known_regex: "
      "HTTP_HEADER_VALUE}]; string d = 4 [(validate.rules).string = {well_known_regex: "
      "HTTP_HEADER_VALUE strict: false}];");
  EXPECT_EQ(rules.check("a: ':authority' b: 'x y' c: 'a\\tb' d: 'a\\x01'"), "");
  EXPECT_EQ(rules.check("c: 'a'"), "");
  EXPECT_EQ(rules.check("a: 'x y' b: 'x\\n' c: 'a\\x01' d: 'a\\r'"),
            "a: 'a' must be the name of an HTTP header\nb: 'b' must be the name of an HTTP header\n"
            "c: 'c' must be the value of an HTTP header\n"
            "d: 'd' must be the value of an HTTP header");
}

TEST(Validation, KnowsAddressesAndUris) {
  const auto refuses = [](const std::string& rule, const std::string& good,
                          const std::string& bad) {
    Rules rules("string a = 1 [(validate.rules).string." + rule + " = true];");
    EXPECT_EQ(rules.check("a: '" + good + "'"), "") << rule << ' ' << good;
    EXPECT_NE(rules.check("a: '" + bad + "'"), "") << rule << ' ' << bad;
  };
  refuses("ip", "10.0.0.1", "10.0.0.256");
  refuses("ip", "::1", "1");
  refuses("ipv4", "10.0.0.1", "::1");
  refuses("ipv6", "fe80::1", "10.0.0.1");
  refuses("hostname", "a-1.example.com.", "-a.com");
  refuses("hostname", std::string(63, 'a'), std::string(64, 'a'));
  refuses("address", "example.com", "a_b");
  refuses("uri", "https://a/b?c", "//a/b");
  refuses("uri", "urn:x", "a b:c");
  refuses("uri_ref", "/a/b", "/a b");
  refuses("uuid", "123e4567-e89b-12d3-a456-426614174000", "123e4567e89b12d3a456426614174000");
  refuses("email", "a@b.com", "a@");
}

TEST(Validation, ChecksEnums) {
  Rules rules(
      "enum E { X = 0; Y = 1; } E a = 1 [(validate.rules).enum.defined_only = true];"
      "E b = 2 [(validate.rules).enum = {not_in: [1]}];");
  EXPECT_EQ(rules.check("a: Y"), "");
  EXPECT_EQ(rules.check("a: 7 b: Y"),
            "a: 'a' must be a value of t.M.E (is 7)\nb: 'b' must not be Y");
}

TEST(Validation, RequiresMessages) {
  Rules rules(
      "message N { string s = 1 [(validate.rules).string.min_len = 1]; N deeper = 2; }"
      "N a = 1 [(validate.rules).message.required = true];"
      "N b = 2; N c = 3 [(validate.rules).message.skip = true]; repeated N d = 4;");
  EXPECT_EQ(rules.check("a { s: 'x' }"), "");
  EXPECT_EQ(rules.check(""), "a: 'a' is required in t.M");
  EXPECT_EQ(rules.check("a { s: 'x' deeper { } } b { } c { } d { s: 'x' } d { }"),
            "a.deeper.s: 's' must not be empty\nb.s: 's' must not be empty\n"
            "d[1].s: 's' must not be empty");
}

TEST(Validation, ChecksOneofs) {
  Rules rules(
      "message N { } oneof o { option (validate.required) = true; "
      "string a = 1 [(validate.rules).string.min_len = 1];"
      "N b = 2 [(validate.rules).message.required = true]; }");
  EXPECT_EQ(rules.check("a: 'x'"), "");
  EXPECT_EQ(rules.check("b { }"), "");
  EXPECT_EQ(rules.check("a: ''"), "a: 'a' must not be empty");
  EXPECT_EQ(rules.check(""), ": one of 'a', 'b' is required in t.M");
}

TEST(Validation, ChecksLists) {
  Rules rules(
      "repeated string a = 1 [(validate.rules).repeated = {min_items: 1 max_items: 2 "
      "items {string {min_len: 1}}}];"
      "repeated int32 b = 2 [(validate.rules).repeated = {unique: true}];"
      "repeated int32 c = 3 [(validate.rules).repeated = {min_items: 2 ignore_empty: true}];"
      "repeated int32 d = 4 [(validate.rules).repeated = {min_items: 2}];");
  EXPECT_EQ(rules.check("a: 'x' b: 1 b: 2 d: 1 d: 2"), "");
  EXPECT_EQ(rules.check("d: 1 d: 2"), "a: 'a' must not be empty");
  EXPECT_EQ(rules.check("a: 'x' a: '' a: 'y' b: 1 b: 2 b: 1 c: 1 d: 1"),
            "a: 'a' must have at most 2 items (has 3)\na[1]: 'a' must not be empty\n"
            "b[2]: 'b' must not have an item twice: 1\nc: 'c' must have at least 2 items (has 1)\n"
            "d: 'd' must have at least 2 items (has 1)");
}

TEST(Validation, ChecksMaps) {
  Rules rules(
      "message N { int32 n = 1 [(validate.rules).int32.gt = 0]; }"
      "map<string, string> a = 1 [(validate.rules).map = {min_pairs: 1 max_pairs: 2 keys "
      "{string {min_len: 2}} values {string {max_len: 1}}}]; map<string, N> b = 2;");
  EXPECT_EQ(rules.check("a { key: 'ab' value: 'c' } b { key: 'k' value { n: 1 } }"), "");
  EXPECT_EQ(rules.check(""), "a: 'a' must have at least 1 entries (has 0)");
  EXPECT_EQ(rules.check("a { key: 'a' value: 'c' } b { key: 'k' value { } }"),
            "a[\"a\"]: 'key' must have at least 2 characters (has 1)\n"
            "b[\"k\"].n: 'n' must be > 0 (is 0)");
  EXPECT_EQ(rules.check("a { key: 'ab' value: 'cd' }"),
            "a[\"ab\"]: 'value' must have at most 1 characters (has 2)");
}

TEST(Validation, LooksIntoWrappers) {
  Rules rules(
      "google.protobuf.UInt32Value a = 1 [(validate.rules).uint32 = {gte: 1}];"
      "google.protobuf.StringValue b = 2 [(validate.rules).string.min_len = 1, "
      "(validate.rules).message.required = true];");
  EXPECT_EQ(rules.check("a { value: 1 } b { value: 'x' }"), "");
  EXPECT_EQ(rules.check("a { }"), "a: 'a' must be >= 1 (is 0)\nb: 'b' is required in t.M");
}

TEST(Validation, ChecksDurationsTimestampsAndAny) {
  Rules rules(
      "google.protobuf.Duration a = 1 [(validate.rules).duration = {gt {} lte {seconds: 5} "
      "required: true}];"
      "google.protobuf.Timestamp b = 2 [(validate.rules).timestamp = {gte {seconds: 1}}];"
      "google.protobuf.Any c = 3 [(validate.rules).any = {in: [\"x/y\"]}];");
  EXPECT_EQ(rules.check("a { nanos: 1 } b { seconds: 1 } c { type_url: 'x/y' }"), "");
  EXPECT_EQ(rules.check(""), "a: 'a' is required in t.M");
  EXPECT_EQ(rules.check("a { seconds: 5 nanos: 1000000 } b { } c { type_url: 'z' }"),
            "a: 'a' must be > 0s and <= 5s (is 5.001s)\n"
            "b: 'b' must be >= 1970-01-01T00:00:01Z (is 1970-01-01T00:00:00Z)\n"
            "c: 'c' must be one of x/y (is z)");
}

TEST(Validation, TakesTheRuleOfAnotherTypeForNone) {
  Rules rules(
      "message N { string s = 1; }"
      "N a = 1 [(validate.rules).any = {required: true in: [\"x/y\"]}];"
      "N b = 2 [(validate.rules).duration = {gt {}}];");
  EXPECT_EQ(rules.check("a { s: 'z' } b { s: 'z' }"), "");
  EXPECT_EQ(rules.check("b { }"), "a: 'a' is required in t.M");
}

TEST(Validation, SkipsDisabledMessages) {
  Rules rules("option (validate.disabled) = true; int32 a = 1 [(validate.rules).int32.gt = 0];");
  EXPECT_EQ(rules.check(""), "");
}

TEST(Validation, IsSilentAboutWhatFollowsFromAKnownError) {
  Rules rules(
      "message N { string s = 1 [(validate.rules).string.min_len = 1]; }"
      "N a = 1 [(validate.rules).message.required = true]; N b = 2;");
  EXPECT_EQ(rules.check("b { }", {"a"}), "b.s: 's' must not be empty");
  EXPECT_EQ(rules.check("b { }", {"a", "b.s"}), "");
  EXPECT_EQ(rules.check("b { }", {"other", "b.other"}),
            "a: 'a' is required in t.M\nb.s: 's' must not be empty");
}

}  // namespace
}  // namespace weir::config
