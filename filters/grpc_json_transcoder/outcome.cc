#include "filters/grpc_json_transcoder/outcome.h"

#include <utility>

#include "config/scalar.h"
#include "config/utf8.h"

namespace weir::filters::transcoder {
namespace {

using http::GrpcStatus;
using http::HeaderMap;
using http::Known;

constexpr std::string_view kDetailsName = "grpc-status-details-bin";

// `text` with '?' for each byte that is not UTF-8, which is all that messages hold.
std::string as_utf8(std::string text) {
  for (size_t at = 0; at < text.size();) {
    at += config::utf8_valid_prefix(std::string_view(text).substr(at));
    if (at < text.size()) text[at++] = '?';
  }
  return text;
}

bool is_json(std::string_view content_type) {
  const std::string_view type = http::trim(content_type.substr(0, content_type.find(';')));
  if (type.empty()) return true;
  for (const std::string_view known :
       {"application/json", "text/json", "application/x-ndjson", "application/jsonl"})
    if (http::equals_ignore_case(type, known)) return true;
  const size_t plus = type.rfind('+');
  return plus != std::string_view::npos && http::equals_ignore_case(type.substr(plus), "+json");
}

}  // namespace

Refusal no_method(const http::RequestHead& head) {
  return {404, GrpcStatus::kNotFound,
          "no method is bound to " + as_utf8(std::string(head.method_text)) + " " +
              as_utf8(std::string(head.path_without_query()))};
}

Refusal bad_request(Violation violation) {
  violation.field = as_utf8(std::move(violation.field));
  violation.description = as_utf8(std::move(violation.description));
  std::string message = violation.field.empty() ? violation.description
                                                : violation.field + ": " + violation.description;
  return {400, GrpcStatus::kInvalidArgument, std::move(message), std::move(violation)};
}

std::optional<Refusal> check_json(const HeaderMap& headers) {
  const std::string_view coding = headers.get(Known::kContentEncoding);
  if (!coding.empty() && !http::equals_ignore_case(coding, "identity"))
    return Refusal{415, GrpcStatus::kInvalidArgument,
                   "a body with content-encoding '" + as_utf8(std::string(coding)) +
                       "' cannot be read: send it without one"};
  const std::string_view type = headers.get(Known::kContentType);
  if (is_json(type)) return {};
  return Refusal{
      415, GrpcStatus::kInvalidArgument,
      "content-type '" + as_utf8(std::string(type)) + "' is not JSON: send application/json"};
}

Refusal too_large(size_t max_bytes) {
  return {413, GrpcStatus::kResourceExhausted,
          "the body is larger than " + std::to_string(max_bytes) + " bytes"};
}

CallOutcome read_outcome(const HeaderMap& trailers) {
  CallOutcome outcome;
  outcome.code = http::grpc_status_of(&trailers, nullptr);
  if (!outcome.code || *outcome.code == 0) return outcome;
  const std::string_view encoded = trailers.get(kDetailsName);
  const auto details = encoded.empty() ? std::nullopt : config::parse_base64(encoded);
  if (details && outcome.status.ParseFromString(*details) &&
      outcome.status.code() == static_cast<int32_t>(*outcome.code))
    return outcome;
  outcome.status.Clear();
  outcome.status.set_code(static_cast<int32_t>(*outcome.code));
  outcome.status.set_message(as_utf8(http::decode_grpc_message(trailers.get(Known::kGrpcMessage))));
  return outcome;
}

bool is_grpc_response(const http::ResponseHead& head, bool end) {
  if (end && head.headers.has(Known::kGrpcStatus)) return true;
  return head.status == 200 && http::is_grpc_content_type(head.headers.get(Known::kContentType));
}

void copy_status(const HeaderMap& trailers, HeaderMap& head) {
  if (&trailers == &head) return;
  for (const Known name : {Known::kGrpcStatus, Known::kGrpcMessage})
    if (const http::Header* line = trailers.find(name))
      head.set(name, head.arena().copy(line->value));
}

void drop_status(HeaderMap& head) {
  head.remove(Known::kGrpcStatus);
  head.remove(Known::kGrpcMessage);
  head.remove(kDetailsName);
}

void forget_grpc(http::ResponseHead& head) {
  head.headers.remove("grpc-encoding");
  head.headers.remove("grpc-accept-encoding");
  head.headers.remove(Known::kTrailer);
  head.headers.remove(Known::kContentLength);
  head.content_length = http::kUnknownLength;
}

void set_length(http::ResponseHead& head, size_t bytes) {
  head.content_length = static_cast<int64_t>(bytes);
  head.headers.set(Known::kContentLength, head.headers.arena().copy(std::to_string(bytes)));
}

}  // namespace weir::filters::transcoder
