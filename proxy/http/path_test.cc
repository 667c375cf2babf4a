#include "proxy/http/path.h"

#include <gtest/gtest.h>

#include <string>

namespace weir::http {
namespace {

using EscapedSlashes = PathOptions::EscapedSlashes;

struct Outcome {
  PathVerdict verdict;
  std::string path;
};

Outcome run(std::string_view path, const PathOptions& options) {
  Arena arena;
  std::string_view out;
  const PathVerdict verdict = canonicalize(path, options, arena, out);
  return {verdict, std::string(out)};
}

constexpr PathOptions kPlain;
constexpr PathOptions kNormalize{.normalize = true};

std::string normalized(std::string_view path) {
  const Outcome outcome = run(path, kNormalize);
  return outcome.verdict == PathVerdict::kReject ? "rejected" : outcome.path;
}

TEST(PathTest, LeavesOrdinaryPathsAlone) {
  for (const char* path : {"/", "/a/b", "/a.b/..c/d..?x=1", "/a%20b", "/~user/-_.", "*",
                           "/a?b=/../c//d", "/a;p=1/b"}) {
    const Outcome outcome = run(path, kNormalize);
    EXPECT_EQ(outcome.verdict, PathVerdict::kUnchanged) << path;
    EXPECT_EQ(outcome.path, path);
  }
}

TEST(PathTest, ChangesNothingUnlessAsked) {
  for (const char* path : {"/a/../b", "//a", "/%2e%2e/a", "/a%2Fb", "/a\\b", "/%41", "/\xc3\xa9"})
    EXPECT_EQ(run(path, kPlain).verdict, PathVerdict::kUnchanged) << path;
}

TEST(PathTest, RejectsWhatIsNeverAPath) {
  for (const char* path : {"", "a", "\\a", "%2fa", "/a#b", "/a?x#y", "/a b", "/a\tb", "/a\x7f",
                           "/a%00b", "/a?x\r\ny", "**", "http://a/"}) {
    EXPECT_EQ(run(path, kPlain).verdict, PathVerdict::kReject) << path;
    EXPECT_EQ(run(path, kNormalize).verdict, PathVerdict::kReject) << path;
  }
  EXPECT_EQ(run(std::string_view("/a\0b", 4), kPlain).verdict, PathVerdict::kReject);
  EXPECT_EQ(run("/a?x=%00", kPlain).verdict, PathVerdict::kUnchanged);
}

TEST(PathTest, ResolvesDotSegments) {
  EXPECT_EQ(normalized("/a/../b"), "/b");
  EXPECT_EQ(normalized("/a/./b"), "/a/b");
  EXPECT_EQ(normalized("/a/b/.."), "/a/");
  EXPECT_EQ(normalized("/a/b/."), "/a/b/");
  EXPECT_EQ(normalized("/.."), "/");
  EXPECT_EQ(normalized("/../../a"), "/a");
  EXPECT_EQ(normalized("/a//../b"), "/a/b");
  EXPECT_EQ(normalized("/a/%2e%2E/b/%2e/c"), "/b/c");
  EXPECT_EQ(normalized("/a/.%2e/b?x=/../y"), "/b?x=/../y");
  EXPECT_EQ(normalized("/.well-known/.../x"), "/.well-known/.../x");
}

TEST(PathTest, DecodesUnreservedAndKeepsTheCaseOfOtherEscapes) {
  EXPECT_EQ(normalized("/%41%7e%2D%5f"), "/A~-_");
  EXPECT_EQ(normalized("/a%2fb%2Fc%25%3a"), "/a%2fb%2Fc%25%3a");
}

TEST(PathTest, EscapesWhatAPathMustNotHave) {
  EXPECT_EQ(normalized("/\"<>^`{|}"), "/%22%3C%3E%5E%60%7B%7C%7D");
  EXPECT_EQ(normalized("/\xc3\xa9"), "/%C3%A9");
  EXPECT_EQ(normalized("/a\\..\\b"), "/b");
  EXPECT_EQ(normalized("/a?\xc3\xa9|"), "/a?\xc3\xa9|");
}

TEST(PathTest, KeepsAStrayPercentUnlessItWouldBecomeAnEscape) {
  EXPECT_EQ(normalized("/100%"), "/100%");
  EXPECT_EQ(normalized("/%zz/%4"), "/%zz/%4");
  EXPECT_EQ(normalized("/%\xff"), "/%%FF");
  EXPECT_EQ(normalized("/%%FF"), "/%%FF");
  EXPECT_EQ(normalized("/%2%46"), "rejected");
  EXPECT_EQ(normalized("/%%32%65"), "rejected");
}

TEST(PathTest, MergesSlashes) {
  constexpr PathOptions kMerge{.merge_slashes = true};
  EXPECT_EQ(run("//a///b//?x=//y", kMerge).path, "/a/b/?x=//y");
  EXPECT_EQ(run("/a/b/", kMerge).verdict, PathVerdict::kUnchanged);
  constexpr PathOptions kBoth{.normalize = true, .merge_slashes = true};
  EXPECT_EQ(run("//a/..//b", kBoth).path, "/b");
}

TEST(PathTest, TreatsEscapedSlashesAsConfigured) {
  EXPECT_EQ(run("/a%2fb", {.escaped_slashes = EscapedSlashes::kReject}).verdict,
            PathVerdict::kReject);
  EXPECT_EQ(run("/a%5Cb", {.escaped_slashes = EscapedSlashes::kReject}).verdict,
            PathVerdict::kReject);
  EXPECT_EQ(run("/a?b=%2f", {.escaped_slashes = EscapedSlashes::kReject}).verdict,
            PathVerdict::kUnchanged);

  const Outcome forward =
      run("/a%2Fb%5cc", {.escaped_slashes = EscapedSlashes::kUnescapeAndForward});
  EXPECT_EQ(forward.verdict, PathVerdict::kChanged);
  EXPECT_EQ(forward.path, "/a/b\\c");

  const Outcome redirect =
      run("/a%2f..%5cb%2f%2fc", {.normalize = true,
                                 .merge_slashes = true,
                                 .escaped_slashes = EscapedSlashes::kUnescapeAndRedirect});
  EXPECT_EQ(redirect.verdict, PathVerdict::kRedirect);
  EXPECT_EQ(redirect.path, "/b/c");
  EXPECT_EQ(run("/a", {.escaped_slashes = EscapedSlashes::kUnescapeAndRedirect}).verdict,
            PathVerdict::kUnchanged);
}

TEST(PathTest, LooksAtAnEscapeOnce) {
  const PathOptions options{.normalize = true,
                            .escaped_slashes = EscapedSlashes::kUnescapeAndForward};
  EXPECT_EQ(run("/a%252f%252e%252e", options).verdict, PathVerdict::kUnchanged);
}

TEST(PathTest, IsAFixedPointOnEveryShortPath) {
  const std::string_view alphabet = "/.%2eFf\\?a";
  const PathOptions options{.normalize = true,
                            .merge_slashes = true,
                            .escaped_slashes = EscapedSlashes::kUnescapeAndForward};
  for (size_t n = 0; n < 1'000'000; ++n) {
    std::string path = "/";
    for (size_t rest = n, i = 0; i < 6; ++i, rest /= 10) path += alphabet[rest % 10];
    const Outcome once = run(path, options);
    if (once.verdict == PathVerdict::kReject) continue;
    const Outcome twice = run(once.path, options);
    ASSERT_EQ(twice.verdict, PathVerdict::kUnchanged) << path << " -> " << once.path;
    const std::string plain = once.path.substr(0, once.path.find('?')) + "/";
    ASSERT_EQ(plain.find("/../"), std::string::npos) << path << " -> " << once.path;
  }
}

}  // namespace
}  // namespace weir::http
