#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/diagnostic.h"
#include "config/field_path.h"
#include "proxy/http/formatter.h"
#include "proxy/http/fraction.h"
#include "proxy/http/log_filter.h"
#include "proxy/http/log_format.h"
#include "proxy/stats/log_writers.h"

namespace google::protobuf {
template <class Element>
class RepeatedPtrField;
}
namespace envoy::config::accesslog::v3 {
class AccessLog;
}

namespace weir::http {

// The `access_log` list of a listener, a connection manager or a TCP proxy, compiled: to files,
// stdout and stderr. Immutable; shared by all workers.
class AccessLogs {
 public:
  using Config = google::protobuf::RepeatedPtrField<envoy::config::accesslog::v3::AccessLog>;

  // `path` names the list. Null on an error, which is then in `diagnostics`. `writers` must outlive
  // the result.
  static std::unique_ptr<const AccessLogs> compile(const Config& config,
                                                   const config::FieldPath& path,
                                                   config::Diagnostics& diagnostics,
                                                   stats::LogWriters& writers,
                                                   const RuntimeLookup& runtime);

  bool empty() const { return logs_.empty(); }

  // Writes one entry to each log whose filter matches. `input` must have `info`, with its end.
  // `worker`: the worker's number. `random`: any number, for sampling. `scratch` is overwritten;
  // kept by the caller so that its memory is used again.
  void log(FormatInput input, uint32_t worker, uint64_t random, std::string& scratch) const;

 private:
  struct Log {
    std::shared_ptr<stats::LogFile> file;
    LogFormat format;
    std::optional<LogFilter> filter;
  };
  class Compiler;

  std::vector<Log> logs_;
};

}  // namespace weir::http
