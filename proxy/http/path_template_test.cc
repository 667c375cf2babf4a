#include "proxy/http/path_template.h"

#include <google/protobuf/any.pb.h>
#include <gtest/gtest.h>

#include "envoy/extensions/path/match/uri_template/v3/uri_template_match.pb.h"
#include "envoy/extensions/path/rewrite/uri_template/v3/uri_template_rewrite.pb.h"

namespace weir::http {
namespace {

using envoy::extensions::path::match::uri_template::v3::UriTemplateMatchConfig;
using envoy::extensions::path::rewrite::uri_template::v3::UriTemplateRewriteConfig;

const config::FieldPath kPath = config::FieldPath::root("t");

std::optional<PathTemplate> parse(const std::string& text, config::Diagnostics& diagnostics) {
  UriTemplateMatchConfig config;
  config.set_path_template(text);
  google::protobuf::Any any;
  any.PackFrom(config);
  return compile_path_template(any, kPath, diagnostics);
}

bool matches(const std::string& text, std::string_view path) {
  config::Diagnostics diagnostics;
  const auto parsed = parse(text, diagnostics);
  EXPECT_TRUE(parsed.has_value()) << text;
  return parsed && matches_whole(*parsed->regex, path);
}

// The path rewritten, or "error".
std::string rewritten(const std::string& text, const std::string& rewrite, std::string_view path) {
  config::Diagnostics diagnostics;
  const auto parsed = parse(text, diagnostics);
  const auto compiled = parsed ? parsed->rewrite(rewrite, kPath, diagnostics) : std::nullopt;
  EXPECT_EQ(compiled.has_value(), !diagnostics.has_errors());
  if (!compiled) return "error";
  Arena arena;
  return std::string(compiled->replace_all(path, arena));
}

TEST(PathTemplateTest, MatchesSegments) {
  EXPECT_TRUE(matches("/videos/*/*/*.m4s", "/videos/123414/hls/1080p5000_00001.m4s"));
  EXPECT_FALSE(matches("/videos/*/*/*.m4s", "/videos/123414/hls/x/1080p.m4s"));
  EXPECT_TRUE(matches("/videos/{file}", "/videos/a.m4s"));
  EXPECT_FALSE(matches("/videos/{file}", "/videos/"));
  EXPECT_FALSE(matches("/videos/{file}", "/videos/a/b"));
  EXPECT_TRUE(matches("/**.mpd", "/content/123/india/dash/55/manifest.mpd"));
  EXPECT_TRUE(matches("/a/**", "/a/"));
  EXPECT_TRUE(matches("/{name=videos/*}/x", "/videos/1/x"));
  EXPECT_FALSE(matches("/{name=videos/*}/x", "/other/1/x"));
  EXPECT_TRUE(matches("/a.b", "/a.b"));
  EXPECT_FALSE(matches("/a.b", "/axb"));
}

TEST(PathTemplateTest, Rewrites) {
  EXPECT_EQ(rewritten("/{a}/{b=**}", "/x/{b}/{a}", "/1/2/3"), "/x/2/3/1");
  EXPECT_EQ(rewritten("/{a}", "/\\1/{a}", "/v"), "/\\1/v");
  EXPECT_EQ(rewritten("/{a}", "/{b}", "/v"), "error");
  EXPECT_EQ(rewritten("/{a}", "{a}", "/v"), "error");
  EXPECT_EQ(rewritten("/{a}", "/{a", "/v"), "error");
  EXPECT_EQ(rewritten("/{a}", "/*", "/v"), "error");
}

TEST(PathTemplateTest, ReportsBadTemplates) {
  for (const char* text :
       {"a", "/{", "/}", "/{}", "/{1a}", "/{a}/{a}", "/{a=}", "/{a={b}}", "/**/*", "/**/{a}",
        "/{a}/{b}/{c}/{d}/{e}/{f}", "/{a-b}", "/{aaaaaaaaaaaaaaaaa}"}) {
    config::Diagnostics diagnostics;
    EXPECT_FALSE(parse(text, diagnostics)) << text;
    ASSERT_EQ(diagnostics.error_count(), 1u) << text;
    EXPECT_EQ(diagnostics.items()[0].field_path, "t.path_template");
  }
}

TEST(PathTemplateTest, RewritesOnlyWhatATemplateMatched) {
  UriTemplateRewriteConfig config;
  config.set_path_template_rewrite("/{a}");
  google::protobuf::Any rewrite;
  rewrite.PackFrom(config);
  config::Diagnostics diagnostics;
  EXPECT_FALSE(compile_path_template_rewrite(rewrite, {}, kPath, diagnostics));
  ASSERT_EQ(diagnostics.error_count(), 1u);
  EXPECT_EQ(diagnostics.items()[0].code, config::Code::kSemantic);
}

}  // namespace
}  // namespace weir::http
