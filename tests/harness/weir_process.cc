#include "tests/harness/weir_process.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <thread>

#include "tests/harness/wire.h"

namespace weir::test {
namespace {

// Log lines are waited for, so they are written soon.
constexpr char kFlushInterval[] = "--file-flush-interval-msec";

}  // namespace

WeirProcess::WeirProcess(Options options)
    : folder_(new_scratch_folder("weir")), words_(std::move(options.words)) {
  words_["LISTEN"] = std::to_string(listen_.number());
  words_["ADMIN"] = std::to_string(admin_.number());
  words_["LOG"] = folder_ + "/access.log";
  words_["DIR"] = folder_;
  write_file(config_path(), substitute(options.config));
  std::vector<std::string> command{weir_program(), "-c", config_path()};
  command.insert(command.end(), options.arguments.begin(), options.arguments.end());
  if (std::find(command.begin(), command.end(), kFlushInterval) == command.end())
    command.insert(command.end(), {kFlushInterval, "10"});
  process_ = std::make_unique<ChildProcess>(
      command,
      ChildProcess::Options{folder_ + "/output", options.environment, options.max_files, ""});
  if (options.wait_until_ready) wait_until_ready();
}

std::string WeirProcess::substitute(std::string text) const {
  for (const auto& [name, value] : words_) {
    const std::string mark = '@' + name + '@';
    for (size_t at = 0; (at = text.find(mark, at)) != std::string::npos; at += value.size())
      text.replace(at, mark.size(), value);
  }
  return text;
}

void WeirProcess::wait_until_ready() {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (std::chrono::steady_clock::now() < deadline) {
    if (!process_->running()) {
      failure_ = "weir ended with status " + std::to_string(process_->wait(Milliseconds(0))) +
                 " instead of starting; it said:\n" + output();
      return;
    }
    if (connect_to_loopback(listen_.number()).open()) return wait_until_at_rest();
    std::this_thread::sleep_for(Milliseconds(2));
  }
  failure_ = "weir does not listen after 5 s; it said:\n" + output();
}

// The connection that found it ready is over for it too when it rests, however slow the machine is.
void WeirProcess::wait_until_at_rest() {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  for (int rests = 0; rests < 2 && std::chrono::steady_clock::now() < deadline;) {
    std::this_thread::sleep_for(Milliseconds(2));
    rests = process_->at_rest() ? rests + 1 : 0;
  }
}

std::string weir_program() {
  if (const char* named = std::getenv("WEIR")) return named;
  return runfile("proxy/weir");
}

}  // namespace weir::test
