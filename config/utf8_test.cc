#include "config/utf8.h"

#include <gtest/gtest.h>

#include <string>

namespace weir::config {
namespace {

TEST(Utf8, TellsTheLengthOfASequence) {
  EXPECT_EQ(utf8_sequence_length("a"), 1u);
  EXPECT_EQ(utf8_sequence_length("\xc3\xa9x"), 2u);
  EXPECT_EQ(utf8_sequence_length("\xe2\x82\xac"), 3u);
  EXPECT_EQ(utf8_sequence_length("\xf0\x9f\x98\x80"), 4u);
  EXPECT_EQ(utf8_sequence_length(""), 0u);
}

TEST(Utf8, RefusesWhatRfc3629Refuses) {
  for (const char* bad :
       {"\x80", "\xc0\xaf", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xc3", "\xe2\x82", "\xe2\x28\xac", "\xff"}) {
    EXPECT_EQ(utf8_sequence_length(bad), 0u) << testing::PrintToString(bad);
  }
}

TEST(Utf8, FindsTheFirstBadByte) {
  const std::string good = "0123456789\xc3\xa9 abcdefgh \xf0\x9f\x98\x80";
  EXPECT_EQ(utf8_valid_prefix(good), good.size());
  EXPECT_EQ(utf8_valid_prefix(good + "\xff"), good.size());
  EXPECT_EQ(utf8_valid_prefix(std::string(100, 'a') + "\xc3"), 100u);
  EXPECT_EQ(utf8_valid_prefix(""), 0u);
}

TEST(Utf8, CountsCodePoints) {
  EXPECT_EQ(utf8_code_points("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"), 4u);
}

}  // namespace
}  // namespace weir::config
