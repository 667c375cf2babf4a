#include "proxy/base/log_format.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <regex>

namespace weir {
namespace {

std::string line(std::string_view pattern, std::string_view message = "says \"a\\b\"\n\x1b[1m") {
  Result<LogFormat> format = LogFormat::parse(pattern);
  EXPECT_TRUE(format.ok()) << pattern;
  return format->write({"warning", "main", message});
}

TEST(LogFormat, TheDefaultIsEnvoys) {
  EXPECT_TRUE(std::regex_match(
      line(LogFormat::kDefault, "hi"),
      std::regex(R"(\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}\]\[\d+\]\[warning\]\[main\] hi\n)")));
}

// The formats that Istio's agent gives its proxy.
TEST(LogFormat, IstiosTextIsUnderstood) {
  EXPECT_TRUE(std::regex_match(
      line("%Y-%m-%dT%T.%fZ\t%l\tenvoy %n %g:%#\t%v\tthread=%t", "hi"),
      std::regex("\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{6}Z\twarning\tenvoy main :\thi"
                 "\tthread=\\d+\n")));
}

TEST(LogFormat, IstiosJsonIsJson) {
  EXPECT_EQ(line(R"({"level":"%l","scope":"envoy %n","msg":"%j"})"),
            "{\"level\":\"warning\",\"scope\":\"envoy main\",\"msg\":"
            "\"says \\\"a\\\\b\\\"\\u000a\\u001b[1m\"}\n");
}

TEST(LogFormat, AMessageNeitherEndsTheLineNorDrivesTheTerminal) {
  EXPECT_EQ(line("%v"), "says \"a\\b\"\\x0a\\x1b[1m\n");
  EXPECT_EQ(line("%_"), line("%v"));
}

TEST(LogFormat, OtherFlags) {
  EXPECT_EQ(line("%L %P 100%%"), "W " + std::to_string(getpid()) + " 100%\n");
  EXPECT_TRUE(std::regex_match(line("%E %e %f %F %z %H%M%S"),
                               std::regex(R"(\d{10,} \d{3} \d{6} \d{9} [+-]\d{4} \d{6}\n)")));
  EXPECT_EQ(line("%@%g%s%#%!"), "\n");
}

TEST(LogFormat, AnUnknownFlagIsNamed) {
  for (const char* pattern : {"%v %q", "%8l", "%"}) {
    Result<LogFormat> format = LogFormat::parse(pattern);
    ASSERT_FALSE(format.ok()) << pattern;
    EXPECT_NE(format.error().message.find("is no flag of a log format"), std::string::npos);
  }
}

}  // namespace
}  // namespace weir
