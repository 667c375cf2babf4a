#include "tests/harness/case_file.h"

#include <gtest/gtest.h>

#include "tests/harness/case_expectation.h"
#include "tests/harness/escape.h"

namespace weir::test {
namespace {

CaseFile parse(const std::string& text) {
  return parse_case_file("x.case", text, "/nowhere");
}

std::vector<std::string> differences(const std::vector<std::string>& block, const Message& message,
                                     bool exact = false) {
  std::string error;
  const Expectation expectation = Expectation::parse(block, exact, error);
  EXPECT_EQ(error, "");
  return expectation.compare(message, true);
}

Message simple_request() {
  Message message;
  parse_request("GET / HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nx-a: 2\r\n\r\n", message);
  return message;
}

TEST(CaseFile, ReadsConfigCasesAndBlocks) {
  const CaseFile file = parse(
      "# a comment\n"
      "config\n"
      "    a:\n"
      "      b: 1\n"
      "\n"
      "case: first (not split)\n"
      "client 2 sends\n"
      "    GET / HTTP/1.1\n"
      "\n"
      "    body\n"
      "\n"
      "wait 5\n"
      "case: second\n"
      "client closes\n");
  EXPECT_TRUE(file.errors.empty());
  EXPECT_EQ(file.config, "a:\n  b: 1\n");
  ASSERT_EQ(file.cases.size(), 2u);
  EXPECT_EQ(file.cases[0].name, "first");
  EXPECT_FALSE(file.cases[0].splittable);
  ASSERT_EQ(file.cases[0].steps.size(), 2u);
  EXPECT_EQ(file.cases[0].steps[0].line, 7);
  EXPECT_EQ(file.cases[0].steps[0].block, (std::vector<std::string>{"GET / HTTP/1.1", "", "body"}));
}

TEST(CaseFile, SaysWhatIsWrong) {
  EXPECT_EQ(parse("case: x\n").errors.size(), 1u);
  EXPECT_EQ(parse("config\n    a: 1\n  \nclient sends\n").errors.size(), 1u);
  EXPECT_FALSE(parse("config: missing.yaml\n").errors.empty());
}

TEST(CaseFile, MakesMessages) {
  std::string error;
  EXPECT_EQ(message_bytes({"GET / HTTP/1.1", "Host: a"}, false, error),
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(message_bytes({"POST / HTTP/1.1", "X: \\x00\\", "\\n\\", "Y: 1", "", "a\\r\\n", "b"},
                          false, error),
            std::string("POST / HTTP/1.1\r\nX: \0\nY: 1\r\n\r\na\r\nb", 34));
  EXPECT_EQ(message_bytes({"a", "b"}, true, error), "ab");
  EXPECT_EQ(error, "");
}

TEST(Escape, Repeats) {
  std::string error;
  EXPECT_EQ(unescape("\\(ab*3)c", error), "abababc");
  EXPECT_EQ(unescape("\\(H#: v\\r\\n*2)", error), "H0: v\r\nH1: v\r\n");
  EXPECT_EQ(error, "");
  for (const char* bad : {"\\q", "\\x1", "\\(ab)", "\\(a*x)", "\\"}) {
    error.clear();
    unescape(bad, error);
    EXPECT_NE(error, "") << bad;
  }
}

TEST(Expectation, ComparesLines) {
  const Message message = simple_request();
  EXPECT_TRUE(
      differences({"GET / HTTP/1.1", "host: a", "x-a: 1", "x-a: 2", "!x-b"}, message).empty());
  EXPECT_EQ(differences({"GET /x HTTP/1.1"}, message).size(), 1u);
  EXPECT_FALSE(differences({"GET / HTTP/1.1", "x-a: 1"}, message).empty());
  EXPECT_FALSE(differences({"GET / HTTP/1.1", "!host"}, message).empty());
  EXPECT_FALSE(differences({"GET / HTTP/1.1", "x-b: *"}, message).empty());
  EXPECT_TRUE(differences({"GET / HTTP/1.1", "host ~ [a-c]"}, message).empty());
  EXPECT_FALSE(differences({"GET / HTTP/1.1", "host ~ [b-c]"}, message).empty());
  EXPECT_FALSE(differences({"GET / HTTP/1.1", "", "body"}, message).empty());
}

TEST(Expectation, ExactMeansNoOtherHeader) {
  EXPECT_EQ(differences({"GET / HTTP/1.1", "host: a"}, simple_request(), true).size(), 2u);
}

TEST(Expectation, TakesOneStatusOfSeveral) {
  Message message;
  parse_response("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", {}, message);
  EXPECT_TRUE(differences({"HTTP/1.1 404"}, message).empty());
  EXPECT_TRUE(differences({"HTTP/1.1 403|404"}, message).empty());
  EXPECT_TRUE(differences({"HTTP/1.1 404 Not Found"}, message).empty());
  EXPECT_FALSE(differences({"HTTP/1.1 403|405"}, message).empty());
  EXPECT_FALSE(differences({"HTTP/1.0 404"}, message).empty());
}

}  // namespace
}  // namespace weir::test
