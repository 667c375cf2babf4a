#include "config/scalar.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace weir::config {
namespace {

// The number as text, or "none".
std::string integer(std::string_view text) {
  const std::optional<Integer> value = parse_integer(text);
  if (!value) return "none";
  return (value->is_negative ? "-" : "") + std::to_string(value->magnitude);
}

std::string duration(std::string_view text) {
  const std::optional<ParsedDuration> value = parse_duration(text);
  if (!value) return "none";
  return std::to_string(value->seconds) + "/" + std::to_string(value->nanos);
}

TEST(Scalar, ReadsBoolsAsYaml11) {
  for (const char* yes : {"true", "True", "TRUE", "yes", "Yes", "YES", "on", "ON", "y", "Y"}) {
    EXPECT_EQ(parse_bool(yes), true) << yes;
  }
  for (const char* no : {"false", "False", "FALSE", "no", "No", "NO", "off", "OFF", "n", "N"}) {
    EXPECT_EQ(parse_bool(no), false) << no;
  }
  for (const char* neither : {"", "tRUE", "TRue", "1", "0", "truex", "t", "oN", "nO"}) {
    EXPECT_EQ(parse_bool(neither), std::nullopt) << neither;
  }
}

TEST(Scalar, ReadsIntegers) {
  EXPECT_EQ(integer("0"), "0");
  EXPECT_EQ(integer("80"), "80");
  EXPECT_EQ(integer("-80"), "-80");
  EXPECT_EQ(integer("+7"), "7");
  EXPECT_EQ(integer("0x1F"), "31");
  EXPECT_EQ(integer("0644"), "420");
  EXPECT_EQ(integer("1e3"), "1000");
  EXPECT_EQ(integer("2.0"), "2");
  EXPECT_EQ(integer("18446744073709551615"), "18446744073709551615");
}

TEST(Scalar, RefusesWhatIsNoInteger) {
  for (const char* bad : {"", "-", "+", "x", "1x", "0x", "0xg", "09", "1.5", "1e-1", "--1", " 1",
                          "18446744073709551616", "1e30", "0b1", "NaN"}) {
    EXPECT_EQ(integer(bad), "none") << bad;
  }
}

TEST(Scalar, ReadsQuotedIntegersAsDecimals) {
  const auto quoted = [](std::string_view text) {
    const std::optional<Integer> value = parse_quoted_integer(text);
    return value ? (value->is_negative ? "-" : "") + std::to_string(value->magnitude) : "none";
  };
  EXPECT_EQ(quoted("0100"), "100");
  EXPECT_EQ(quoted("-080"), "-80");
  EXPECT_EQ(quoted("0"), "0");
  EXPECT_EQ(quoted("1e3"), "1000");
  for (const char* bad : {"", "-", "0x50", "0o17", "1.5", "18446744073709551616"})
    EXPECT_EQ(quoted(bad), "none") << bad;
}

TEST(Scalar, KnowsTheBoundsOfInt64) {
  EXPECT_EQ(to_int64({false, 1ull << 63}), std::nullopt);
  EXPECT_EQ(to_int64({true, 1ull << 63}), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(to_int64({true, (1ull << 63) + 1}), std::nullopt);
  EXPECT_EQ(to_int64({false, (1ull << 63) - 1}), std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(to_int64({true, 5}), -5);
}

TEST(Scalar, TypesPlainScalarsAsEnvoyDoes) {
  EXPECT_EQ(plain_type("yes"), PlainType::kBool);
  EXPECT_EQ(plain_type("80"), PlainType::kInteger);
  EXPECT_EQ(plain_type("0x10"), PlainType::kInteger);
  EXPECT_EQ(plain_type("-2147483648"), PlainType::kInteger);
  EXPECT_EQ(plain_type("-2147483649"), PlainType::kText);
  EXPECT_EQ(plain_type("2147483647"), PlainType::kInteger);
  EXPECT_EQ(plain_type("2147483648"), PlainType::kText);
  EXPECT_EQ(plain_type("1.5"), PlainType::kText);
  EXPECT_EQ(plain_type("1e3"), PlainType::kText);
  EXPECT_EQ(plain_type("10.0.0.1"), PlainType::kText);
  EXPECT_EQ(plain_type("yesterday"), PlainType::kText);
  EXPECT_EQ(plain_type("-"), PlainType::kText);
  EXPECT_EQ(plain_type(""), PlainType::kText);
}

TEST(Scalar, ReadsFractions) {
  EXPECT_EQ(parse_double("1.5"), 1.5);
  EXPECT_EQ(parse_double("-1.5e3"), -1500);
  EXPECT_EQ(parse_double("+.5"), 0.5);
  EXPECT_TRUE(std::isnan(*parse_double("NaN")));
  EXPECT_EQ(parse_double("Infinity"), std::numeric_limits<double>::infinity());
  EXPECT_EQ(parse_double("-Infinity"), -std::numeric_limits<double>::infinity());
  for (const char* bad : {"", "inf", "nan", "-inf", "-nan", "1.5x", "0x1p3", "1e999", "-", "+-1"}) {
    EXPECT_EQ(parse_double(bad), std::nullopt) << bad;
  }
}

TEST(Scalar, ReadsBothBase64Alphabets) {
  EXPECT_EQ(parse_base64("aGVsbG8="), "hello");
  EXPECT_EQ(parse_base64("aGVsbG8"), "hello");
  EXPECT_EQ(parse_base64("-_8="), "\xfb\xff");
  EXPECT_EQ(parse_base64("+/8="), "\xfb\xff");
  EXPECT_EQ(parse_base64(""), "");
  for (const char* bad : {"a", "aGVsbG8==", "aG=sbG8", "aGV sbG8=", "====", "a\xc3\xa9=="}) {
    EXPECT_EQ(parse_base64(bad), std::nullopt) << bad;
  }
}

TEST(Scalar, ReadsDurations) {
  EXPECT_EQ(duration("5s"), "5/0");
  EXPECT_EQ(duration("0.25s"), "0/250000000");
  EXPECT_EQ(duration("-1.000000001s"), "-1/-1");
  EXPECT_EQ(duration("315576000000s"), "315576000000/0");
  for (const char* bad : {"5", "s", "", "5 s", "1.s", ".5s", "1.0000000001s", "5ms", "+5s",
                          "315576000001s", "99999999999999999999s", "1.-5s", "--5s"}) {
    EXPECT_EQ(duration(bad), "none") << bad;
  }
}

TEST(Scalar, TellsHowToWriteADuration) {
  EXPECT_EQ(duration_remedy("250ms"), "0.25s");
  EXPECT_EQ(duration_remedy("5"), "5s");
  EXPECT_EQ(duration_remedy("5m"), "300s");
  EXPECT_EQ(duration_remedy("1h"), "3600s");
  EXPECT_EQ(duration_remedy("1.5m"), "90s");
  EXPECT_EQ(duration_remedy("soon"), "");
  EXPECT_EQ(duration_remedy("1e308h"), "");
}

}  // namespace
}  // namespace weir::config
