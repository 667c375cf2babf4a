#include "filters/grpc_web/grpc_web.h"

#include <memory>
#include <string>
#include <utility>

#include "filters/common/base64.h"
#include "filters/common/kept_bytes.h"
#include "proxy/http/grpc.h"
#include "proxy/http/grpc_frame.h"

namespace weir::filters {
namespace {

using common::keep;
using http::BodyPiece;
using http::FilterContext;
using http::HeaderMap;
using http::Known;
using http::Verdict;

constexpr std::string_view kWeb = "application/grpc-web";
constexpr std::string_view kWebText = "application/grpc-web-text";
// So much of a body that is no gRPC becomes grpc-message, as in Envoy.
constexpr size_t kMaxMessageBytes = 16 * 1024;

// The type alone, or with a codec or parameters behind it.
bool is_type(std::string_view content_type, std::string_view wanted) {
  if (content_type.size() < wanted.size()) return false;
  if (!http::equals_ignore_case(content_type.substr(0, wanted.size()), wanted)) return false;
  const std::string_view rest = content_type.substr(wanted.size());
  return rest.empty() || rest[0] == '+' || rest[0] == ';' || rest[0] == ',' || rest[0] == ' ';
}

// gRPC for browsers: base64 where they cannot read bytes, and trailers as the body's last message.
class WebFilter : public http::Filter {
 public:
  Verdict on_request(FilterContext& context, bool end) override;
  Verdict on_request_body(FilterContext& context, BodyPiece& piece) override;
  Verdict on_request_trailers(FilterContext& context, HeaderMap& trailers) override;
  Verdict on_response(FilterContext& context, http::ResponseHead& head, bool end) override;
  Verdict on_response_body(FilterContext& context, BodyPiece& piece) override;
  Verdict on_response_trailers(FilterContext& context, HeaderMap& trailers) override;

 private:
  Verdict refuse(FilterContext& context);
  void finish_as_message(FilterContext& context);

  std::string message_;  // of a response that is no gRPC
  common::Base64Decoder decoder_;
  bool active_ = false;
  bool text_request_ = false;
  bool text_response_ = false;
  bool gathers_message_ = false;
};

Verdict WebFilter::on_request(FilterContext& context, bool) {
  HeaderMap& headers = context.request().headers;
  const std::string_view type = headers.get(Known::kContentType);
  text_request_ = is_type(type, kWebText);
  active_ = text_request_ || is_type(type, kWeb);
  if (!active_) return Verdict::kContinue;
  text_response_ = is_type(headers.get(Known::kAccept), kWebText);
  headers.set(Known::kContentType, http::kGrpcContentType);
  headers.set(Known::kTe, "trailers");
  headers.set("grpc-accept-encoding", "identity,deflate,gzip");
  headers.remove(Known::kContentLength);
  context.request().content_length = http::kUnknownLength;
  return Verdict::kContinue;
}

Verdict WebFilter::refuse(FilterContext& context) {
  active_ = false;
  return context.respond({.status = 400,
                          .body = "Bad gRPC-web request, invalid base64 data.",
                          .details = "grpc_base_64_decode_failed",
                          .grpc_status = static_cast<int>(http::GrpcStatus::kInvalidArgument)});
}

Verdict WebFilter::on_request_body(FilterContext& context, BodyPiece& piece) {
  if (!active_ || !text_request_) return Verdict::kContinue;
  std::string bytes;
  if (!decoder_.feed(piece.bytes, bytes) || (piece.end && !decoder_.at_boundary()))
    return refuse(context);
  piece.bytes = keep(context, std::move(bytes));
  return Verdict::kContinue;
}

Verdict WebFilter::on_request_trailers(FilterContext& context, HeaderMap&) {
  if (!active_ || !text_request_ || decoder_.at_boundary()) return Verdict::kContinue;
  return refuse(context);
}

Verdict WebFilter::on_response(FilterContext& context, http::ResponseHead& head, bool end) {
  if (!active_) return Verdict::kContinue;
  // Of a response that broke off before its head was sent; this one is in its place.
  message_.clear();
  gathers_message_ = false;
  const std::string_view type = head.headers.get(Known::kContentType);
  // A server behind may speak gRPC-Web itself.
  const bool is_grpc = (head.status == 200 && http::is_grpc_content_type(type)) ||
                       is_type(type, kWeb) || is_type(type, kWebText);
  head.headers.set(Known::kContentType, text_response_ ? "application/grpc-web-text+proto"
                                                       : "application/grpc-web+proto");
  if (end) return Verdict::kContinue;  // grpc-status stands in the head, where clients look, too
  gathers_message_ = !is_grpc;
  if (gathers_message_) return context.collect_response();
  head.headers.remove(Known::kContentLength);
  head.headers.remove(Known::kTrailer);
  head.content_length = http::kUnknownLength;
  return Verdict::kContinue;
}

// An error page, of a proxy for example: browsers' clients show it as the status's message.
void WebFilter::finish_as_message(FilterContext& context) {
  gathers_message_ = active_ = false;
  http::ResponseHead& head = *context.response();
  const std::string_view message = keep(context, std::move(message_));
  head.headers.set("grpc-message", http::encode_grpc_message(message, context.arena()));
  head.headers.set(Known::kGrpcStatus,
                   http::grpc_status_text(http::grpc_status_of_http(head.status)));
  head.headers.set(Known::kContentLength, "0");
  head.content_length = 0;
}

// Each piece is padded on its own: what has come is shown at once.
Verdict WebFilter::on_response_body(FilterContext& context, BodyPiece& piece) {
  if (gathers_message_) {
    message_ += piece.bytes.substr(0, kMaxMessageBytes - message_.size());
    piece.bytes = {};
    if (!piece.end && message_.size() < kMaxMessageBytes) return Verdict::kWait;
    finish_as_message(context);
    piece.end = true;
    return Verdict::kContinue;
  }
  if (!active_ || !text_response_ || piece.bytes.empty()) return Verdict::kContinue;
  std::string text;
  common::append_base64(piece.bytes, text);
  piece.bytes = keep(context, std::move(text));
  return Verdict::kContinue;
}

// PROTOCOL-WEB: the trailers as a header section of HTTP/1, in lower case.
Verdict WebFilter::on_response_trailers(FilterContext& context, HeaderMap& trailers) {
  if (!active_) return Verdict::kContinue;
  if (gathers_message_) {
    finish_as_message(context);
    trailers.clear();
    return Verdict::kContinue;
  }
  std::string lines;
  trailers.for_each([&](const http::Header& line) {
    lines.append(line.name).append(":").append(line.value).append("\r\n");
  });
  std::string frame;
  http::append_grpc_frame(lines, frame, http::kGrpcWebTrailers);
  std::string text;
  if (text_response_) common::append_base64(frame, text);
  context.append_body(keep(context, text_response_ ? std::move(text) : std::move(frame)));
  trailers.clear();
  return Verdict::kContinue;
}

struct WebConfig : http::FilterConfig {
  http::Filter* make(FilterContext& context) const override {
    return http::place<WebFilter>(context);
  }
};

std::unique_ptr<http::FilterConfig> compile(const google::protobuf::Message&,
                                            const http::FilterBuild&) {
  return std::make_unique<WebConfig>();
}

}  // namespace

http::FilterType grpc_web() {
  return {.message = "envoy.extensions.filters.http.grpc_web.v3.GrpcWeb", .compile = compile};
}

}  // namespace weir::filters
