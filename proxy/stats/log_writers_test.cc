#include "proxy/stats/log_writers.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace weir::stats {
namespace {

using namespace std::chrono_literals;

std::string read_all(const std::string& path) {
  std::ifstream in(path);
  std::stringstream out;
  out << in.rdbuf();
  return out.str();
}

template <class Condition>
bool eventually(Condition condition) {
  for (int i = 0; i < 500; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(10ms);
  }
  return false;
}

class LogWritersTest : public testing::Test {
 protected:
  LogWritersTest() {
    std::string name = testing::TempDir() + "log_writers_test_XXXXXX";
    folder_ = mkdtemp(name.data());
  }
  ~LogWritersTest() override { std::filesystem::remove_all(folder_); }

  std::string path(const std::string& name) const { return folder_ + "/" + name; }
  uint64_t counted(const std::string& name) const {
    return registry_.value("access_log_file." + name);
  }

  std::string folder_;
  Registry registry_;
};

LogWritersOptions quick(uint32_t workers = 1) {
  return {.workers = workers, .flush_interval_ms = 10};
}

TEST_F(LogWritersTest, WritesAtTheIntervalAndAppends) {
  std::ofstream(path("log")) << "before\n";
  LogWriters writers(quick(), registry_);
  const auto file = writers.open(path("log")).take();
  writers.start();
  file->append(0, "one\n");
  file->append(1, "two\n");
  EXPECT_TRUE(eventually([&] { return read_all(path("log")) == "before\none\ntwo\n"; }));
  EXPECT_TRUE(eventually([&] { return counted("write_buffered") == 2; }));
  EXPECT_TRUE(eventually([&] { return counted("flushed_by_timer") > 0; }));
}

TEST_F(LogWritersTest, OnePathIsOneLogAndUnusedLogsAreClosed) {
  LogWriters writers(quick(), registry_);
  auto file = writers.open(path("log")).take();
  EXPECT_EQ(writers.open(path("log")).value(), file);
  file->append(0, "last words\n");
  const std::weak_ptr<LogFile> watch = file;
  file.reset();
  EXPECT_FALSE(watch.expired());
  writers.start();
  EXPECT_TRUE(eventually([&] { return watch.expired(); }));
  EXPECT_EQ(read_all(path("log")), "last words\n");
}

TEST_F(LogWritersTest, StopWritesEverything) {
  LogWriters writers({.workers = 1, .flush_interval_ms = 60'000}, registry_);
  const auto file = writers.open(path("log")).take();
  writers.start();
  file->append(0, "kept\n");
  writers.stop();
  EXPECT_EQ(read_all(path("log")), "kept\n");
}

TEST_F(LogWritersTest, AFullLaneWakesTheWriterBeforeTheInterval) {
  LogWriters writers({.workers = 1, .flush_interval_ms = 60'000}, registry_);
  const auto file = writers.open(path("log")).take();
  writers.start();
  const std::string line(1023, 'x');
  for (int i = 0; i < 65; ++i) file->append(0, line + "\n");
  EXPECT_TRUE(eventually([&] { return std::filesystem::file_size(path("log")) >= 64 * 1024; }));
}

TEST_F(LogWritersTest, AMissingFolderIsAnErrorWithARemedy) {
  LogWriters writers(quick(), registry_);
  const auto file = writers.open(path("none/log"));
  ASSERT_FALSE(file.ok());
  EXPECT_NE(file.error().message.find("none/log'"), std::string::npos);
  EXPECT_NE(file.error().message.find("create its folder"), std::string::npos);
}

TEST_F(LogWritersTest, CheckingAConfigurationCreatesNoFile) {
  LogWriters writers({.workers = 1, .flush_interval_ms = 10, .open_files = false}, registry_);
  ASSERT_TRUE(writers.open(path("log")).ok());
  EXPECT_FALSE(std::filesystem::exists(path("log")));
}

// Each thread is a worker; every line must arrive once, whole, and in its worker's order.
TEST_F(LogWritersTest, ConcurrentWorkersAndRotationLoseNothing) {
  constexpr uint32_t kWorkers = 4;
  constexpr int kLines = 5'000;
  LogWriters writers(quick(kWorkers), registry_);
  const auto file = writers.open(path("log")).take();
  writers.start();
  std::vector<std::thread> workers;
  for (uint32_t worker = 0; worker < kWorkers; ++worker) {
    workers.emplace_back([&, worker] {
      for (int i = 0; i < kLines; ++i) {
        file->append(worker, std::to_string(worker) + " " + std::to_string(i) + "\n");
        if (i % 100 == 0) std::this_thread::sleep_for(200us);
      }
    });
  }
  int rotations = 0;
  for (; rotations < 5; ++rotations) {
    std::this_thread::sleep_for(5ms);
    std::filesystem::rename(path("log"), path("log." + std::to_string(rotations)));
    writers.reopen();
    ASSERT_TRUE(eventually([&] { return std::filesystem::exists(path("log")); }));
  }
  for (std::thread& worker : workers) worker.join();
  writers.stop();

  std::string all;
  for (int i = 0; i < rotations; ++i) all += read_all(path("log." + std::to_string(i)));
  std::istringstream lines(all + read_all(path("log")));
  std::vector<int> next(kWorkers, 0);
  uint32_t worker = 0;
  for (int number = 0; lines >> worker >> number;) {
    ASSERT_LT(worker, kWorkers);
    ASSERT_EQ(number, next[worker]++);
  }
  for (const int count : next) EXPECT_EQ(count, kLines);
  EXPECT_EQ(counted("write_buffered"), kWorkers * kLines);
  EXPECT_EQ(counted("write_dropped"), 0u);
}

TEST_F(LogWritersTest, AFailedReopenKeepsTheOldFileAndTriesAgain) {
  std::filesystem::create_directory(path("sub"));
  LogWriters writers(quick(), registry_);
  const auto file = writers.open(path("sub/log")).take();
  writers.start();
  std::filesystem::rename(path("sub"), path("moved"));
  writers.reopen();
  ASSERT_TRUE(eventually([&] { return counted("reopen_failed") > 0; }));
  file->append(0, "to the old file\n");
  EXPECT_TRUE(eventually([&] { return read_all(path("moved/log")) == "to the old file\n"; }));
  std::filesystem::create_directory(path("sub"));
  EXPECT_TRUE(eventually([&] { return std::filesystem::exists(path("sub/log")); }));
}

TEST_F(LogWritersTest, AFullDiskIsCountedAndBounded) {
  LogWriters writers(quick(), registry_);
  const auto full = writers.open("/dev/full").take();
  const auto fine = writers.open(path("log")).take();
  writers.start();
  const std::string line(64 * 1024 - 1, 'x');
  ASSERT_TRUE(eventually([&] {
    full->append(0, line + "\n");
    return counted("write_failed") > 0;
  }));
  for (int i = 0; i < 64; ++i) full->append(0, line + "\n");
  fine->append(0, "still here\n");
  EXPECT_TRUE(eventually([&] { return read_all(path("log")) == "still here\n"; }));
  EXPECT_LE(static_cast<int64_t>(counted("write_total_buffered")),
            static_cast<int64_t>(3 * LogFile::kMaxLaneBytes));
  writers.stop();
}

TEST_F(LogWritersTest, ABlockedPipeBlocksNobodyAndGoesOnWhenRead) {
  ASSERT_EQ(mkfifo(path("pipe").c_str(), 0600), 0);
  LogWriters writers(quick(), registry_);
  const auto piped = writers.open(path("pipe")).take();
  const auto fine = writers.open(path("log")).take();
  writers.start();
  const std::string line(16 * 1024 - 1, 'x');
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 256; ++i) piped->append(0, line + "\n");  // more than pipe and lane hold
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 2s);
  fine->append(0, "still here\n");
  EXPECT_TRUE(eventually([&] { return read_all(path("log")) == "still here\n"; }));

  const int reader = open(path("pipe").c_str(), O_RDONLY | O_NONBLOCK);
  ASSERT_GE(reader, 0);
  size_t total = 0;
  std::vector<char> bytes(64 * 1024);
  EXPECT_TRUE(eventually([&] {
    for (ssize_t n = 0; (n = read(reader, bytes.data(), bytes.size())) > 0;)
      total += static_cast<size_t>(n);
    return total >= LogFile::kMaxLaneBytes && counted("write_dropped") > 0;
  }));
  EXPECT_EQ(total % (line.size() + 1), 0u);
  close(reader);
}

TEST_F(LogWritersTest, StopDoesNotWaitForEverForAPipe) {
  ASSERT_EQ(mkfifo(path("pipe").c_str(), 0600), 0);
  LogWriters writers(quick(), registry_);
  const auto piped = writers.open(path("pipe")).take();
  writers.start();
  for (int i = 0; i < 32; ++i) piped->append(0, std::string(16 * 1024, 'x'));
  const auto begin = std::chrono::steady_clock::now();
  writers.stop();
  EXPECT_LT(std::chrono::steady_clock::now() - begin,
            std::chrono::milliseconds(2 * LogWriters::kStopWaitMs));
}

}  // namespace
}  // namespace weir::stats
