#include "proxy/http/time_format.h"

#include <gtest/gtest.h>

#include <ctime>
#include <string>

namespace weir::http {
namespace {

constexpr int64_t kMoment = 1'767'323'045'678'901;  // 2026-01-02 03:04:05.678901 UTC

std::string written(std::string_view spec, int64_t wall_us = kMoment) {
  const Result<TimeFormat> format = TimeFormat::compile(spec, TimeFormat::Zone::kUtc);
  if (!format) return "error: " + format.error().message;
  char text[TimeFormat::kMaxTextBytes];
  return std::string(text, format->write(wall_us, text));
}

TEST(TimeFormatTest, DefaultIsIso8601WithMilliseconds) {
  EXPECT_EQ(written(""), "2026-01-02T03:04:05.678Z");
  EXPECT_EQ(written("", 0), "1970-01-01T00:00:00.000Z");
}

TEST(TimeFormatTest, SubsecondsAndEpoch) {
  EXPECT_EQ(written("%s.%3f"), "1767323045.678");
  EXPECT_EQ(written("%6f %9f %1f %f"), "678901 678901000 6 678901000");
  EXPECT_EQ(written("%E3S %E*S %E0S"), "05.678 05.678901 05");
}

TEST(TimeFormatTest, StrftimeConversions) {
  EXPECT_EQ(written("%d/%b/%Y:%H:%M:%S %z"), "02/Jan/2026:03:04:05 +0000");
  EXPECT_EQ(written("%a %j %F %T %Z %Ez 100%%"), "Fri 002 2026-01-02 03:04:05 UTC +00:00 100%");
}

// The calendar is computed here, so it is compared with the C library's over many years.
TEST(TimeFormatTest, CalendarAgreesWithTheLibrary) {
  for (int64_t seconds = -3'000'000'000; seconds < 8'000'000'000; seconds += 7'777'777) {
    const auto time = static_cast<std::time_t>(seconds);
    std::tm fields{};
    gmtime_r(&time, &fields);
    char expected[64];
    std::strftime(expected, sizeof(expected), "%Y-%m-%d %H:%M:%S %j %w", &fields);
    ASSERT_EQ(written("%Y-%m-%d %H:%M:%S %j %w", seconds * 1'000'000), expected) << seconds;
  }
}

TEST(TimeFormatTest, LocalZoneFollowsTheEnvironment) {
  setenv("TZ", "XYZ-5:30", 1);
  tzset();
  const auto format = TimeFormat::compile("%H:%M %Ez", TimeFormat::Zone::kLocal);
  ASSERT_TRUE(format.ok());
  char text[TimeFormat::kMaxTextBytes];
  EXPECT_EQ(std::string(text, format->write(kMoment, text)), "08:34 +05:30");
  unsetenv("TZ");
  tzset();
}

TEST(TimeFormatTest, BadFormatsSayWhatIsWrong) {
  EXPECT_EQ(written("%Q").find("error: the time format has the unknown conversion '%Q'"), 0u);
  EXPECT_EQ(written("10%").find("error: the time format has a '%' at its end"), 0u);
  EXPECT_EQ(written("%3x").find("error: the time format has a digit"), 0u);
  EXPECT_EQ(written("%Eq").find("error: the time format has an unknown conversion"), 0u);
  EXPECT_EQ(written(std::string(129, 'a')).find("error: the time format has more than"), 0u);
}

TEST(TimeFormatTest, TheLongestOutputFits) {
  std::string spec;
  while (spec.size() + 2 <= TimeFormat::kMaxSpecBytes) spec += "%c";
  EXPECT_EQ(written(spec).size(), 64 * written("%c").size());
}

}  // namespace
}  // namespace weir::http
