#include "proxy/http/log_format.h"

#include <google/protobuf/struct.pb.h>

#include <utility>

#include "envoy/config/core/v3/substitution_format_string.pb.h"
#include "proxy/http/text_source.h"

namespace weir::http {
namespace {

using config::Code;
using config::Diagnostics;
using config::FieldPath;
using envoy::config::core::v3::SubstitutionFormatString;

constexpr std::string_view kTextType = "text/plain";
constexpr std::string_view kJsonType = "application/json";

constexpr std::string_view kDefaultFormat =
    "[%START_TIME%] \"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%\" "
    "%RESPONSE_CODE% %RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %DURATION% "
    "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% \"%REQ(X-FORWARDED-FOR)%\" \"%REQ(USER-AGENT)%\" "
    "\"%REQ(X-REQUEST-ID)%\" \"%REQ(:AUTHORITY)%\" \"%UPSTREAM_HOST%\"\n";

// REQ_WITHOUT_QUERY is always there; the other formatters of Envoy are not.
bool check_formatters(const SubstitutionFormatString& config, const FieldPath& path,
                      Diagnostics& diagnostics) {
  constexpr std::string_view kBuiltIn =
      "/envoy.extensions.formatter.req_without_query.v3.ReqWithoutQuery";
  bool fine = true;
  for (int i = 0; i < config.formatters_size(); ++i) {
    const std::string& type = config.formatters(i).typed_config().type_url();
    if (type.ends_with(kBuiltIn)) continue;
    diagnostics.error(Code::kNotSupported, path.field("formatters", i),
                      "the formatter '" + type + "' is not supported yet");
    fine = false;
  }
  return fine;
}

}  // namespace

LogFormat::LogFormat(std::variant<Format, JsonFormat> format, std::string_view content_type)
    : format_(std::move(format)), content_type_(content_type) {}

std::optional<LogFormat> LogFormat::compile(const SubstitutionFormatString& config,
                                            const FieldPath& path, Diagnostics& diagnostics) {
  const bool formatters_fine = check_formatters(config, path, diagnostics);
  std::optional<LogFormat> out;
  switch (config.format_case()) {
    case SubstitutionFormatString::kTextFormat:
      out = of_text(config.text_format(), path.field("text_format"), diagnostics);
      break;
    case SubstitutionFormatString::kTextFormatSource: {
      const FieldPath source_path = path.field("text_format_source");
      const auto text =
          read_text_source(config.text_format_source(), source_path, kMaxSourceBytes, diagnostics);
      if (text) out = of_text(*text, source_path, diagnostics);
      break;
    }
    case SubstitutionFormatString::kJsonFormat: {
      const FieldPath json_path = path.field("json_format");
      auto json = JsonFormat::compile(config.json_format(), config.omit_empty_values(), json_path,
                                      diagnostics);
      if (json) out = LogFormat(std::move(*json), kJsonType);
      break;
    }
    case SubstitutionFormatString::FORMAT_NOT_SET:
      diagnostics.error(Code::kConstraint, path,
                        "one of text_format_source and json_format must be set");
      break;
  }
  if (!out || !formatters_fine) return std::nullopt;
  out->omit_empty_ = config.omit_empty_values();
  if (!config.content_type().empty()) out->content_type_ = config.content_type();
  return out;
}

std::optional<LogFormat> LogFormat::of_text(std::string_view text, const FieldPath& path,
                                            Diagnostics& diagnostics) {
  Result<Format> format = Format::compile(text);
  if (format) return LogFormat(format.take(), kTextType);
  report_format_error(format.error(), path, diagnostics);
  return std::nullopt;
}

std::optional<LogFormat> LogFormat::of_json(const google::protobuf::Struct& object,
                                            const FieldPath& path, Diagnostics& diagnostics) {
  auto json = JsonFormat::compile(object, false, path, diagnostics);
  if (!json) return std::nullopt;
  return LogFormat(std::move(*json), kJsonType);
}

LogFormat LogFormat::envoy_default() {
  return LogFormat(Format::compile(kDefaultFormat).take(), kTextType);
}

void LogFormat::append_line(const FormatInput& input, std::string& out) const {
  if (const auto* text = std::get_if<Format>(&format_)) {
    text->append_escaped(input, out, omit_empty_ ? "" : "-");
    return;
  }
  std::get<JsonFormat>(format_).append(input, out);
  out += '\n';
}

void LogFormat::append_body(const FormatInput& input, std::string& out) const {
  if (const auto* text = std::get_if<Format>(&format_)) {
    text->append(input, out, omit_empty_ ? "" : "-");
  } else {
    append_line(input, out);
  }
}

}  // namespace weir::http
