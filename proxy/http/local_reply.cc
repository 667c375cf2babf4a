#include "proxy/http/local_reply.h"

#include "envoy/config/accesslog/v3/accesslog.pb.h"
#include "envoy/config/core/v3/substitution_format_string.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "proxy/http/text_source.h"

namespace weir::http {
namespace {

namespace hcmv3 = envoy::extensions::filters::network::http_connection_manager::v3;

// More is a mistake in the name of the file.
constexpr size_t kMaxBodyBytes = 1024 * 1024;

void apply_format(const LogFormat& format, const FormatInput& input, Arena& arena,
                  std::string_view& body, std::string_view& content_type) {
  std::string text;
  format.append_body(input, text);
  body = arena.copy(text);
  content_type = format.content_type();
}

}  // namespace

LocalReplies LocalReplies::compile(const hcmv3::LocalReplyConfig& config,
                                   const config::FieldPath& path, config::Diagnostics& diagnostics,
                                   const RuntimeLookup& runtime) {
  LocalReplies out;
  const config::FieldPath mappers = path.field("mappers");
  for (int i = 0; i < config.mappers_size(); ++i) {
    const hcmv3::ResponseMapper& in = config.mappers(i);
    const config::FieldPath at = mappers.at(i);
    auto filter = LogFilter::compile(in.filter(), at.field("filter"), diagnostics, runtime);
    if (!filter) continue;
    Mapper mapper{std::move(*filter), {}, {}, {}, {}};
    if (in.has_status_code()) mapper.status = static_cast<uint16_t>(in.status_code().value());
    if (in.has_body())
      mapper.body = read_text_source(in.body(), at.field("body"), kMaxBodyBytes, diagnostics);
    mapper.headers =
        compile_header_changes(in.headers_to_add(), "headers_to_add", {}, "", at, diagnostics);
    if (in.has_body_format_override())
      mapper.format = LogFormat::compile(in.body_format_override(),
                                         at.field("body_format_override"), diagnostics);
    out.mappers_.push_back(std::move(mapper));
  }
  if (config.has_body_format())
    out.format_ = LogFormat::compile(config.body_format(), path.field("body_format"), diagnostics);
  return out;
}

void LocalReplies::dress(FormatInput input, uint64_t random, StreamInfo& info,
                         ResponseHead& response, std::string_view& body,
                         std::string_view& content_type) const {
  Arena& arena = response.headers.arena();
  input.local_reply_body = body;
  for (const Mapper& mapper : mappers_) {
    if (!mapper.filter.matches(input, random)) continue;
    if (mapper.status) info.status = response.status = *mapper.status;
    if (mapper.body) input.local_reply_body = body = *mapper.body;
    mapper.headers.apply(response.headers, input);
    if (mapper.format) return apply_format(*mapper.format, input, arena, body, content_type);
    break;
  }
  if (format_) apply_format(*format_, input, arena, body, content_type);
}

}  // namespace weir::http
