#include "config/diagnostic.h"

#include <gtest/gtest.h>

#include "config/diagnostic_format.h"
#include "config/position.h"

namespace weir::config {
namespace {

Diagnostic placed(std::string message, const Source& source, std::size_t offset) {
  Diagnostic diagnostic;
  diagnostic.code = Code::kUnknownField;
  diagnostic.message = std::move(message);
  place(diagnostic, source, offset);
  return diagnostic;
}

TEST(Diagnostics, CountsAndKeepsABoundedNumber) {
  Diagnostics diagnostics;
  EXPECT_FALSE(diagnostics.has_errors());
  diagnostics.warning(Code::kUnknownField, "a", "first");
  EXPECT_FALSE(diagnostics.has_errors());
  for (int i = 0; i < 300; ++i) diagnostics.error(Code::kSemantic, "b", "again");
  EXPECT_EQ(diagnostics.error_count(), 300u);
  EXPECT_EQ(diagnostics.warning_count(), 1u);
  EXPECT_EQ(diagnostics.items().size(), Diagnostics::kMaxKept);
  const std::string text = format_text(diagnostics, false);
  EXPECT_TRUE(text.ends_with("and 101 more\n")) << text;
}

TEST(Diagnostics, KeepsErrorsRatherThanWarnings) {
  Diagnostics diagnostics;
  for (int i = 0; i < 300; ++i) diagnostics.warning(Code::kUnknownField, "a", "harmless");
  EXPECT_FALSE(diagnostics.keeps(Severity::kWarning));
  EXPECT_TRUE(diagnostics.keeps(Severity::kError));
  diagnostics.error(Code::kSemantic, "b", "this is why");
  EXPECT_EQ(diagnostics.items().size(), Diagnostics::kMaxKept);
  EXPECT_NE(format_text(diagnostics, false).find("error: b: this is why"), std::string::npos);
  for (size_t i = 1; i < Diagnostics::kMaxKept; ++i)
    diagnostics.error(Code::kSemantic, "b", "again");
  EXPECT_FALSE(diagnostics.keeps(Severity::kError));
  for (const Diagnostic& item : diagnostics.items()) EXPECT_EQ(item.severity, Severity::kError);
}

// The name of an unknown field is whatever a file has.
TEST(Diagnostics, DropsRepeatsOfAnyName) {
  Diagnostics diagnostics;
  const Source& source = diagnostics.add_source("f", "x]: 1\n");
  for (const std::string path : {"x]", "x]", "a.x]", "[]", "["}) {
    Diagnostic item = placed("unknown", source, 0);
    item.field_path = path;
    diagnostics.add(item);
  }
  diagnostics.drop_repeats();
  EXPECT_EQ(diagnostics.items().size(), 3u);
  EXPECT_EQ(diagnostics.error_count(), 3u);
}

TEST(Diagnostics, TakesAFieldPath) {
  Diagnostics diagnostics;
  const FieldPath root = FieldPath::root();
  const FieldPath route = root.field("routes", 1);
  diagnostics.error(Code::kReference, route.field("cluster"), "there is no cluster 'x'");
  EXPECT_EQ(diagnostics.items()[0].field_path, "routes[1].cluster");
  EXPECT_EQ(format_text(diagnostics, false),
            "error: routes[1].cluster: there is no cluster 'x' [reference]\n");
}

TEST(Diagnostics, KnowsWhatCouldNotBeLoaded) {
  Diagnostics diagnostics;
  diagnostics.error(Code::kWrongType, "a.b[1].c", "x");
  diagnostics.warning(Code::kUnknownField, "w.x", "x");
  diagnostics.error(Code::kConstraint, "checked.later", "x");
  EXPECT_TRUE(diagnostics.has_load_error_under("a.b[1].c"));
  EXPECT_TRUE(diagnostics.has_load_error_under("a.b[1]"));
  EXPECT_TRUE(diagnostics.has_load_error_under("a.b"));
  EXPECT_TRUE(diagnostics.has_load_error_under(""));
  EXPECT_FALSE(diagnostics.has_load_error_under("a.b[1].c.d"));
  EXPECT_FALSE(diagnostics.has_load_error_under("a.b[1].cc"));
  EXPECT_FALSE(diagnostics.has_load_error_under("a.b[11]"));
  EXPECT_FALSE(diagnostics.has_load_error_under("w"));
  EXPECT_FALSE(diagnostics.has_load_error_under("checked"));
}

TEST(Diagnostics, ExplainsWhyAFieldIsAbsent) {
  Diagnostics diagnostics;
  diagnostics.error(Code::kUnknownField, "a[0].adress", "x", "did you mean 'address'?");
  diagnostics.error(Code::kWrongType, "b.name", "x");
  EXPECT_TRUE(diagnostics.explains_absence("a[0]", "address"));
  EXPECT_TRUE(diagnostics.explains_absence("b", "name"));
  EXPECT_FALSE(diagnostics.explains_absence("a[0]", "name"));
  EXPECT_FALSE(diagnostics.explains_absence("a[1]", "address"));
  EXPECT_FALSE(diagnostics.explains_absence("", "address"));
}

TEST(Diagnostics, SortsByPosition) {
  Diagnostics diagnostics;
  const Source& source = diagnostics.add_source("f.yaml", "one\ntwo\nthree\n");
  diagnostics.add(placed("third", source, 9));
  diagnostics.add(placed("first", source, 1));
  diagnostics.add(placed("second", source, 4));
  diagnostics.sort_by_position();
  EXPECT_EQ(diagnostics.items()[0].message, "first");
  EXPECT_EQ(diagnostics.items()[1].message, "second");
  EXPECT_EQ(diagnostics.items()[2].message, "third");
}

TEST(DiagnosticFormat, ShowsPlaceLineCaretAndHint) {
  Diagnostics diagnostics;
  const Source& source = diagnostics.add_source("edge.yaml", "match:\n  prefx: /\n");
  Diagnostic diagnostic = placed("unknown field 'prefx'", source, 9);
  diagnostic.hint = "did you mean 'prefix'?";
  diagnostics.add(diagnostic);
  EXPECT_EQ(format_text(diagnostics, false),
            "edge.yaml:2:3: error: unknown field 'prefx' [unknown-field]\n"
            "      prefx: /\n"
            "      ^\n"
            "hint: did you mean 'prefix'?\n");
}

TEST(DiagnosticFormat, ColoursOnDemandOnly) {
  Diagnostics diagnostics;
  diagnostics.error(Code::kSemantic, "", "wrong");
  EXPECT_EQ(format_text(diagnostics, false).find('\x1b'), std::string::npos);
  EXPECT_NE(format_text(diagnostics, true).find("\x1b[1;31merror: \x1b[0m"), std::string::npos);
}

TEST(DiagnosticFormat, PutsTheCaretBelowTheCharacter) {
  Diagnostics diagnostics;
  const Source& source = diagnostics.add_source("f", "\t\xc3\xa9\xc3\xa9: x");
  diagnostics.add(placed("here", source, 7));  // the x: 5 characters and 7 bytes in
  const std::string text = format_text(diagnostics, false);
  EXPECT_NE(text.find("\n     \xc3\xa9\xc3\xa9: x\n         ^\n"), std::string::npos) << text;
}

TEST(DiagnosticFormat, EscapesWhatATerminalWouldObey) {
  Diagnostics diagnostics;
  const Source& source = diagnostics.add_source("f", "a: \x1b[31m\n");
  diagnostics.add(placed("bad \x1b[2J\r\n value \xff", source, 3));
  const std::string text = format_text(diagnostics, false);
  EXPECT_EQ(text.find('\x1b'), std::string::npos) << text;
  EXPECT_NE(text.find("bad \\x1b[2J\\x0d\\x0a value \\xff"), std::string::npos) << text;
  EXPECT_NE(text.find("a: \\x1b[31m"), std::string::npos) << text;
}

TEST(DiagnosticFormat, CutsALongLineAroundTheColumn) {
  Diagnostics diagnostics;
  const std::string line = std::string(5000, 'a') + "!" + std::string(5000, 'b');
  const Source& source = diagnostics.add_source("f.json", line);
  diagnostics.add(placed("here", source, 5000));
  const Diagnostic& item = diagnostics.items()[0];
  EXPECT_EQ(item.column, 5001);
  EXPECT_LT(item.source_line.size(), 200u);
  EXPECT_EQ(item.source_line[item.caret], '!');
  EXPECT_TRUE(item.source_line.starts_with("...a"));
  EXPECT_TRUE(item.source_line.ends_with("b..."));
}

TEST(DiagnosticFormat, NeverShowsALineWithASecret) {
  const std::string pem =
      "-----BEGIN EC PRIVATE KEY-----\nMHcC\nAQEE\n-----END EC PRIVATE KEY-----\n";
  const auto shown = [](const std::string& text, const std::string& at, const std::string& path) {
    Diagnostics diagnostics;
    const Source& source = diagnostics.add_source("f", text);
    Diagnostic item = placed("m", source, text.find(at));
    if (path.empty()) return item.source_line;
    item.field_path = path;
    place(item, source, text.find(at));
    EXPECT_EQ(item.line, 2);
    return item.source_line;
  };
  EXPECT_EQ(shown(pem + "a: 1\n", "a: 1", ""), "a: 1") << "behind the key";
  EXPECT_EQ(shown("a: 1\n" + pem, "a: 1", ""), "a: 1") << "before it";
  EXPECT_EQ(shown("-----BEGIN CERTIFICATE-----\nMIIB\n", "MIIB", ""), "MIIB");
  for (const char* inside : {"BEGIN EC", "MHcC", "AQEE"})
    EXPECT_EQ(shown(pem, inside, ""), "") << inside;
  EXPECT_EQ(shown("-----BEGIN PRIVATE KEY-----\nMHcC", "MHcC", ""), "") << "without an end";
  const std::string json(3'000, 'x');
  EXPECT_EQ(shown("{\"a\": \"-----BEGIN PRIVATE KEY-----\\n" + json + "!" + json + "\"}", "!", ""),
            "")
      << "deep in a line";
  EXPECT_EQ(shown("{privateKey: {inline_string: x}, b: 1}", "b: 1", ""), "") << "beside it";
  EXPECT_EQ(shown("p:\n- {inline_string: hunter2}\n", "hunter2", "c.password.inline_string"), "");
}

TEST(DiagnosticFormat, KeepsTheCaretWithinTheLine) {
  Diagnostics diagnostics;
  const Source& source = diagnostics.add_source("f", "ab\r");
  diagnostics.add(placed("at the end", source, 3));
  EXPECT_EQ(diagnostics.items()[0].caret, 2u);
}

TEST(DiagnosticFormat, WritesJson) {
  Diagnostics diagnostics;
  const Source& source = diagnostics.add_source("f.yaml", "a: \"b\"\n");
  diagnostics.add(placed("say \"no\"\x01\xff", source, 3));
  diagnostics.warning(Code::kUnknownField, "x", "w");
  EXPECT_EQ(format_json(diagnostics),
            "{\"errors\":1,\"warnings\":1,\"omitted\":0,\"diagnostics\":["
            "{\"severity\":\"error\",\"code\":\"unknown-field\","
            "\"message\":\"say \\\"no\\\"\\u0001\\ufffd\",\"path\":\"\",\"hint\":\"\","
            "\"file\":\"f.yaml\",\"line\":1,\"column\":4,\"source_line\":\"a: \\\"b\\\"\"},"
            "{\"severity\":\"warning\",\"code\":\"unknown-field\",\"message\":\"w\","
            "\"path\":\"x\",\"hint\":\"\",\"file\":\"\",\"line\":0,\"column\":0,"
            "\"source_line\":\"\"}]}\n");
}

TEST(Position, CountsLinesAndColumnsFromOne) {
  const std::string_view text = "ab\r\ncd\nef";
  EXPECT_EQ(position_at(text, 0).line, 1);
  EXPECT_EQ(position_at(text, 0).column, 1);
  EXPECT_EQ(position_at(text, 0).line_text, "ab");
  EXPECT_EQ(position_at(text, 5).line, 2);
  EXPECT_EQ(position_at(text, 5).column, 2);
  EXPECT_EQ(position_at(text, 5).line_text, "cd");
  EXPECT_EQ(position_at(text, 9).line, 3);
  EXPECT_EQ(position_at(text, 9).column, 3);
  EXPECT_EQ(position_at(text, 999).line_text, "ef");
}

}  // namespace
}  // namespace weir::config
