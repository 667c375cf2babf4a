#include "proxy/upgrade_command.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string_view>
#include <utility>

#include "proxy/hot_restart_message.h"

namespace weir {
namespace {

using Clock = std::chrono::steady_clock;
using hot_restart::Kind;
using hot_restart::Message;

constexpr int64_t kAnswerMs = 10'000;
constexpr int64_t kMaxWaitS = 86'400;  // a day
constexpr int kReadyFd = 3;
constexpr size_t kMaxReport = 4096;
constexpr std::string_view kUsage =
    "usage: weir upgrade [OPTION]... [-- ARGUMENT...]\n\n"
    "Starts this program in the place of the weir that runs, with the same arguments or with "
    "those\n"
    "after --, and waits until it serves. The one before lets its connections end.\n\n"
    "  --base-id N      of the running process; the default is 0\n"
    "  --pid-file FILE  gets the new process's id\n"
    "  --wait-s N       how long the new one may take until it serves, up to a day; the default is "
    "120\n\n"
    "Exit status: 0 done, 1 not done, and the running process serves on, 2 bad usage.\n";

struct Request {
  uint32_t base_id = 0;
  std::string pid_file;
  int64_t wait_s = 120;  // up to kMaxWaitS
  bool help = false;
  std::vector<std::string> arguments;  // empty: those of the running process
};

template <class Number>
bool parse_number(std::string_view text, Number& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size();
}

Result<Request> parse_request(const std::vector<std::string>& arguments) {
  Request out;
  for (size_t i = 0; i < arguments.size(); ++i) {
    std::string name = arguments[i];
    if (name == "--") {
      out.arguments.assign(arguments.begin() + static_cast<ptrdiff_t>(i) + 1, arguments.end());
      return out;
    }
    if (name == "--help" || name == "-h") {
      out.help = true;
      continue;
    }
    std::string value;
    if (const size_t equals = name.find('='); equals != name.npos) {
      value = name.substr(equals + 1);
      name.resize(equals);
    } else if (i + 1 < arguments.size()) {
      value = arguments[++i];
    }
    const bool good = name == "--base-id"  ? parse_number(value, out.base_id)
                      : name == "--wait-s" ? parse_number(value, out.wait_s) && out.wait_s > 0 &&
                                                 out.wait_s <= kMaxWaitS
                      : name == "--pid-file" ? !(out.pid_file = value).empty()
                                             : false;
    if (!good) return Error{"usage", "cannot use '" + name + "' with the value '" + value + "'"};
  }
  return out;
}

// ---- the running process ----

struct Running {
  uint32_t epoch = 0;
  std::string pid;
  std::string directory;
  std::vector<std::string> arguments;
  int output = -1;
  int errors = -1;
};

Result<Running> ask_running(uint32_t base_id) {
  std::ifstream file("/proc/net/unix");
  std::stringstream table;
  table << file.rdbuf();
  const Result<RunningEpoch> found = find_running(table.str(), base_id);
  if (!found) return found.error();
  if (found->under_way) return Error{"busy", "an upgrade is under way already"};
  const Result<int> socket =
      hot_restart::connect_socket(base_id, found->epoch, kAnswerMs, geteuid());
  if (!socket) return socket.error();
  Message question;
  question.kind = Kind::kGetCommand;
  const Result<void> sent = hot_restart::send(*socket, question);
  Result<Message> answer = sent ? hot_restart::receive(*socket) : sent.error();
  close(*socket);
  if (!answer) return answer.error();
  if (answer->kind != Kind::kCommand || answer->texts.size() < 2 || answer->descriptors.size() != 2)
    return Error{"malformed", "the running process does not tell its command line"};
  Running out;
  out.epoch = static_cast<uint32_t>(answer->number);
  out.pid = answer->texts[0];
  out.directory = answer->texts[1];
  out.arguments.assign(answer->texts.begin() + 2, answer->texts.end());
  out.output = answer->descriptors[0];
  out.errors = answer->descriptors[1];
  return out;
}

// ---- the new one ----

std::string own_program() {
  char path[4096] = {};
  const ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);
  return length > 0 ? std::string(path, static_cast<size_t>(length)) : std::string();
}

// Does not return. Between fork and exec only what needs no memory.
[[noreturn]] void run(const std::vector<char*>& words) {
  execv(words[0], words.data());
  _exit(127);
}

std::vector<char*> words_of(std::vector<std::string>& arguments) {
  std::vector<char*> out;
  for (std::string& argument : arguments) out.push_back(argument.data());
  out.push_back(nullptr);
  return out;
}

// Errors of the configuration are shown here and now, not in the log of the running process.
bool is_valid(const std::string& program, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), program);
  arguments.insert(arguments.end(), {"--mode", "validate"});
  const std::vector<char*> words = words_of(arguments);
  const pid_t child = fork();
  if (child < 0) return false;
  if (child == 0) {
    const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (nowhere >= 0) dup2(nowhere, STDOUT_FILENO);
    run(words);
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR) return false;
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

// The child's end of the pipe becomes kReadyFd; its output goes where the running process's goes.
pid_t start(const Running& running, std::vector<std::string> words_text, int report) {
  const std::vector<char*> words = words_of(words_text);
  const pid_t child = fork();
  if (child != 0) return child;
  setsid();
  const int high = fcntl(report, F_DUPFD_CLOEXEC, 16);
  dup2(running.output, STDOUT_FILENO);
  dup2(running.errors, STDERR_FILENO);
  dup2(high, kReadyFd);
  run(words);
}

// What the new process writes until it closes the pipe.
std::string read_report(int pipe, int64_t wait_s) {
  std::string out;
  const auto deadline = Clock::now() + std::chrono::seconds(wait_s);
  while (out.size() < kMaxReport && out.find('\n') == out.npos) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
    pollfd wait{pipe, POLLIN, 0};
    const int ready = poll(&wait, 1, static_cast<int>(std::max<int64_t>(left.count(), 0)));
    if (ready < 0 && errno == EINTR) continue;
    if (ready == 0) return "it did not serve within " + std::to_string(wait_s) + " s";
    char bytes[512];
    const ssize_t got = read(pipe, bytes, sizeof(bytes));
    if (got <= 0) break;
    out.append(bytes, static_cast<size_t>(got));
  }
  return out.substr(0, out.find('\n'));
}

// One that failed ends by itself, one that hangs does not.
std::string end_of(pid_t child) {
  kill(child, SIGKILL);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status)) return "it ended with status " + std::to_string(WEXITSTATUS(status));
  return "it was ended by signal " + std::to_string(WTERMSIG(status));
}

int upgrade(const Request& request, const Running& running, const UpgradeStreams& streams) {
  const auto not_done = [&](const std::string& why) {
    streams.errors << "weir upgrade: " << why << "\nProcess " << running.pid << " serves on.\n";
    return 1;
  };
  const std::string program = own_program();
  if (chdir(running.directory.c_str()) != 0)
    return not_done("cannot go to " + running.directory + ": " + strerror(errno));
  const auto& given = request.arguments.empty() ? running.arguments : request.arguments;
  const uint32_t epoch = running.epoch + 1;
  if (!is_valid(program, successor_arguments(given, request.base_id, epoch, -1)))
    return not_done("the new process would refuse to start");
  std::vector<std::string> words = successor_arguments(given, request.base_id, epoch, kReadyFd);
  words.insert(words.begin(), program);
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return not_done(strerror(errno));
  const pid_t child = start(running, std::move(words), ends[1]);
  close(ends[1]);
  if (child < 0) return not_done(strerror(errno));
  const std::string report = read_report(ends[0], request.wait_s);
  if (report != "ready") {
    const std::string end = end_of(child);
    return not_done("the new process does not serve: " + (report.empty() ? end : report));
  }
  if (!request.pid_file.empty() && !(std::ofstream(request.pid_file) << child << "\n"))
    streams.errors << "weir upgrade: cannot write " << request.pid_file << "\n";
  streams.out << "process " << child << " serves (epoch " << running.epoch + 1 << "); process "
              << running.pid << " lets its connections end\n";
  return 0;
}

}  // namespace

Result<RunningEpoch> find_running(const std::string& table, uint32_t base_id) {
  // num refcount protocol flags type state inode path; flags have 0x10000 when somebody listens.
  const std::string prefix = "@weir_domain_socket_" + std::to_string(base_id) + "_";
  int64_t listening = -1;
  int64_t bound = -1;
  std::istringstream lines(table);
  for (std::string line; std::getline(lines, line);) {
    const size_t at = line.find(prefix);
    if (at == line.npos) continue;
    std::istringstream fields(line);
    std::string number, references, protocol, flags;
    fields >> number >> references >> protocol >> flags;
    uint32_t epoch = 0;
    if (!parse_number(std::string_view(line).substr(at + prefix.size()), epoch)) continue;
    bound = std::max<int64_t>(bound, epoch);
    if (flags == "00010000") listening = std::max<int64_t>(listening, epoch);
  }
  if (listening < 0)
    return Error{"no-parent",
                 "no weir with base id " + std::to_string(base_id) + " serves here; see --base-id"};
  return RunningEpoch{static_cast<uint32_t>(listening), bound > listening};
}

std::vector<std::string> successor_arguments(const std::vector<std::string>& arguments,
                                             uint32_t base_id, uint32_t epoch, int ready_fd) {
  // Those that this function gives anew, and whether they have a value.
  static constexpr std::pair<std::string_view, bool> kOwn[] = {
      {"--restart-epoch", true}, {"--base-id", true},  {"--use-dynamic-base-id", false},
      {"--base-id-path", true},  {"--ready-fd", true}, {"--skip-hot-restart-on-no-parent", false}};
  std::vector<std::string> out;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string name = arguments[i].substr(0, arguments[i].find('='));
    bool own = false;
    for (const auto& [mine, has_value] : kOwn) {
      if (name != mine) continue;
      own = true;
      if (has_value && name == arguments[i]) ++i;
      break;
    }
    if (!own) out.push_back(arguments[i]);
  }
  out.insert(out.end(), {"--base-id", std::to_string(base_id)});
  out.insert(out.end(), {"--restart-epoch", std::to_string(epoch)});
  if (ready_fd >= 0) out.insert(out.end(), {"--ready-fd", std::to_string(ready_fd)});
  return out;
}

int upgrade_command(const std::vector<std::string>& arguments, const UpgradeStreams& streams) {
  const Result<Request> request = parse_request(arguments);
  if (!request) {
    streams.errors << "weir upgrade: " << request.error().message << "\n" << kUsage;
    return 2;
  }
  if (request->help) {
    streams.out << kUsage;
    return 0;
  }
  const Result<Running> running = ask_running(request->base_id);
  if (!running) {
    streams.errors << "weir upgrade: " << running.error().message << "\n";
    return 1;
  }
  return upgrade(*request, *running, streams);
}

}  // namespace weir
