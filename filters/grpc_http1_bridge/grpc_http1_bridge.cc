#include "filters/grpc_http1_bridge/grpc_http1_bridge.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <string>
#include <utility>

#include "envoy/extensions/filters/http/grpc_http1_bridge/v3/config.pb.h"
#include "filters/common/kept_bytes.h"
#include "proxy/http/grpc.h"
#include "proxy/http/grpc_frame.h"

namespace weir::filters {
namespace {

using common::keep;
using http::BodyPiece;
using http::FilterContext;
using http::GrpcStatus;
using http::HeaderMap;
using http::Known;
using http::Verdict;

constexpr std::string_view kProtobuf = "application/x-protobuf";

struct BridgeConfig : http::FilterConfig {
  http::Filter* make(FilterContext& context) const override;

  bool upgrades_protobuf = false;
  bool drops_query = false;
};

// For clients that cannot read trailers: a response waits for them, and its head says how the call
// ended. With `upgrades_protobuf`, a client need not know of gRPC's frames either.
class BridgeFilter : public http::Filter {
 public:
  explicit BridgeFilter(const BridgeConfig& config) : config_(config) {}

  Verdict on_request(FilterContext& context, bool end) override;
  Verdict on_request_body(FilterContext& context, BodyPiece& piece) override;
  Verdict on_request_trailers(FilterContext& context, HeaderMap& trailers) override;
  Verdict on_response(FilterContext& context, http::ResponseHead& head, bool end) override;
  Verdict on_response_body(FilterContext& context, BodyPiece& piece) override;
  Verdict on_response_trailers(FilterContext& context, HeaderMap& trailers) override;

 private:
  void upgrade(FilterContext& context);
  std::string frame() const;
  std::string finish(FilterContext& context, const HeaderMap& trailers);
  std::string fail(FilterContext& context, uint16_t status, std::string_view message);

  const BridgeConfig& config_;
  std::string collected_;  // of the request, then of the response
  bool bridges_ = false;
  bool frames_ = false;  // and adds and strips the frame of one message
};

// ---- the request ----

Verdict BridgeFilter::on_request(FilterContext& context, bool end) {
  http::RequestHead& head = context.request();
  frames_ = config_.upgrades_protobuf &&
            http::equals_ignore_case(head.headers.get(Known::kContentType), kProtobuf);
  const bool old_client = head.protocol != http::Protocol::kHttp2;
  bridges_ = frames_ || (old_client && http::is_grpc(head));
  if (config_.drops_query) head.path = head.path_without_query();
  if (!frames_) return Verdict::kContinue;
  upgrade(context);
  if (!end) return context.collect_body(std::numeric_limits<size_t>::max());
  context.append_body(keep(context, frame()));
  return Verdict::kContinue;
}

void BridgeFilter::upgrade(FilterContext& context) {
  http::RequestHead& head = context.request();
  head.headers.set(Known::kContentType, http::kGrpcContentType);
  head.headers.set(Known::kTe, "trailers");
  head.headers.remove(Known::kContentLength);
  head.content_length = http::kUnknownLength;
  context.clear_route();
}

std::string BridgeFilter::frame() const {
  std::string out;
  http::append_grpc_frame(collected_, out);
  return out;
}

Verdict BridgeFilter::on_request_body(FilterContext& context, BodyPiece& piece) {
  if (!frames_) return Verdict::kContinue;
  if (collected_.size() + piece.bytes.size() > context.buffer_limit()) {
    frames_ = bridges_ = false;
    return context.respond(
        {.status = 413, .body = "Payload Too Large", .details = "request_payload_too_large"});
  }
  collected_ += piece.bytes;
  piece.bytes = {};
  if (!piece.end) return Verdict::kWait;
  piece.bytes = keep(context, frame());
  collected_.clear();
  return Verdict::kContinue;
}

Verdict BridgeFilter::on_request_trailers(FilterContext& context, HeaderMap&) {
  if (!frames_) return Verdict::kContinue;
  context.append_body(keep(context, frame()));
  collected_.clear();
  return Verdict::kContinue;
}

// ---- the response ----

Verdict BridgeFilter::on_response(FilterContext& context, http::ResponseHead& head, bool end) {
  if (!bridges_) return Verdict::kContinue;
  collected_.clear();
  const bool is_grpc = http::is_grpc_content_type(head.headers.get(Known::kContentType)) ||
                       (end && head.headers.has(Known::kGrpcStatus));
  bridges_ = is_grpc;
  if (!is_grpc) return Verdict::kContinue;
  if (!end) return context.collect_response();
  finish(context, head.headers);
  return Verdict::kContinue;
}

Verdict BridgeFilter::on_response_body(FilterContext& context, BodyPiece& piece) {
  if (!bridges_) return Verdict::kContinue;
  const bool fits = collected_.size() + piece.bytes.size() <= context.buffer_limit();
  collected_ += fits ? piece.bytes : std::string_view();
  if (fits && !piece.end) {
    piece.bytes = {};
    return Verdict::kWait;
  }
  HeaderMap nothing(context.arena());
  piece.bytes = keep(context, fits ? finish(context, nothing)
                                   : fail(context, 500, "the response is too large to be held"));
  piece.end = true;
  bridges_ = false;
  return Verdict::kContinue;
}

Verdict BridgeFilter::on_response_trailers(FilterContext& context, HeaderMap& trailers) {
  if (!bridges_) return Verdict::kContinue;
  context.append_body(keep(context, finish(context, trailers)));
  trailers.clear();
  return Verdict::kContinue;
}

// The head as the trailers make it; returns the body.
std::string BridgeFilter::finish(FilterContext& context, const HeaderMap& trailers) {
  http::ResponseHead& head = *context.response();
  for (const Known name : {Known::kGrpcStatus, Known::kGrpcMessage})
    if (const http::Header* line = trailers.find(name);
        line != nullptr && &trailers != &head.headers)
      head.headers.set(name, context.arena().copy(line->value));
  const auto code = http::grpc_status_of(&trailers, nullptr);
  if (frames_) {
    head.headers.set(Known::kContentType, kProtobuf);
    const auto prefix = http::grpc_prefix(static_cast<uint32_t>(
        collected_.size() - std::min(collected_.size(), http::kGrpcPrefixBytes)));
    const std::string_view wanted(prefix.data(), prefix.size());
    if (!collected_.empty() && !collected_.starts_with(wanted))
      return fail(context, 502, "the response is not one message that is not compressed");
    collected_.erase(0, http::kGrpcPrefixBytes);
  }
  if (trailers.has(Known::kGrpcStatus) && code != 0u) head.status = 503;
  context.info().status = head.status;
  head.headers.remove(Known::kTrailer);
  head.content_length = static_cast<int64_t>(collected_.size());
  head.headers.set(Known::kContentLength, context.arena().copy(std::to_string(collected_.size())));
  return std::move(collected_);
}

std::string BridgeFilter::fail(FilterContext& context, uint16_t status, std::string_view message) {
  http::ResponseHead& head = *context.response();
  head.status = status;
  context.info().status = status;
  context.info().details = "grpc_bridge_failed";
  head.headers.remove(Known::kGrpcStatus);
  head.headers.remove(Known::kGrpcMessage);
  head.headers.set(Known::kContentType, "text/plain");
  head.content_length = static_cast<int64_t>(message.size());
  head.headers.set(Known::kContentLength, context.arena().copy(std::to_string(message.size())));
  return std::string(message);
}

http::Filter* BridgeConfig::make(FilterContext& context) const {
  return http::place<BridgeFilter>(context, *this);
}

std::unique_ptr<http::FilterConfig> compile(const google::protobuf::Message& message,
                                            const http::FilterBuild&) {
  using envoy::extensions::filters::http::grpc_http1_bridge::v3::Config;
  const auto& config = static_cast<const Config&>(message);
  auto out = std::make_unique<BridgeConfig>();
  out->upgrades_protobuf = config.upgrade_protobuf_to_grpc();
  out->drops_query = config.ignore_query_parameters();
  return out;
}

}  // namespace

http::FilterType grpc_http1_bridge() {
  return {.message = "envoy.extensions.filters.http.grpc_http1_bridge.v3.Config",
          .compile = compile};
}

}  // namespace weir::filters
