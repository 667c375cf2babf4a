#include "proxy/http/escape.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace weir::http {
namespace {

std::string as_text(std::string_view text, bool quoted = false) {
  std::string out;
  append_text_escaped(text, quoted, out);
  return out;
}

std::string as_json(std::string_view text) {
  std::string out;
  append_json_string(text, out);
  return out;
}

TEST(TextEscapeTest, PlainTextIsUnchanged) {
  EXPECT_EQ(as_text("GET /a?b=c HTTP/1.1"), "GET /a?b=c HTTP/1.1");
  EXPECT_EQ(as_text("gr\xc3\xbc\xc3\x9f dich"), "gr\xc3\xbc\xc3\x9f dich");
}

TEST(TextEscapeTest, ControlBytesNeverReachTheLine) {
  EXPECT_EQ(as_text("a\r\nb\tc"), "a\\r\\nb\\tc");
  EXPECT_EQ(as_text("\x1b[31mred"), "\\x1b[31mred");
  EXPECT_EQ(as_text(std::string_view("\0\x7f", 2)), "\\x00\\x7f");
  EXPECT_EQ(as_text("\xc2\x9b"
                    "31m"),
            "\\xc2\\x9b31m");
  EXPECT_EQ(as_text("\xe2\x80\xa8"), "\\xe2\\x80\\xa8");
}

TEST(TextEscapeTest, InvalidUtf8IsEscapedByteByByte) {
  EXPECT_EQ(as_text("\xff\xc3"), "\\xff\\xc3");
  EXPECT_EQ(as_text("\xc0\xaf"), "\\xc0\\xaf");           // overlong
  EXPECT_EQ(as_text("\xed\xa0\x80"), "\\xed\\xa0\\x80");  // surrogate
}

TEST(TextEscapeTest, BackslashIsDoubledSoThatEscapesAreUnambiguous) {
  EXPECT_EQ(as_text("\\n"), "\\\\n");
}

TEST(TextEscapeTest, QuotationMarksOnlyMatterWithinQuotes) {
  EXPECT_EQ(as_text("a\"b", false), "a\"b");
  EXPECT_EQ(as_text("a\"b", true), "a\\\"b");
}

TEST(JsonEscapeTest, EveryByteGivesValidJson) {
  for (int byte = 0; byte < 256; ++byte) {
    const std::string text = std::string("a") + static_cast<char>(byte) + "b";
    const std::string line = as_json(text);
    const auto parsed = nlohmann::json::parse(line, nullptr, false);
    ASSERT_FALSE(parsed.is_discarded()) << byte;
    EXPECT_EQ(parsed.get<std::string>(), byte < 0x80 ? text
                                                     : "a\xef\xbf\xbd"
                                                       "b")
        << byte;
    EXPECT_EQ(line.find_first_of("\r\n\x1b\x7f"), std::string::npos) << byte;
  }
}

TEST(JsonEscapeTest, LineSeparatorsAndC1BecomeEscapes) {
  EXPECT_EQ(as_json("\xe2\x80\xa8\xe2\x80\xa9"), "\"\\u2028\\u2029\"");
  EXPECT_EQ(as_json("\xc2\x85"), "\"\\u0085\"");
  EXPECT_EQ(as_json("\xc3\xbc\xf0\x9f\x98\x80"), "\"\xc3\xbc\xf0\x9f\x98\x80\"");
}

}  // namespace
}  // namespace weir::http
