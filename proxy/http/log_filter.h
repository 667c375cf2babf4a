#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "config/diagnostic.h"
#include "config/field_path.h"
#include "proxy/http/formatter.h"
#include "proxy/http/fraction.h"

namespace envoy::config::accesslog::v3 {
class AccessLogFilter;
}

namespace weir::http {

// config.accesslog.v3.AccessLogFilter, compiled: which requests are logged, and which local replies
// a mapper changes. Immutable: any thread.
class LogFilter {
 public:
  // Nothing on an error, which is then in `diagnostics`.
  static std::optional<LogFilter> compile(
      const envoy::config::accesslog::v3::AccessLogFilter& config, const config::FieldPath& path,
      config::Diagnostics& diagnostics, RuntimeLookup runtime);

  LogFilter(LogFilter&&) noexcept;
  LogFilter& operator=(LogFilter&&) noexcept;
  ~LogFilter();

  // `input` must have `info`. `random` decides what runtime_filter samples when the request has no
  // id, or when it must not depend on the id.
  bool matches(const FormatInput& input, uint64_t random) const;

 private:
  struct Node;  // log_filter.cc
  class Compiler;
  LogFilter(std::unique_ptr<const Node> root, RuntimeLookup runtime);
  std::unique_ptr<const Node> root_;
  RuntimeLookup runtime_;
};

}  // namespace weir::http
