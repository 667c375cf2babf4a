#include "config/read_yaml.h"

#include <gtest/gtest.h>

#include <string>

#include "config/diagnostic_format.h"

namespace weir::config {
namespace {

// A tree as flow text with every scalar tagged: p"plain", q"quoted", null.
std::string show(const YamlNode& node) {
  std::string out;
  switch (node.kind()) {
    case YamlNode::Kind::kNull:
      return "null";
    case YamlNode::Kind::kScalar:
      return (node.is_plain() ? "p\"" : "q\"") + std::string(node.text()) + "\"";
    case YamlNode::Kind::kSequence:
      for (const YamlNode& item : node.items()) out += (out.empty() ? "" : ", ") + show(item);
      return "[" + out + "]";
    case YamlNode::Kind::kMapping:
      for (const YamlEntry& entry : node.entries()) {
        out += (out.empty() ? "" : ", ") + std::string(entry.key.text()) + ": " + show(entry.value);
      }
      return "{" + out + "}";
  }
  return "?";
}

std::string read(const std::string& text, const YamlLimits& limits = {}) {
  const Source source{"f", text};
  Diagnostics diagnostics;
  const std::unique_ptr<YamlTree> tree = read_yaml(source, limits, diagnostics);
  if (tree == nullptr || diagnostics.has_errors()) return format_text(diagnostics, false);
  return show(tree->root());
}

// The first line of what is reported for a text that is refused.
std::string error_of(const std::string& text, const YamlLimits& limits = {}) {
  const std::string shown = read(text, limits);
  return shown.substr(0, shown.find('\n'));
}

TEST(ReadYaml, ReadsBlockMappingsAndLists) {
  EXPECT_EQ(read("a: 1\nb:\n  c: x y\n  d:\n  - 1\n  - 2\ne:\n- f: 1\n  g: 2\n-\n- - h\n  - i\n"),
            "{a: p\"1\", b: {c: p\"x y\", d: [p\"1\", p\"2\"]}, "
            "e: [{f: p\"1\", g: p\"2\"}, null, [p\"h\", p\"i\"]]}");
}

TEST(ReadYaml, ReadsFlowStyleAndJson) {
  EXPECT_EQ(read("{a: [b, \"c\", {d: e}], f: , g}"),
            "{a: [p\"b\", q\"c\", {d: p\"e\"}], f: null, g: null}");
  EXPECT_EQ(read("{\"a\":[1,2.5,true,null],\"b\":{\"c\":\"d\"},\n\t\"e\":[],\"f\":{}}"),
            "{a: [p\"1\", p\"2.5\", p\"true\", null], b: {c: q\"d\"}, e: [], f: {}}");
  EXPECT_EQ(read("[a, b: c, {d: e,},]"), "[p\"a\", {b: p\"c\"}, {d: p\"e\"}]");
  EXPECT_EQ(read("a: [x,\n  y # comment\n  , z]"), "{a: [p\"x\", p\"y\", p\"z\"]}");
}

TEST(ReadYaml, ReadsPlainScalars) {
  EXPECT_EQ(read("u: http://h:80/p#f\nt: 12:30\nc: a # b\nd: -1\ne: a b\n"),
            "{u: p\"http://h:80/p#f\", t: p\"12:30\", c: p\"a\", d: p\"-1\", e: p\"a b\"}");
  EXPECT_EQ(read("a: one\n  two\n\n  three\nb: x"), "{a: p\"one two\nthree\", b: p\"x\"}");
  EXPECT_EQ(read("[a\n  b, :c, a:b, -x]"), "[p\"a b\", p\":c\", p\"a:b\", p\"-x\"]");
  EXPECT_EQ(read("a: ~\nb: null\nc:\nd: NULL\ne: nil"),
            "{a: null, b: null, c: null, d: null, e: p\"nil\"}");
}

TEST(ReadYaml, ReadsQuotedScalars) {
  EXPECT_EQ(read("'it''s'"), "q\"it's\"");
  EXPECT_EQ(read(R"("a\tb\\\"\/\x41\u00e9\U0001F600")"), "q\"a\tb\\\"/A\xc3\xa9\xf0\x9f\x98\x80\"");
  EXPECT_EQ(read(R"("\ud83d\ude00")"), "q\"\xf0\x9f\x98\x80\"");
  EXPECT_EQ(read("\"a  \n  b\n\n  c \\\n   d\""), "q\"a b\nc d\"");
  EXPECT_EQ(read("'a\n  b'"), "q\"a b\"");
  EXPECT_EQ(read("\"a b\": c\n'd': e"), "{a b: p\"c\", d: p\"e\"}");
}

TEST(ReadYaml, ReadsBlockScalars) {
  EXPECT_EQ(read("a: |\n  x\n    y\n\n  z\n\nb: 1"), "{a: q\"x\n  y\n\nz\n\", b: p\"1\"}");
  EXPECT_EQ(read("a: |-\n  x\nb: |+\n  y\n\nc: |2\n   z\n"),
            "{a: q\"x\", b: q\"y\n\n\", c: q\" z\n\"}");
  EXPECT_EQ(read("a: >\n  b\n  c\n\n  d\n    e\n  f\n"), "{a: q\"b c\nd\n  e\nf\n\"}");
  EXPECT_EQ(read("- |\n x\n- >-\n y\n"), "[q\"x\n\", q\"y\"]");
  EXPECT_EQ(read("a: |\nb: 1"), "{a: q\"\", b: p\"1\"}");
  EXPECT_EQ(read("a: | # comment\n  x # not one\n"), "{a: q\"x # not one\n\"}");
}

TEST(ReadYaml, FollowsAnchorsAliasesAndMergeKeys) {
  EXPECT_EQ(read("a: &x {k: 1}\nb: *x\nc: [*x]"),
            "{a: {k: p\"1\"}, b: {k: p\"1\"}, c: [{k: p\"1\"}]}");
  EXPECT_EQ(read("a: &x\n  k: 1\n  l: 2\nb:\n  <<: *x\n  k: 3\n"),
            "{a: {k: p\"1\", l: p\"2\"}, b: {k: p\"3\", l: p\"2\"}}");
  EXPECT_EQ(read("a: &x {k: 1}\nb: &y {k: 2, m: 3}\nc: {<<: [*x, *y]}"),
            "{a: {k: p\"1\"}, b: {k: p\"2\", m: p\"3\"}, c: {k: p\"1\", m: p\"3\"}}");
  EXPECT_EQ(read("a: &x 1\nb: &x 2\nc: *x"), "{a: p\"1\", b: p\"2\", c: p\"2\"}");
  EXPECT_EQ(read("&k a: b\nc: *k"), "{a: p\"b\", c: p\"a\"}");
  EXPECT_EQ(read("'<<': 1"), "{<<: p\"1\"}");
}

TEST(ReadYaml, KnowsTheCoreTags) {
  EXPECT_EQ(read("a: !!str 12\nb: ! true\nc: !!int 3\nd: !!str null\ne: !!str"),
            "{a: q\"12\", b: q\"true\", c: p\"3\", d: q\"null\", e: q\"\"}");
  EXPECT_EQ(error_of("a: !secret x"), "f:1:4: error: tag '!secret' is not supported [syntax]");
}

TEST(ReadYaml, ReadsOneDocument) {
  EXPECT_EQ(read("%YAML 1.2\n---\na: 1\n...\n"), "{a: p\"1\"}");
  EXPECT_EQ(read("--- {a: 1}\n---\n# nothing\n"), "{a: p\"1\"}");
  EXPECT_EQ(read("\xef\xbb\xbf"
                 "a: 1\r\nb: |\r\n  x\r\n"),
            "{a: p\"1\", b: q\"x\n\"}");
  EXPECT_EQ(read(""), "null");
  EXPECT_EQ(read("# only a comment\n\n"), "null");
  EXPECT_EQ(error_of("a: 1\n---\nb: 2\n"), "f:2:1: error: the text has a second document [syntax]");
}

TEST(ReadYaml, KeepsPositions) {
  const Source source{"f", "a: 1\nb:\n  - \"x\"\n"};
  Diagnostics diagnostics;
  const auto tree = read_yaml(source, {}, diagnostics);
  ASSERT_NE(tree, nullptr);
  const YamlEntry& second = tree->root().entries()[1];
  EXPECT_EQ(second.key.offset(), 5u);
  EXPECT_EQ(second.value.offset(), 10u);
  EXPECT_EQ(second.value.items()[0].offset(), 12u);
}

TEST(ReadYaml, KeepsPositionsBehindMarksAnchorsAndTags) {
  const Source source{"f",
                      "\xef\xbb\xbf"
                      "a: &b !!str # c\n  \xc3\xa4\n"};
  Diagnostics diagnostics;
  const auto tree = read_yaml(source, {}, diagnostics);
  ASSERT_NE(tree, nullptr);
  const YamlEntry& entry = tree->root().entries()[0];
  EXPECT_EQ(entry.key.offset(), 3u);
  EXPECT_EQ(entry.value.offset(), 21u);
  EXPECT_EQ(entry.value.text(), "\xc3\xa4");
  EXPECT_EQ(entry.value.text().data(), source.text.data() + 21);
}

TEST(ReadYaml, RefusesBrokenSyntax) {
  EXPECT_EQ(error_of("a: 1\n b: 2"), "f:2:3: error: a mapping cannot begin here [syntax]");
  EXPECT_EQ(error_of("a:\n  b: {}\n   c: 2\n"),
            "f:3:4: error: expected 'key: value' here [syntax]");
  EXPECT_EQ(error_of("a: 1\nb"), "f:2:1: error: expected 'key: value' here [syntax]");
  EXPECT_EQ(error_of("a: b: c"), "f:1:5: error: a mapping cannot begin here [syntax]");
  EXPECT_EQ(error_of("a: - b"), "f:1:4: error: a list cannot begin here [syntax]");
  EXPECT_EQ(error_of("a: [1, 2"), "f:1:4: error: '[' is never closed [syntax]");
  EXPECT_EQ(error_of("{a: 1, b: [2}"),
            "f:1:13: error: this bracket does not close the one that is open [syntax]");
  EXPECT_EQ(error_of("{a: 1 b: 2}"), "f:1:8: error: expected ',' or '}' here [syntax]");
  EXPECT_EQ(error_of("a: \"x\nb: 1"), "f:1:4: error: this quote is never closed [syntax]");
  EXPECT_EQ(error_of("a: \"\\q\""),
            "f:1:5: error: unknown escape in a double-quoted value [syntax]");
  EXPECT_EQ(error_of("a: \"\\ud800\""),
            "f:1:5: error: the escape is no Unicode character [syntax]");
  EXPECT_EQ(error_of("a: @x"), "f:1:4: error: a value cannot begin with '@' [syntax]");
  EXPECT_EQ(error_of("a: *x"), "f:1:4: error: alias '*x' names no anchor above it [syntax]");
  EXPECT_EQ(error_of("a: &x [*x]"),
            "f:1:8: error: this alias stands inside of the value that it names [syntax]");
  EXPECT_EQ(error_of("- a\nb: 1"), "f:2:1: error: expected the end of the document here [syntax]");
  EXPECT_EQ(error_of("a: {}x"), "f:1:6: error: expected 'key: value' here [syntax]");
  EXPECT_EQ(error_of("[a]: b"), "f:1:1: error: a key must be a string [syntax]");
  EXPECT_EQ(error_of("a: {<<: 1}"),
            "f:1:5: error: a merge key '<<' needs a mapping or a list of mappings [syntax]");
}

// What yaml-cpp reads as null, or as the value of the key above.
TEST(ReadYaml, RefusesWhatIsLeftOut) {
  EXPECT_EQ(error_of("a: 1\nb\n"), "f:2:1: error: expected 'key: value' here [syntax]");
  EXPECT_EQ(error_of("a:\nb # c\nc: 1"), "f:2:1: error: expected 'key: value' here [syntax]");
  EXPECT_EQ(error_of("a:\n[b, c] # d\ne: 1"), "f:2:1: error: expected 'key: value' here [syntax]");
  EXPECT_EQ(error_of("[a, , b]"), "f:1:5: error: expected a value here [syntax]");
  EXPECT_EQ(error_of("{a: 1, , b: 2}"), "f:1:8: error: a key is missing here [syntax]");
  EXPECT_EQ(error_of(": x"), "f:1:1: error: a key is missing here [syntax]");
  EXPECT_EQ(error_of(","), "f:1:1: error: expected the end of the document here [syntax]");
  EXPECT_EQ(error_of("a: 1\n%b: 2\n"), "f:2:1: error: a line cannot begin with '%' here [syntax]");
  EXPECT_EQ(error_of("a: \"x\n%y\"\n%b: 2\n"),
            "f:3:1: error: a line cannot begin with '%' here [syntax]");
  EXPECT_EQ(read("a: \"x\n%y\""), "{a: q\"x %y\"}");
  EXPECT_EQ(error_of("a: !\"b\""), "f:1:4: error: tag '!\"b\"' is not supported [syntax]");
  EXPECT_EQ(read("~: 1\nnull: 2\n? c\n: d\n? e"), "{~: p\"1\", null: p\"2\", c: p\"d\", e: null}");
}

TEST(ReadYaml, FindsWhatIsNeverClosed) {
  EXPECT_EQ(error_of("a: [{b: 1}, {c"), "f:1:13: error: '{' is never closed [syntax]");
  EXPECT_EQ(error_of("{\"a\": \"it's\", \"b\": \"y"),
            "f:1:20: error: this quote is never closed [syntax]");
  EXPECT_EQ(error_of("# don't\na: 'it''s' # isn't\nb: it's\nc: 'x\n"),
            "f:4:4: error: this quote is never closed [syntax]");
  EXPECT_EQ(error_of("a: \"x\n\n"), "f:1:4: error: this quote is never closed [syntax]");
  EXPECT_EQ(error_of("? 'x\n"), "f:1:3: error: this quote is never closed [syntax]");
}

TEST(ReadYaml, RefusesEscapesThatAreNotUtf8) {
  EXPECT_EQ(error_of("a: \"x\\N\""),
            "f:1:6: error: the escapes \\N and \\_ are not supported [syntax]");
  EXPECT_EQ(error_of("a: &b !!str \"\\\\\\_\""),
            "f:1:16: error: the escapes \\N and \\_ are not supported [syntax]");
  EXPECT_EQ(read("a: \"\\\\N\""), "{a: q\"\\N\"}");
}

TEST(ReadYaml, RefusesTabsAsIndentation) {
  EXPECT_EQ(error_of("a:\n\tb: 1\n"), "f:2:1: error: a tab cannot indent a line [syntax]");
  EXPECT_EQ(error_of("a:\n  b: x\n \tc: 1\n"), "f:3:2: error: a tab cannot indent a line [syntax]");
  EXPECT_EQ(error_of("a:\n \tb\n"), "f:2:2: error: a tab cannot indent a line [syntax]");
  EXPECT_EQ(error_of("-\n\t{}\n"), "f:2:1: error: a tab cannot indent a line [syntax]");
  EXPECT_EQ(read("a:\tb\t# c\n"), "{a: p\"b\"}");
}

TEST(ReadYaml, RefusesBytesThatAreNotText) {
  EXPECT_EQ(error_of("a: \xff\n"), "f:1:4: error: a byte here is not UTF-8 [encoding]");
  EXPECT_EQ(error_of("\xff\xfe"
                     "a"),
            "f:1:1: error: the text is UTF-16, not UTF-8 [encoding]");
  EXPECT_EQ(error_of("a: \x01"),
            "f:1:4: error: a control character is not allowed here [encoding]");
  EXPECT_EQ(error_of("a: b\rc: d"),
            "f:1:5: error: a control character is not allowed here [encoding]");
}

TEST(ReadYaml, ReportsEveryDuplicateKey) {
  const std::string shown = read("a: 1\na: 2\nb: {c: 1, d: 2, c: 3}\n");
  EXPECT_NE(shown.find("f:2:1: error: key 'a' is given twice [duplicate-key]"), std::string::npos);
  EXPECT_NE(shown.find("f:3:17: error: key 'c' is given twice [duplicate-key]"), std::string::npos);
  std::string many;
  for (int i = 0; i < 100; ++i) many += "k" + std::to_string(i % 99) + ": 1\n";
  EXPECT_EQ(error_of(many), "f:100:1: error: key 'k0' is given twice [duplicate-key]");
}

TEST(ReadYaml, BoundsDepth) {
  constexpr const char* kTooDeep = "values are nested more than 100 deep [limit]";
  std::string block;
  for (int i = 0; i < 10'000; ++i) block += "- ";
  std::string staircase;
  for (int i = 0; i < 1'000; ++i)
    staircase += std::string(static_cast<std::size_t>(i), ' ') + "a:\n";
  EXPECT_NE(error_of(std::string(10'000, '[')).find(kTooDeep), std::string::npos);
  EXPECT_NE(error_of(block + "a").find(kTooDeep), std::string::npos);
  EXPECT_NE(error_of(staircase).find(kTooDeep), std::string::npos);
  std::string braces;
  for (int i = 0; i < 10'000; ++i) braces += "{a: ";
  EXPECT_NE(error_of(braces).find(kTooDeep), std::string::npos);
  EXPECT_NE(error_of(std::string(1'000'000, '[')).find(kTooDeep), std::string::npos);
  EXPECT_NE(error_of("- " + std::string(1'000'000, '[')).find(kTooDeep), std::string::npos);
  EXPECT_EQ(read(std::string(100, '[') + std::string(100, ']')),
            std::string(100, '[') + std::string(100, ']'));
}

TEST(ReadYaml, BoundsAliases) {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 40; ++i) {
    const std::string above = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int j = 0; j < 10; ++j) bomb += above + (j == 9 ? "]\n" : ", ");
  }
  EXPECT_NE(error_of(bomb).find("aliases and merge keys add more than 1000000 values [limit]"),
            std::string::npos);
  std::string merges = "a: &a {";
  for (int i = 0; i < 100; ++i) merges += "k" + std::to_string(i) + ": 1, ";
  merges += "}\nb:\n";
  for (int i = 0; i < 100; ++i) merges += "- {<<: *a}\n";
  YamlLimits limits;
  limits.max_aliased_nodes = 5'000;
  EXPECT_NE(error_of(merges, limits).find("merge keys add more than 5000 values [limit]"),
            std::string::npos);
}

TEST(ReadYaml, BoundsSize) {
  YamlLimits limits;
  limits.max_bytes = 10;
  EXPECT_EQ(error_of("a: 123456789", limits),
            "f:1:1: error: the text has 12 bytes, more than the 10 allowed [limit]");
  limits = {};
  limits.max_nodes = 3;
  EXPECT_NE(error_of("[1,2,3,4]", limits).find("more than 3 values"), std::string::npos);
  EXPECT_NE(error_of("- 1\n- 2\n- 3\n", limits).find("more than 3 values"), std::string::npos);
  EXPECT_EQ(read("- 1\n- 2\n", limits), "[p\"1\", p\"2\"]");
}

}  // namespace
}  // namespace weir::config
