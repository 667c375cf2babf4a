#include "proxy/stats/clean_name.h"

#include <gtest/gtest.h>

namespace weir::stats {
namespace {

TEST(CleanName, HasNoColons) {
  EXPECT_EQ(clean_name("127.0.0.1:80"), "127.0.0.1_80");
  EXPECT_EQ(clean_name("[::1]:80"), "[__1]_80");
  EXPECT_EQ(clean_name("a:b://c:/d"), "a_b_c_d");
  EXPECT_EQ(clean_name(std::string_view("a\0b", 3)), "a_b");
}

TEST(CleanName, KeepsTheRest) {
  EXPECT_EQ(clean_name(""), "");
  EXPECT_EQ(clean_name("outbound|80||app.example"), "outbound|80||app.example");
}

}  // namespace
}  // namespace weir::stats
