#include "proxy/base/log.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <optional>

namespace weir {
namespace {

constexpr std::array<std::string_view, 7> kLevelNames = {"trace", "debug",    "info", "warning",
                                                         "error", "critical", "off"};
constexpr size_t kComponents = static_cast<size_t>(Component::kCount);
constexpr std::array<std::string_view, kComponents> kComponentNames = {
    "admin",        "config", "connection", "dns",  "file",   "filter",  "health_checker", "http",
    "conn_handler", "main",   "misc",       "pool", "router", "runtime", "upstream"};

template <class Names>
std::string joined(const Names& names) {
  std::string out;
  for (const std::string_view name : names) {
    if (!out.empty()) out += ", ";
    out += name;
  }
  return out;
}

std::optional<Component> component_by_name(std::string_view name) {
  for (size_t i = 0; i < kComponents; ++i)
    if (kComponentNames[i] == name) return static_cast<Component>(i);
  return std::nullopt;
}

int open_log(const std::string& path) {
  return ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0644);
}

Error cannot_open(const std::string& path) {
  return {"log-open", "cannot open the log file '" + path + "': " + std::strerror(errno)};
}

void append_time(std::string& out) {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  std::tm fields{};
  localtime_r(&now.tv_sec, &fields);
  char text[48];
  const size_t length = std::strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &fields);
  std::snprintf(text + length, sizeof(text) - length, ".%03ld", now.tv_nsec / 1'000'000);
  out += text;
}

// What came from outside may not end the line or drive the terminal.
void append_message(std::string_view message, std::string& out) {
  for (const char c : message) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte != 0x7f) {
      out += c;
      continue;
    }
    char escape[8];
    std::snprintf(escape, sizeof(escape), "\\x%02x", byte);
    out += escape;
  }
}

}  // namespace

std::string_view log_level_name(LogLevel level) {
  return kLevelNames[static_cast<size_t>(level)];
}

Result<LogLevel> log_level_by_name(std::string_view name) {
  if (name == "warn") return LogLevel::kWarning;
  for (size_t i = 0; i < kLevelNames.size(); ++i)
    if (kLevelNames[i] == name) return static_cast<LogLevel>(i);
  return Error{"bad-log-level",
               "'" + std::string(name) + "' is no log level; use one of " + joined(kLevelNames)};
}

std::string_view component_name(Component component) {
  return kComponentNames[static_cast<size_t>(component)];
}

Logger::Logger() : fd_(STDERR_FILENO) {
  set_level(LogLevel::kInfo);
}

Logger::~Logger() {
  if (fd_ != STDERR_FILENO) ::close(fd_);
}

Result<void> Logger::open(const std::string& path) {
  const int fd = open_log(path);
  if (fd < 0) return cannot_open(path);
  if (fd_ != STDERR_FILENO) ::close(fd_);
  fd_ = fd;
  path_ = path;
  return {};
}

Result<void> Logger::reopen() {
  if (path_.empty()) return {};
  const int fd = open_log(path_);
  if (fd < 0) return cannot_open(path_);
  // The number stays the same, so that threads that are about to write need not be told.
  const int done = dup3(fd, fd_, O_CLOEXEC);
  ::close(fd);
  if (done < 0) return cannot_open(path_);
  return {};
}

void Logger::set_level(LogLevel level) {
  for (auto& entry : levels_) entry.store(static_cast<uint8_t>(level), std::memory_order_relaxed);
}

void Logger::set_level(Component component, LogLevel level) {
  levels_[static_cast<size_t>(component)].store(static_cast<uint8_t>(level),
                                                std::memory_order_relaxed);
}

Result<void> Logger::set_level(std::string_view component, LogLevel level) {
  const std::optional<Component> found = component_by_name(component);
  if (!found)
    return Error{"bad-component", "'" + std::string(component) + "' is no component; use one of " +
                                      joined(kComponentNames)};
  set_level(*found, level);
  return {};
}

Result<void> Logger::set_component_levels(std::string_view list) {
  while (!list.empty()) {
    const std::string_view entry = list.substr(0, list.find(','));
    list.remove_prefix(std::min(entry.size() + 1, list.size()));
    const size_t colon = entry.find(':');
    if (colon == std::string_view::npos)
      return Error{"bad-component", "'" + std::string(entry) + "' is not COMPONENT:LEVEL"};
    const Result<LogLevel> level = log_level_by_name(entry.substr(colon + 1));
    if (!level) return level.error();
    if (const Result<void> done = set_level(entry.substr(0, colon), *level); !done) return done;
  }
  return {};
}

void Logger::write(LogLevel at, Component component, std::string_view message) {
  std::string line = "[";
  append_time(line);
  line += "][" + std::to_string(syscall(SYS_gettid)) + "][";
  line += log_level_name(at);
  line += "][";
  line += component_name(component);
  line += "] ";
  append_message(message, line);
  line += '\n';
  // A log that cannot be written has nowhere to complain.
  [[maybe_unused]] const ssize_t written = ::write(fd_, line.data(), line.size());
}

}  // namespace weir
