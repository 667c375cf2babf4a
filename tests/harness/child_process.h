#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <chrono>
#include <string>
#include <vector>

namespace weir::test {

// A program that a test runs. It ends with the test program, whatever happens to that.
class ChildProcess {
 public:
  struct Options {
    std::string output_path;               // where stdout and stderr go; empty: inherited
    std::vector<std::string> environment;  // NAME=value, over the inherited ones
    rlim_t max_files = 0;                  // RLIMIT_NOFILE; 0: inherited
    std::string directory;                 // to run in; empty: inherited
  };

  // `command[0]` is looked up on the PATH when it has no slash.
  ChildProcess(std::vector<std::string> command, Options options);
  ~ChildProcess();  // kills it when it still runs
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  pid_t pid() const { return pid_; }
  void signal(int number) const;
  bool running();
  // Whether each of its threads waits for something.
  bool at_rest() const;

  // Waits for its end and says how it ended: the exit status, or minus the signal's number.
  // kStillRunning when it has not ended in time.
  static constexpr int kStillRunning = 1000;
  int wait(std::chrono::milliseconds patience);

 private:
  pid_t pid_ = -1;
  bool ended_ = false;
  int status_ = 0;
};

// The text of a file; empty when it cannot be read.
std::string read_file(const std::string& path);
void write_file(const std::string& path, const std::string& text);

// A folder of this test run's own, removed by nobody but Bazel; and a new one below it.
std::string scratch_folder();
std::string new_scratch_folder(const std::string& name);

// A file of the source tree or a built program, by its path from the repository's root.
std::string runfile(const std::string& path);

}  // namespace weir::test
