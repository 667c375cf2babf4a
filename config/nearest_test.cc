#include "config/nearest.h"

#include <gtest/gtest.h>

namespace weir::config {
namespace {

const std::vector<std::string_view> kFields = {"prefix", "path", "safe_regex", "virtual_hosts",
                                               "path_separated_prefix"};

TEST(Nearest, FindsTypingErrors) {
  EXPECT_EQ(nearest_name("prefx", kFields), "prefix");
  EXPECT_EQ(nearest_name("perfix", kFields), "prefix");
  EXPECT_EQ(nearest_name("paths", kFields), "path");
  EXPECT_EQ(nearest_name("virtual_host", kFields), "virtual_hosts");
}

TEST(Nearest, IgnoresCaseAndUnderscores) {
  EXPECT_EQ(nearest_name("SafeRegex", kFields), "safe_regex");
  EXPECT_EQ(nearest_name("VIRTUAL-HOSTS", kFields), "virtual_hosts");
}

TEST(Nearest, FindsNothingWhenNothingIsNear) {
  EXPECT_EQ(nearest_name("cluster", kFields), "");
  EXPECT_EQ(nearest_name("x", kFields), "");
  EXPECT_EQ(nearest_name("prefix", {}), "");
  EXPECT_EQ(nearest_name(std::string(10'000, 'p'), kFields), "");
  EXPECT_EQ(did_you_mean("cluster", kFields), "");
}

TEST(Nearest, AsksAQuestion) {
  EXPECT_EQ(did_you_mean("prefx", kFields), "did you mean 'prefix'?");
}

}  // namespace
}  // namespace weir::config
