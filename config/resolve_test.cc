#include "config/resolve.h"

#include <gtest/gtest.h>

namespace weir::config {
namespace {

// "file:line:column" of an error at `path` after resolving.
std::string place_of(const std::string& path, std::vector<Source> sources) {
  Diagnostics diagnostics;
  for (Source& source : sources) diagnostics.add_source(source.file, source.text);
  diagnostics.error(Code::kSemantic, path, "x");
  resolve_positions(diagnostics);
  const Diagnostic& item = diagnostics.items()[0];
  return item.file + ":" + std::to_string(item.line) + ":" + std::to_string(item.column);
}

std::string place_in(const std::string& path, const std::string& text) {
  return place_of(path, {{"f", text}});
}

constexpr const char* kText = R"(listeners:
- name: a
- name: b
  filterChains:
  - filters: [{name: x}, {name: y, typed_config: {"@type": t, stat_prefix: z}}]
metadata:
  filter_metadata:
    "envoy.lb": {canary: true}
)";

TEST(Resolve, FollowsFieldsIndexesAndKeys) {
  EXPECT_EQ(place_in("listeners[1].name", kText), "f:3:9");
  EXPECT_EQ(place_in("listeners[1].filter_chains[0].filters[1].name", kText), "f:5:33");
  EXPECT_EQ(place_in("metadata.filter_metadata[\"envoy.lb\"]", kText), "f:8:5");
}

TEST(Resolve, SeesThroughAny) {
  EXPECT_EQ(place_in("listeners[1].filter_chains[0].filters[1].typed_config.stat_prefix", kText),
            "f:5:76");
  const std::string typed_struct =
      "c:\n  '@type': TypedStruct\n  type_url: t\n  value:\n    x: 1\n";
  EXPECT_EQ(place_in("c.x", typed_struct), "f:5:8");
}

TEST(Resolve, PointsAtTheKeyOfACollection) {
  EXPECT_EQ(place_in("listeners", kText), "f:1:1");
  EXPECT_EQ(place_in("listeners[1].filter_chains", kText), "f:4:3");
  EXPECT_EQ(place_in("listeners[0]", kText), "f:2:3");
}

TEST(Resolve, PointsAtTheNearestFieldAboveAMissingOne) {
  EXPECT_EQ(place_in("listeners[1].filter_chains[0].transport_socket.name", kText), "f:5:5");
  EXPECT_EQ(place_in("listeners[7].name", kText), "f:1:1");
  EXPECT_EQ(place_in("nowhere.at_all", kText), "f:0:0");
}

TEST(Resolve, TakesSeveralSourcesAsMerged) {
  const std::vector<Source> sources = {{"file", "admin: {a: 1}\nlisteners: [{n: a}, {n: b}]\n"},
                                       {"overlay", "listeners:\n- n: c\nadmin:\n  b: 2\n"}};
  EXPECT_EQ(place_of("listeners[1].n", sources), "file:2:25");
  EXPECT_EQ(place_of("listeners[2].n", sources), "overlay:2:6");
  EXPECT_EQ(place_of("admin.a", sources), "file:1:12");
  EXPECT_EQ(place_of("admin.b", sources), "overlay:4:6");
}

TEST(Resolve, DoesNotCountTheMarkOfAFile) {
  EXPECT_EQ(place_in("a",
                     "\xef\xbb\xbf"
                     "a: 1\nb: 2\n"),
            "f:1:4");
  EXPECT_EQ(place_in("b",
                     "\xef\xbb\xbf"
                     "a: 1\nb: 2\n"),
            "f:2:4");
}

TEST(Resolve, TellsOfWhatIsInAnAnchorOnce) {
  Diagnostics diagnostics;
  diagnostics.add_source("f", "a: &x {n: 1, m: 2}\nb: *x\nc: [*x, *x]\n");
  for (const std::string owner : {"a", "b", "c[0]", "c[1]"}) {
    diagnostics.error(Code::kSemantic, owner + ".n", "is wrong");
    diagnostics.warning(Code::kSemantic, owner + ".m", "is odd");
  }
  // Of one place too, but of another field.
  diagnostics.error(Code::kSemantic, "a.first", "is missing");
  diagnostics.error(Code::kSemantic, "a.second", "is missing");
  resolve_positions(diagnostics);
  EXPECT_EQ(diagnostics.error_count(), 3u);
  EXPECT_EQ(diagnostics.warning_count(), 1u);
  ASSERT_EQ(diagnostics.items().size(), 4u);
  EXPECT_EQ(diagnostics.items()[0].field_path, "a.first");
  EXPECT_EQ(diagnostics.items()[1].field_path, "a.second");
  EXPECT_EQ(diagnostics.items()[2].field_path, "a.n");
  EXPECT_EQ(diagnostics.items()[3].field_path, "a.m");
}

TEST(Resolve, LeavesPositionsThatAreKnown) {
  Diagnostics diagnostics;
  diagnostics.add_source("f", "a: 1\nb: 2\n");
  Diagnostic known;
  known.field_path = "b";
  known.file = "other";
  known.line = 9;
  diagnostics.add(known);
  resolve_positions(diagnostics);
  EXPECT_EQ(diagnostics.items()[0].file, "other");
  EXPECT_EQ(diagnostics.items()[0].line, 9);
}

TEST(Resolve, LooksIntoOneSourceBeforeItIsMerged) {
  Diagnostics diagnostics;
  diagnostics.add_source("file", "a: [{n: 1}]\n");
  const Source& overlay = diagnostics.add_source("overlay", "b: 1\na: [{n: 2}]\n");
  Diagnostic known;
  known.field_path = "a[0].n";
  known.file = "file";
  diagnostics.add(known);
  diagnostics.error(Code::kSemantic, "a[0].n", "is wrong");
  resolve_positions_in(overlay, diagnostics);
  EXPECT_EQ(diagnostics.items()[0].file, "file");
  EXPECT_EQ(diagnostics.items()[0].line, 0);
  EXPECT_EQ(diagnostics.items()[1].file, "overlay");
  EXPECT_EQ(diagnostics.items()[1].line, 2);
}

TEST(Resolve, CopesWithSourcesThatCannotBeRead) {
  EXPECT_EQ(place_of("a", {{"bad", "a: ["}, {"good", "a: 1"}}), "good:1:4");
  EXPECT_EQ(place_of("a", {{"bad", "a: ["}}), ":0:0");
  EXPECT_EQ(place_of("a", {}), ":0:0");
  EXPECT_EQ(place_in("a[\"x", "a: {}"), "f:1:1");
  EXPECT_EQ(place_in("a[9999999999999999999999]", "a: [1]"), "f:1:1");
}

}  // namespace
}  // namespace weir::config
