#include "tests/harness/child_process.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "tests/harness/socket.h"

namespace weir::test {
namespace {

using Clock = std::chrono::steady_clock;

void redirect_output(const std::string& path) {
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  if (file < 0) _exit(126);
  dup2(file, STDOUT_FILENO);
  dup2(file, STDERR_FILENO);
}

[[noreturn]] void run_child(const std::vector<std::string>& command,
                            const ChildProcess::Options& options) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (!options.output_path.empty()) redirect_output(options.output_path);
  if (options.max_files != 0) {
    const rlimit limit{options.max_files, options.max_files};
    setrlimit(RLIMIT_NOFILE, &limit);
  }
  for (const std::string& entry : options.environment) putenv(const_cast<char*>(entry.c_str()));
  if (!options.directory.empty() && chdir(options.directory.c_str()) != 0) _exit(126);
  std::vector<char*> words;
  for (const std::string& word : command) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  execvp(words[0], words.data());
  _exit(127);
}

}  // namespace

ChildProcess::ChildProcess(std::vector<std::string> command, Options options) : pid_(fork()) {
  if (pid_ < 0) die("fork");
  if (pid_ == 0) run_child(command, options);
}

ChildProcess::~ChildProcess() {
  if (!running()) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

void ChildProcess::signal(int number) const {
  if (!ended_) kill(pid_, number);
}

bool ChildProcess::running() {
  if (ended_) return false;
  int status = 0;
  if (waitpid(pid_, &status, WNOHANG) != pid_) return true;
  ended_ = true;
  status_ = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  return false;
}

bool ChildProcess::at_rest() const {
  std::error_code error;
  const std::string tasks = "/proc/" + std::to_string(pid_) + "/task";
  for (const auto& task : std::filesystem::directory_iterator(tasks, error)) {
    // "pid (name) state ...", see proc(5)
    const std::string stat = read_file(task.path() / "stat");
    const size_t name_end = stat.rfind(')');
    if (name_end == std::string::npos || stat.compare(name_end, 3, ") S") != 0) return false;
  }
  return true;
}

int ChildProcess::wait(std::chrono::milliseconds patience) {
  const auto deadline = Clock::now() + patience;
  while (running()) {
    if (Clock::now() > deadline) return kStillRunning;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return status_;
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_file(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}

std::string scratch_folder() {
  static const std::string folder = [] {
    const char* base = std::getenv("TEST_TMPDIR");
    std::string path = std::string(base != nullptr ? base : "/tmp") + "/weir-test-XXXXXX";
    if (mkdtemp(path.data()) == nullptr) die("mkdtemp " + path);
    return path;
  }();
  return folder;
}

std::string new_scratch_folder(const std::string& name) {
  static int count = 0;
  const std::string folder = scratch_folder() + '/' + name + '-' + std::to_string(++count);
  std::filesystem::create_directories(folder);
  return folder;
}

std::string runfile(const std::string& path) {
  const char* root = std::getenv("TEST_SRCDIR");
  const char* workspace = std::getenv("TEST_WORKSPACE");
  if (root == nullptr || workspace == nullptr) return path;
  return std::string(root) + '/' + workspace + '/' + path;
}

}  // namespace weir::test
