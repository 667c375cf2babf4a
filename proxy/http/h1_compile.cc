#include "proxy/http/h1_compile.h"

#include "envoy/config/core/v3/protocol.pb.h"
#include "envoy/extensions/http/header_formatters/preserve_case/v3/preserve_case.pb.h"
#include "proxy/http/unsupported.h"

namespace weir::http {

HeaderKeys compile_header_keys(const envoy::config::core::v3::Http1ProtocolOptions& in,
                               const config::FieldPath& path, config::Diagnostics& diagnostics) {
  using envoy::extensions::http::header_formatters::preserve_case::v3::PreserveCaseFormatterConfig;
  HeaderKeys out;
  const auto& format = in.header_key_format();
  if (format.has_proper_case_words()) out.header_case = h1::HeaderCase::kProper;
  if (!format.has_stateful_formatter()) return out;
  PreserveCaseFormatterConfig preserve;
  if (!format.stateful_formatter().typed_config().UnpackTo(&preserve)) {
    refuse_field(path.field("header_key_format.stateful_formatter.typed_config"), diagnostics,
                 "the one that is supported: envoy.extensions.http.header_formatters."
                 "preserve_case.v3.PreserveCaseFormatterConfig");
    return out;
  }
  out.spelling = h1::SpellingStyle{
      .proper_case_for_others =
          preserve.formatter_type_on_envoy_headers() == PreserveCaseFormatterConfig::PROPER_CASE,
      .forward_reason = preserve.forward_reason_phrase(),
  };
  return out;
}

}  // namespace weir::http
