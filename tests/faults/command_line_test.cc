// What the command line asks for that cannot be, and what a configuration that is only checked
// says.
#include <gtest/gtest.h>

#include "tests/harness/child_process.h"
#include "tests/harness/weir_process.h"

namespace weir::test {
namespace {

using namespace std::chrono_literals;

struct Ended {
  int status = 0;
  std::string output;
};

Ended run(std::vector<std::string> arguments, rlim_t max_files = 0) {
  const std::string folder = new_scratch_folder("command_line");
  arguments.insert(arguments.begin(), weir_program());
  ChildProcess child(arguments, {.output_path = folder + "/output", .max_files = max_files});
  const int status = child.wait(20s);
  return {status, read_file(folder + "/output")};
}

constexpr char kGood[] = "static_resources: {clusters: [{name: c, type: STATIC}]}";

TEST(CommandLine, ValidatingInJsonSaysOneLine) {
  const Ended good = run({"--mode", "validate", "--output", "json", "--config-yaml", kGood});
  EXPECT_EQ(good.status, 0);
  EXPECT_EQ(good.output, "{\"errors\":0,\"warnings\":0,\"omitted\":0,\"diagnostics\":[]}\n");
  const Ended bad = run({"--mode", "validate", "--output", "json", "--config-yaml", "nod: {}"});
  EXPECT_EQ(bad.status, 1);
  EXPECT_TRUE(bad.output.starts_with("{\"errors\":1,\"warnings\":0,")) << bad.output;
  EXPECT_EQ(bad.output.find('\n'), bad.output.size() - 1) << "one line";
}

TEST(CommandLine, ValidatingTakesNoWorkers) {
  const Ended ended =
      run({"--mode", "validate", "--concurrency", "1024", "--config-yaml", kGood}, 64);
  EXPECT_EQ(ended.status, 0) << ended.output;
}

TEST(CommandLine, MoreWorkersThanThereMayBe) {
  for (const char* mode : {"serve", "validate"}) {
    const Ended ended = run({"--mode", mode, "--concurrency", "100000", "--config-yaml", kGood});
    EXPECT_EQ(ended.status, 2);
    EXPECT_TRUE(ended.output.starts_with("weir: --concurrency takes a whole number from 0 to 1024"))
        << ended.output;
  }
}

TEST(CommandLine, MoreWorkersThanTheSystemHasDescriptorsFor) {
  const Ended ended = run({"--concurrency", "200", "--config-yaml", kGood}, 500);
  EXPECT_EQ(ended.status, 1);
  EXPECT_EQ(ended.output,
            "weir: the system grants 500 file descriptors, which are too few for 200 workers; see "
            "ulimit -n and --concurrency\n");
}

}  // namespace
}  // namespace weir::test
