#pragma once

#include <array>
#include <atomic>
#include <charconv>
#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

#include "proxy/base/log_format.h"
#include "proxy/base/result.h"

namespace weir {

enum class LogLevel : uint8_t { kTrace, kDebug, kInfo, kWarning, kError, kCritical, kOff };
std::string_view log_level_name(LogLevel level);  // "trace" ... "critical", "off"
// Also "warn". Errors list the names.
Result<LogLevel> log_level_by_name(std::string_view name);

// The parts of the process whose levels are set apart, under Envoy's names where it has them.
enum class Component : uint8_t {
  kAdmin,
  kConfig,
  kConnection,
  kDns,
  kFile,
  kFilter,
  kHealthChecker,
  kHttp,
  kListener,  // conn_handler
  kMain,
  kMisc,
  kPool,
  kRouter,
  kRuntime,
  kUpstream,
  kCount
};
std::string_view component_name(Component component);

// The log of the process itself, to stderr or a file: lines like
// `[2026-01-02 03:04:05.678][42][info][main] starting`. A level that is off costs one load.
// Thread-safe; a line is one write(2), which waits when the reader is slow: not for the data path.
class Logger {
 public:
  Logger();  // to stderr, from kInfo on
  ~Logger();
  Logger(const Logger&) = delete;
  Logger& operator=(const Logger&) = delete;

  // Appends to that file from now on. Before other threads log.
  Result<void> open(const std::string& path);
  // As of --log-format: see LogFormat. Before other threads log.
  Result<void> set_format(std::string_view pattern);
  // Opens the same path anew after log rotation; keeps the old file on an error.
  Result<void> reopen();

  LogLevel level(Component component) const {
    return static_cast<LogLevel>(
        levels_[static_cast<size_t>(component)].load(std::memory_order_relaxed));
  }
  void set_level(LogLevel level);  // of all components
  void set_level(Component component, LogLevel level);
  // One component by its name; errors list the names. One that only Envoy has means nothing.
  Result<void> set_level(std::string_view component, LogLevel level);
  // "upstream:debug,connection:trace", as of --component-log-level.
  Result<void> set_component_levels(std::string_view list);

  bool enabled(Component component, LogLevel at) const { return at >= level(component); }

  // Each part is text, a bool, an integer or a double.
  template <class... Parts>
  void log(LogLevel at, Component component, const Parts&... parts) {
    if (!enabled(component, at)) return;
    std::string message;
    (append(message, parts), ...);
    write(at, component, message);
  }
  template <class... Parts>
  void trace(Component component, const Parts&... parts) {
    log(LogLevel::kTrace, component, parts...);
  }
  template <class... Parts>
  void debug(Component component, const Parts&... parts) {
    log(LogLevel::kDebug, component, parts...);
  }
  template <class... Parts>
  void info(Component component, const Parts&... parts) {
    log(LogLevel::kInfo, component, parts...);
  }
  template <class... Parts>
  void warning(Component component, const Parts&... parts) {
    log(LogLevel::kWarning, component, parts...);
  }
  template <class... Parts>
  void error(Component component, const Parts&... parts) {
    log(LogLevel::kError, component, parts...);
  }
  template <class... Parts>
  void critical(Component component, const Parts&... parts) {
    log(LogLevel::kCritical, component, parts...);
  }

  // One line, whatever the level; control characters in `message` are escaped.
  void write(LogLevel at, Component component, std::string_view message);

 private:
  static void append(std::string& out, std::string_view text) { out += text; }
  // A template, so that a pointer to text does not become a bool.
  static void append(std::string& out, std::same_as<bool> auto value) {
    out += value ? "true" : "false";
  }
  template <class Number>
  requires((std::integral<Number> && !std::same_as<Number, bool>) ||
           std::floating_point<Number>) static void append(std::string& out, Number value) {
    char text[32];
    out.append(text, std::to_chars(text, text + sizeof(text), value).ptr);
  }

  std::array<std::atomic<uint8_t>, static_cast<size_t>(Component::kCount)> levels_;
  LogFormat format_;
  std::string path_;
  int fd_;
};

}  // namespace weir
