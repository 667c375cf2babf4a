#include "proxy/http/access_log.h"

#include <google/protobuf/any.pb.h>

#include <utility>

#include "envoy/config/accesslog/v3/accesslog.pb.h"
#include "envoy/extensions/access_loggers/file/v3/file.pb.h"
#include "envoy/extensions/access_loggers/stream/v3/stream.pb.h"

namespace weir::http {
namespace {

using config::Code;
using config::Diagnostics;
using config::FieldPath;
using envoy::extensions::access_loggers::file::v3::FileAccessLog;
using envoy::extensions::access_loggers::stream::v3::StderrAccessLog;
using envoy::extensions::access_loggers::stream::v3::StdoutAccessLog;

std::optional<LogFormat> format_of(const FileAccessLog& config, const FieldPath& path,
                                   Diagnostics& diagnostics) {
  switch (config.access_log_format_case()) {
    case FileAccessLog::kLogFormat:
      return LogFormat::compile(config.log_format(), path.field("log_format"), diagnostics);
    case FileAccessLog::kJsonFormat:
      return LogFormat::of_json(config.json_format(), path.field("json_format"), diagnostics);
    case FileAccessLog::kTypedJsonFormat:
      return LogFormat::of_json(config.typed_json_format(), path.field("typed_json_format"),
                                diagnostics);
    case FileAccessLog::kFormat:
      if (config.format().empty()) break;
      return LogFormat::of_text(config.format(), path.field("format"), diagnostics);
    case FileAccessLog::ACCESS_LOG_FORMAT_NOT_SET:
      break;
  }
  return LogFormat::envoy_default();
}

template <class StreamAccessLog>
std::optional<LogFormat> format_of(const StreamAccessLog& config, const FieldPath& path,
                                   Diagnostics& diagnostics) {
  if (!config.has_log_format()) return LogFormat::envoy_default();
  return LogFormat::compile(config.log_format(), path.field("log_format"), diagnostics);
}

std::string path_of(const FileAccessLog& config) {
  return config.path();
}
std::string path_of(const StdoutAccessLog&) {
  return "/dev/stdout";
}
std::string path_of(const StderrAccessLog&) {
  return "/dev/stderr";
}

}  // namespace

// Compiles one AccessLog.
class AccessLogs::Compiler {
 public:
  Compiler(Diagnostics& diagnostics, stats::LogWriters& writers, const RuntimeLookup& runtime)
      : diagnostics_(diagnostics), writers_(writers), runtime_(runtime) {}

  std::optional<Log> log(const envoy::config::accesslog::v3::AccessLog& config,
                         const FieldPath& path) {
    std::optional<LogFilter> filter;
    if (config.has_filter())
      filter = LogFilter::compile(config.filter(), path.field("filter"), diagnostics_, runtime_);
    std::optional<Log> out = sink(config.typed_config(), path.field("typed_config"));
    if (!out || (config.has_filter() && !filter)) return std::nullopt;
    out->filter = std::move(filter);
    return out;
  }

 private:
  std::optional<Log> sink(const google::protobuf::Any& any, const FieldPath& path) {
    if (any.Is<FileAccessLog>()) return open<FileAccessLog>(any, path);
    if (any.Is<StdoutAccessLog>()) return open<StdoutAccessLog>(any, path);
    if (any.Is<StderrAccessLog>()) return open<StderrAccessLog>(any, path);
    diagnostics_.error(Code::kNotSupported, path,
                       "access logs of type '" + any.type_url() + "' are not supported yet",
                       "use the FileAccessLog, StdoutAccessLog or StderrAccessLog type");
    return std::nullopt;
  }

  template <class Config>
  std::optional<Log> open(const google::protobuf::Any& any, const FieldPath& path) {
    Config config;
    if (!any.UnpackTo(&config)) {
      diagnostics_.error(Code::kInvalidValue, path, "the value cannot be decoded as its type");
      return std::nullopt;
    }
    std::optional<LogFormat> format = format_of(config, path, diagnostics_);
    if (!format) return std::nullopt;
    Result<std::shared_ptr<stats::LogFile>> file = writers_.open(path_of(config));
    if (file) return Log{file.take(), std::move(*format), std::nullopt};
    diagnostics_.error(Code::kIo, path.field("path"), file.error().message);
    return std::nullopt;
  }

  Diagnostics& diagnostics_;
  stats::LogWriters& writers_;
  const RuntimeLookup& runtime_;
};

std::unique_ptr<const AccessLogs> AccessLogs::compile(const Config& config, const FieldPath& path,
                                                      Diagnostics& diagnostics,
                                                      stats::LogWriters& writers,
                                                      const RuntimeLookup& runtime) {
  auto out = std::make_unique<AccessLogs>();
  Compiler compiler(diagnostics, writers, runtime);
  for (int i = 0; i < config.size(); ++i) {
    const FieldPath log_path = path.at(i);
    std::optional<Log> log = compiler.log(config[i], log_path);
    if (log) out->logs_.push_back(std::move(*log));
  }
  if (static_cast<int>(out->logs_.size()) != config.size()) return nullptr;
  return out;
}

void AccessLogs::log(FormatInput input, uint32_t worker, uint64_t random,
                     std::string& scratch) const {
  for (const Log& log : logs_) {
    if (log.filter && !log.filter->matches(input, random)) continue;
    scratch.clear();
    log.format.append_line(input, scratch);
    log.file->append(worker, scratch);
  }
}

}  // namespace weir::http
