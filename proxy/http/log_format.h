#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "config/diagnostic.h"
#include "config/field_path.h"
#include "proxy/http/formatter.h"
#include "proxy/http/json_format.h"

namespace envoy::config::core::v3 {
class SubstitutionFormatString;
}

namespace weir::http {

// config.core.v3.SubstitutionFormatString, compiled: a text or a JSON object. What access logs and
// the bodies of local replies are made with. Immutable: any thread.
class LogFormat {
 public:
  static constexpr size_t kMaxSourceBytes = 64 * 1024;  // of text_format_source

  // Nothing on an error, which is then in `diagnostics`.
  static std::optional<LogFormat> compile(
      const envoy::config::core::v3::SubstitutionFormatString& config,
      const config::FieldPath& path, config::Diagnostics& diagnostics);
  static std::optional<LogFormat> of_text(std::string_view text, const config::FieldPath& path,
                                          config::Diagnostics& diagnostics);
  static std::optional<LogFormat> of_json(const google::protobuf::Struct& object,
                                          const config::FieldPath& path,
                                          config::Diagnostics& diagnostics);
  // What Envoy writes when a log has no format.
  static LogFormat envoy_default();

  // Appends one log entry. Bytes from outside are escaped so that they can neither break the line
  // nor leave a quoted field. JSON ends with a line break, a text with what it was given.
  void append_line(const FormatInput& input, std::string& out) const;
  // Appends a body: as above, but a text has its values as they are.
  void append_body(const FormatInput& input, std::string& out) const;
  // The config's content_type, else "text/plain" or "application/json".
  const std::string& content_type() const { return content_type_; }

 private:
  LogFormat(std::variant<Format, JsonFormat> format, std::string_view content_type);

  std::variant<Format, JsonFormat> format_;
  std::string content_type_;
  bool omit_empty_ = false;
};

}  // namespace weir::http
