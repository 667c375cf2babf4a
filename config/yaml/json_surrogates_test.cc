#include "config/yaml/json_surrogates.h"

#include <gtest/gtest.h>

namespace weir::config {
namespace {

TEST(JsonSurrogates, JoinsPairsAndKeepsPlaces) {
  EXPECT_EQ(join_json_surrogates(R"({"a":"x\ud83d\ude00y","b":1})"),
            R"({"a":"x\U0001f600y"  ,"b":1})");
  EXPECT_EQ(join_json_surrogates(R"(["\uD800\uDC00\uDBFF\uDFFF", "\n"])"),
            R"(["\U00010000\U0010ffff"    , "\n"])");
}

TEST(JsonSurrogates, LeavesOtherEscapesAsTheyAre) {
  EXPECT_EQ(join_json_surrogates(R"({"a":"\u00e9\\"})"), std::nullopt);
  EXPECT_EQ(join_json_surrogates(R"(["\\ud83d\\ude00", "\ud83d", "\ude00\ud83d"])"),
            R"(["\\ud83d\\ude00", "\ud83d", "\ude00\ud83d"])");
  EXPECT_EQ(join_json_surrogates(R"(["\ud83d\u12", "\ud83d\u-e00"])"),
            R"(["\ud83d\u12", "\ud83d\u-e00"])");
}

TEST(JsonSurrogates, LeavesWhatIsNotJson) {
  EXPECT_EQ(join_json_surrogates(R"({a: '\ud83d\ude00'})"), std::nullopt);
  EXPECT_EQ(join_json_surrogates(R"({a: b"\ud83d\ude00"})"), std::nullopt);
  EXPECT_EQ(join_json_surrogates(R"({"a": "\ud83d\ude00)"), std::nullopt);
  EXPECT_EQ(join_json_surrogates("a: |\n  \"\\ud83d\\ude00\"\n"), std::nullopt);
}

}  // namespace
}  // namespace weir::config
