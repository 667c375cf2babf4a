#include "proxy/base/log.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
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

// Components of Envoy's that have no counterpart here: their levels are accepted and mean nothing.
constexpr std::string_view kOtherComponents =
    " alternate_protocols_cache assert aws backtrace basic_auth cache_filter client compression "
    "cookie credential_injector decompression dubbo dynamic_modules envoy_bug ext_authz ext_proc "
    "forward_proxy geolocation golang grpc happy_eyeballs hc http2 hystrix init io jwt kafka "
    "key_value_store lua matcher mongo multi_connection oauth2 quic quic_stream rate_limit_quota "
    "rbac rds redis rocketmq secret stateful_session stats stats_sinks tap testing thrift tracing "
    "udp wasm websocket ";

bool is_other_component(std::string_view name) {
  return name.find(' ') == std::string_view::npos &&
         kOtherComponents.find(" " + std::string(name) + " ") != std::string_view::npos;
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

Logger::Logger() : format_(LogFormat::parse(LogFormat::kDefault).take()), fd_(STDERR_FILENO) {
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
  if (!found && is_other_component(component)) return {};
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

Result<void> Logger::set_format(std::string_view pattern) {
  Result<LogFormat> parsed = LogFormat::parse(pattern);
  if (!parsed) return parsed.error();
  format_ = parsed.take();
  return {};
}

void Logger::write(LogLevel at, Component component, std::string_view message) {
  const std::string line = format_.write({log_level_name(at), component_name(component), message});
  // A log that cannot be written has nowhere to complain.
  [[maybe_unused]] const ssize_t written = ::write(fd_, line.data(), line.size());
}

}  // namespace weir
