#include "proxy/base/log.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>
#include <thread>
#include <vector>

namespace weir {
namespace {

class LogTest : public testing::Test {
 protected:
  LogTest()
      : path_(testing::TempDir() + "log_test_" +
              testing::UnitTest::GetInstance()->current_test_info()->name()) {
    std::filesystem::remove(path_);
  }
  static std::string read(const std::string& path) {
    std::stringstream out;
    out << std::ifstream(path).rdbuf();
    return out.str();
  }

  std::string path_;
  Logger log_;
};

TEST_F(LogTest, LinesHaveTimeThreadLevelAndComponent) {
  ASSERT_TRUE(log_.open(path_).ok());
  log_.info(Component::kUpstream, "cluster ", std::string("app"), " has ", 3, " hosts, up: ", true);
  EXPECT_TRUE(std::regex_match(
      read(path_), std::regex(R"(\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}\]\[\d+\]\[info\])"
                              R"(\[upstream\] cluster app has 3 hosts, up: true\n)")))
      << read(path_);
}

TEST_F(LogTest, LevelsAreSetApart) {
  ASSERT_TRUE(log_.open(path_).ok());
  log_.set_level(LogLevel::kError);
  ASSERT_TRUE(log_.set_component_levels("http:debug,conn_handler:off").ok());
  log_.debug(Component::kHttp, "seen");
  log_.trace(Component::kHttp, "unseen");
  log_.warning(Component::kMain, "unseen");
  log_.critical(Component::kListener, "unseen");
  EXPECT_NE(read(path_).find("[debug][http] seen\n"), std::string::npos);
  EXPECT_EQ(read(path_).find("unseen"), std::string::npos);
}

TEST_F(LogTest, BytesFromOutsideStayOnTheLine) {
  ASSERT_TRUE(log_.open(path_).ok());
  log_.error(Component::kMain, "name 'a\r\n\x1b[2J'");
  EXPECT_NE(read(path_).find("] name 'a\\x0d\\x0a\\x1b[2J'\n"), std::string::npos);
}

TEST_F(LogTest, ErrorsNameWhatIsThere) {
  EXPECT_NE(log_level_by_name("loud").error().message.find("trace, debug, info, warning"),
            std::string::npos);
  EXPECT_EQ(log_level_by_name("warn").value(), LogLevel::kWarning);
  EXPECT_NE(log_.set_component_levels("nose:info").error().message.find("'nose' is no component"),
            std::string::npos);
  EXPECT_TRUE(log_.set_component_levels("rbac:debug,wasm:off").ok()) << "Envoy has them";
  EXPECT_FALSE(log_.set_component_levels("http").ok());
  EXPECT_FALSE(log_.set_component_levels("http:loud").ok());
  EXPECT_FALSE(log_.open(path_ + "/none/log").ok());
}

TEST_F(LogTest, ReopenFollowsRotationWhileOthersWrite) {
  ASSERT_TRUE(log_.open(path_).ok());
  constexpr int kLines = 500;
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i)
    threads.emplace_back([&] {
      for (int n = 0; n < kLines; ++n) log_.info(Component::kMain, "line");
    });
  std::filesystem::rename(path_, path_ + ".1");
  ASSERT_TRUE(log_.reopen().ok());
  for (std::thread& thread : threads) thread.join();
  log_.info(Component::kMain, "last");
  const std::string all = read(path_ + ".1") + read(path_);
  EXPECT_EQ(std::count(all.begin(), all.end(), '\n'), 2 * kLines + 1);
  EXPECT_NE(read(path_).find("last"), std::string::npos);
}

}  // namespace
}  // namespace weir
