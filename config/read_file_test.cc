#include "config/read_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <thread>

namespace weir::config {
namespace {

std::string temporary(const std::string& name) {
  const std::string path = testing::TempDir() + "read_file_test." + name;
  unlink(path.c_str());
  return path;
}

struct Read {
  std::optional<std::string> text;
  std::string error;
};

Read read(const std::string& path, FileKind kind = FileKind::kRegular) {
  Diagnostics diagnostics;
  Read out{read_file(path, 100, diagnostics, kind), ""};
  for (const Diagnostic& item : diagnostics.items()) out.error += item.message;
  return out;
}

TEST(ReadFile, ReadsWhatIsNotTooLong) {
  const std::string path = temporary("text");
  std::ofstream(path) << std::string(100, 'x');
  EXPECT_EQ(read(path).text, std::string(100, 'x'));
  std::ofstream(path, std::ios::app) << "y";
  EXPECT_EQ(read(path).error, "has more than the 100 bytes allowed");
  unlink(path.c_str());
}

TEST(ReadFile, SaysWhyNot) {
  EXPECT_EQ(read(temporary("missing")).error, "cannot be opened: No such file or directory");
  EXPECT_EQ(read("/").error, "is a directory, not a file");
}

// Nobody writes to it: whoever waits for it hangs.
TEST(ReadFile, DoesNotWaitForAPipe) {
  const std::string path = temporary("fifo");
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  EXPECT_EQ(read(path).error, "is no regular file");
  EXPECT_EQ(read("/dev/zero").error, "is no regular file");
  unlink(path.c_str());
}

TEST(ReadFile, ReadsAPipeWhereThatIsMeant) {
  const std::string path = temporary("pipe");
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  std::thread writer([&] { std::ofstream(path) << "text"; });
  EXPECT_EQ(read(path, FileKind::kAny).text, "text");
  writer.join();
  unlink(path.c_str());
}

}  // namespace
}  // namespace weir::config
