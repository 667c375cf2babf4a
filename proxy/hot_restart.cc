#include "proxy/hot_restart.h"

#include <unistd.h>

#include <cstdio>
#include <utility>

namespace weir {
namespace {

constexpr int64_t kAnswerMs = 10'000;
constexpr int kBaseIdTries = 64;
constexpr uint32_t kDynamicBaseIds = 1u << 30;

}  // namespace

Result<void> HotRestart::begin() {
  if (Result<void> read = activated_.read_environment(); !read) return read.error();
  if (options_.disable_hot_restart) return {};
  base_id_ = options_.base_id.value_or(0);
  if (options_.restart_epoch > 0) {
    if (Result<void> met = meet_parent(); !met) return met.error();
  }
  return options_.use_dynamic_base_id ? choose_base_id() : reserve_name();
}

Result<void> HotRestart::meet_parent() {
  auto met = hot_restart::Parent::meet(base_id_, options_.restart_epoch, kAnswerMs, geteuid());
  if (met) {
    parent_ = met.take();
    log_.info(Component::kMain, "epoch ", options_.restart_epoch, " follows process ",
              parent_->process_id());
    return {};
  }
  if (met.error().code != "no-parent" || !options_.skip_hot_restart_on_no_parent)
    return Error{met.error().code, "hot restart: " + met.error().message};
  log_.warning(Component::kMain, "hot restart: ", met.error().message, "; starting without one");
  return {};
}

// A second process without options of its own starts too; only what was asked for must be had.
Result<void> HotRestart::reserve_name() {
  const Result<int> bound = hot_restart::bind_socket(base_id_, options_.restart_epoch);
  if (bound) {
    socket_ = *bound;
    return {};
  }
  const bool asked_for = options_.base_id.has_value() || options_.restart_epoch > 0;
  if (asked_for || bound.error().code != "taken")
    return Error{"bind", bound.error().message + "; see --base-id and --restart-epoch"};
  log_.info(Component::kMain, bound.error().message,
            "; this one cannot be hot-restarted: give it a --base-id of its own");
  return {};
}

Result<void> HotRestart::choose_base_id() {
  for (int i = 0; i < kBaseIdTries && socket_ < 0; ++i) {
    base_id_ = static_cast<uint32_t>(loop_.random()) % kDynamicBaseIds;
    if (const Result<int> bound = hot_restart::bind_socket(base_id_, 0)) socket_ = *bound;
  }
  if (socket_ < 0) return Error{"bind", "no free base id was found; give one with --base-id"};
  log_.info(Component::kMain, "base id: ", base_id_);
  if (options_.base_id_path.empty()) return {};
  std::FILE* const file = std::fopen(options_.base_id_path.c_str(), "w");
  if (file == nullptr) return Error{"io", "cannot write the base id to " + options_.base_id_path};
  std::fprintf(file, "%u", base_id_);
  std::fclose(file);
  return {};
}

std::vector<int> HotRestart::inherited(const std::string& listener, const net::Address& address) {
  std::vector<int> sockets = activated_.take(listener, address);
  if (!sockets.empty() || parent_ == nullptr) return sockets;
  Result<std::vector<int>> asked = parent_->sockets(listener, address);
  if (asked) return asked.take();
  log_.warning(Component::kMain, "hot restart: ", asked.error().message,
               "; going on without the process before");
  parent_.reset();
  return {};
}

void HotRestart::take_over(std::function<void(const hot_restart::Counters&)> counted) {
  for (const std::string& address : activated_.close_rest())
    log_.warning(Component::kMain, "no listener wants the activated socket ", address);
  if (parent_ == nullptr) return;
  if (Result<void> done = parent_->take_over(options_.parent_shutdown_time_s * 1000); !done) {
    log_.warning(Component::kMain, "hot restart: ", done.error().message);
    parent_.reset();
    return;
  }
  log_.info(Component::kMain, "took over from process ", parent_->process_id());
  if (options_.skip_hot_restart_parent_stats) counted = nullptr;
  parent_->follow(loop_, std::move(counted));
}

void HotRestart::offer(hot_restart::Host::Hooks hooks) {
  if (socket_ < 0) return;
  host_ = std::make_unique<hot_restart::Host>(loop_, log_, std::exchange(socket_, -1),
                                              options_.restart_epoch, geteuid(), std::move(hooks));
  if (Result<void> listening = host_->listen(); !listening) {
    log_.warning(Component::kMain, listening.error().message);
    host_.reset();
  }
}

void HotRestart::report_ready() {
  const std::string state = "MAINPID=" + std::to_string(getpid()) + "\nREADY=1";
  if (Result<void> told = tell_service_manager(state); !told)
    log_.warning(Component::kMain, told.error().message);
  report("ready");
}

void HotRestart::report(const std::string& line) {
  if (options_.ready_fd < 0 || std::exchange(reported_, true)) return;
  const std::string text = line + "\n";
  const ssize_t written = write(options_.ready_fd, text.data(), text.size());
  if (written < 0) log_.warning(Component::kMain, "cannot write to --ready-fd");
  close(options_.ready_fd);
}

std::string HotRestart::version() const {
  return options_.disable_hot_restart ? "disabled" : std::to_string(hot_restart::kVersion);
}

}  // namespace weir
