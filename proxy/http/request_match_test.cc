#include "proxy/http/request_match.h"

#include "envoy/config/route/v3/route_components.pb.h"
#include "proxy/http/route_fixture.h"

namespace weir::http {
namespace {

using envoy::config::route::v3::HeaderMatcher;
using envoy::config::route::v3::QueryParameterMatcher;

template <class Match, class Config>
std::optional<Match> compile(const std::string& text, config::Diagnostics& diagnostics) {
  Config config;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &config)) << text;
  return Match::compile(config, config::FieldPath::root("m"), diagnostics);
}

bool header_matches(const std::string& matcher, TestRequest::Headers headers) {
  config::Diagnostics diagnostics;
  const auto match = compile<HeaderMatch, HeaderMatcher>("name: 'X-A' " + matcher, diagnostics);
  EXPECT_TRUE(match.has_value()) << matcher;
  return match && match->matches(TestRequest("a.com", "/", headers).head);
}

bool query_matches(const std::string& matcher, std::string_view path) {
  config::Diagnostics diagnostics;
  const auto match =
      compile<QueryMatch, QueryParameterMatcher>("name: 'q' " + matcher, diagnostics);
  EXPECT_TRUE(match.has_value()) << matcher;
  return match && match->matches(TestRequest("a.com", path).head);
}

TEST(HeaderMatchTest, ComparesTextInEveryWay) {
  const TestRequest::Headers abc = {{"x-a", "abc"}};
  EXPECT_TRUE(header_matches("string_match { exact: 'abc' }", abc));
  EXPECT_FALSE(header_matches("string_match { exact: 'ABC' }", abc));
  EXPECT_TRUE(header_matches("string_match { exact: 'ABC' ignore_case: true }", abc));
  EXPECT_TRUE(header_matches("string_match { prefix: 'AB' ignore_case: true }", abc));
  EXPECT_FALSE(header_matches("string_match { prefix: 'abcd' }", abc));
  EXPECT_TRUE(header_matches("string_match { suffix: 'bc' }", abc));
  EXPECT_FALSE(header_matches("string_match { suffix: 'ab' }", abc));
  EXPECT_TRUE(header_matches("string_match { contains: 'b' }", abc));
  EXPECT_TRUE(header_matches("string_match { contains: 'BC' ignore_case: true }", abc));
  EXPECT_FALSE(header_matches("string_match { contains: 'BC' }", abc));
  EXPECT_TRUE(header_matches("string_match { safe_regex { regex: '[a-c]+' } }", abc));
  EXPECT_FALSE(header_matches("string_match { safe_regex { regex: '[a-b]+' } }", abc));
}

TEST(HeaderMatchTest, KnowsTheOlderFields) {
  const TestRequest::Headers abc = {{"x-a", "abc"}};
  EXPECT_TRUE(header_matches("exact_match: 'abc'", abc));
  EXPECT_FALSE(header_matches("exact_match: 'ab'", abc));
  EXPECT_TRUE(header_matches("prefix_match: 'a'", abc));
  EXPECT_TRUE(header_matches("suffix_match: 'c'", abc));
  EXPECT_TRUE(header_matches("contains_match: 'b'", abc));
  EXPECT_TRUE(header_matches("safe_regex_match { regex: 'a.c' }", abc));
}

TEST(HeaderMatchTest, JudgesPresence) {
  EXPECT_TRUE(header_matches("", {{"x-a", ""}}));
  EXPECT_FALSE(header_matches("", {{"x-b", ""}}));
  EXPECT_TRUE(header_matches("present_match: false", {}));
  EXPECT_FALSE(header_matches("present_match: false", {{"x-a", "1"}}));
  EXPECT_TRUE(header_matches("present_match: true invert_match: true", {}));
  EXPECT_FALSE(header_matches("present_match: true invert_match: true", {{"x-a", "1"}}));
}

TEST(HeaderMatchTest, InvertsWhatIsThereOnly) {
  EXPECT_TRUE(header_matches("string_match { exact: 'a' } invert_match: true", {{"x-a", "b"}}));
  EXPECT_FALSE(header_matches("string_match { exact: 'a' } invert_match: true", {{"x-a", "a"}}));
  EXPECT_FALSE(header_matches("string_match { exact: 'a' } invert_match: true", {}));
  const std::string missing_is_empty = "treat_missing_header_as_empty: true ";
  EXPECT_TRUE(header_matches(missing_is_empty + "range_match { end: 9 } invert_match: true", {}));
  EXPECT_FALSE(header_matches(missing_is_empty + "range_match { end: 9 }", {}));
  EXPECT_TRUE(header_matches(missing_is_empty + "string_match { exact: '' }", {}));
}

TEST(HeaderMatchTest, ComparesIntegersWithAHalfOpenRange) {
  const std::string range = "range_match { start: -10 end: 10 }";
  for (const char* inside : {"-10", "0", "9", "+9", "007"})
    EXPECT_TRUE(header_matches(range, {{"x-a", inside}})) << inside;
  for (const char* outside :
       {"10", "-11", "", "+", "-", "+-1", "1.5", "1x", " 1", "0x1", "99999999999999999999"})
    EXPECT_FALSE(header_matches(range, {{"x-a", outside}})) << outside;
}

TEST(HeaderMatchTest, JudgesSeveralLinesAsOneValue) {
  const TestRequest::Headers two = {{"x-a", "user"}, {"x-b", "1"}, {"x-a", "admin"}};
  EXPECT_FALSE(header_matches("string_match { exact: 'admin' }", two));
  EXPECT_TRUE(header_matches("string_match { exact: 'user,admin' }", two));
}

TEST(HeaderMatchTest, KnowsPseudoHeaders) {
  config::Diagnostics diagnostics;
  const TestRequest request("a.com", "/p?q=1");
  for (const char* text :
       {"name: ':method' string_match { exact: 'GET' }", "name: 'Host' exact_match: 'a.com'",
        "name: ':authority' exact_match: 'a.com'", "name: ':path' exact_match: '/p?q=1'"}) {
    const auto match = compile<HeaderMatch, HeaderMatcher>(text, diagnostics);
    ASSERT_TRUE(match.has_value()) << text;
    EXPECT_TRUE(match->matches(request.head)) << text;
  }
}

TEST(HeaderMatchTest, ReportsWhatCannotBeCompiled) {
  const std::pair<const char*, const char*> cases[] = {
      {"name: 'a b'", "m.name"},
      {"name: ''", "m.name"},
      {"name: 'a' string_match {}", "m.string_match"},
      {"name: 'a' string_match { custom { name: 'x' } }", "m.string_match.custom"},
      {"name: 'a' safe_regex_match { regex: '(' }", "m.safe_regex_match.regex"},
      {"name: 'a' string_match { safe_regex { regex: 'a{999}' google_re2 { max_program_size { "
       "value: 10 } } } }",
       "m.string_match.safe_regex.regex"},
  };
  for (const auto& [text, path] : cases) {
    config::Diagnostics diagnostics;
    EXPECT_FALSE((compile<HeaderMatch, HeaderMatcher>(text, diagnostics))) << text;
    ASSERT_EQ(diagnostics.items().size(), 1u) << text;
    EXPECT_EQ(diagnostics.items()[0].field_path, path);
    EXPECT_FALSE(diagnostics.items()[0].hint.empty());
  }
}

TEST(QueryMatchTest, JudgesTheFirstParameterUndecoded) {
  EXPECT_TRUE(query_matches("string_match { exact: '1' }", "/?q=1"));
  EXPECT_TRUE(query_matches("string_match { exact: '1' }", "/?a=2&q=1&q=2"));
  EXPECT_FALSE(query_matches("string_match { exact: '2' }", "/?q=1&q=2"));
  EXPECT_FALSE(query_matches("string_match { exact: '1' }", "/?qq=1&xq=1"));
  EXPECT_FALSE(query_matches("string_match { exact: '1' }", "/"));
  EXPECT_TRUE(query_matches("string_match { exact: '' }", "/?q"));
  EXPECT_TRUE(query_matches("string_match { exact: 'a%20b' }", "/?q=a%20b"));
}

TEST(QueryMatchTest, JudgesPresence) {
  for (const char* with : {"/?q", "/?q=", "/?a&q", "/?&q=1"}) {
    EXPECT_TRUE(query_matches("", with)) << with;
    EXPECT_TRUE(query_matches("present_match: true", with)) << with;
    EXPECT_FALSE(query_matches("present_match: false", with)) << with;
  }
  EXPECT_TRUE(query_matches("present_match: false", "/q?x=q"));
  EXPECT_FALSE(query_matches("", "/q=1"));
}

}  // namespace
}  // namespace weir::http
