#include "proxy/http/text_source.h"

#include <cstdlib>

#include "config/read_file.h"
#include "envoy/config/core/v3/base.pb.h"
#include "proxy/http/unsupported.h"

namespace weir::http {
namespace {

using config::Code;
using config::Diagnostics;
using config::FieldPath;
using envoy::config::core::v3::DataSource;

std::optional<std::string> read_named_file(const std::string& name, const FieldPath& path,
                                           size_t max_bytes, Diagnostics& diagnostics,
                                           const std::string& if_longer) {
  Diagnostics found;
  auto text = config::read_file(name, max_bytes, found);
  if (text) diagnostics.note_content(*text);
  for (const config::Diagnostic& one : found.items())
    diagnostics.error(one.code, path, "'" + name + "' " + one.message,
                      one.code == Code::kLimit && !if_longer.empty() ? if_longer : one.hint);
  return text;
}

}  // namespace

std::optional<std::string> read_text_source(const DataSource& source, const FieldPath& path,
                                            size_t max_bytes, Diagnostics& diagnostics,
                                            const std::string& if_longer) {
  if (source.has_watched_directory())
    refuse_field(path.field("watched_directory"), diagnostics,
                 "reload the configuration to read the file again");
  switch (source.specifier_case()) {
    case DataSource::kInlineString:
      return source.inline_string();
    case DataSource::kInlineBytes:
      return source.inline_bytes();
    case DataSource::kFilename:
      return read_named_file(source.filename(), path.field("filename"), max_bytes, diagnostics,
                             if_longer);
    case DataSource::kEnvironmentVariable: {
      const char* value = std::getenv(source.environment_variable().c_str());
      if (value != nullptr) return value;
      diagnostics.error(Code::kReference, path.field("environment_variable"),
                        "the environment has no variable '" + source.environment_variable() + "'",
                        "set it before the proxy starts");
      return std::nullopt;
    }
    case DataSource::SPECIFIER_NOT_SET:
      break;
  }
  diagnostics.error(Code::kConstraint, path,
                    "one of filename, inline_string, inline_bytes and environment_variable must "
                    "be set");
  return std::nullopt;
}

}  // namespace weir::http
