#include "filters/grpc_json_transcoder/grpc_json_transcoder.h"

#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "envoy/extensions/filters/http/grpc_json_transcoder/v3/transcoder.pb.h"
#include "filters/common/kept_bytes.h"
#include "filters/grpc_json_transcoder/json_splitter.h"
#include "filters/grpc_json_transcoder/outcome.h"
#include "filters/grpc_json_transcoder/request_maker.h"
#include "filters/grpc_json_transcoder/response_text.h"
#include "filters/grpc_json_transcoder/settings.h"
#include "filters/grpc_json_transcoder/status_text.h"
#include "proxy/http/grpc.h"

namespace weir::filters::transcoder {
namespace {

using common::keep;
using http::BodyPiece;
using http::FilterContext;
using http::GrpcStatus;
using http::HeaderMap;
using http::Known;
using http::Verdict;

constexpr std::string_view kDetails = "grpc_json_transcode_failure";

class Transcoder : public http::Filter {
 public:
  explicit Transcoder(const Settings& settings) : settings_(settings) {}

  Verdict on_request(FilterContext& context, bool end) override;
  Verdict on_request_body(FilterContext& context, BodyPiece& piece) override;
  Verdict on_request_trailers(FilterContext& context, HeaderMap& trailers) override;
  Verdict on_response(FilterContext& context, http::ResponseHead& head, bool end) override;
  Verdict on_response_body(FilterContext& context, BodyPiece& piece) override;
  Verdict on_response_trailers(FilterContext& context, HeaderMap& trailers) override;

 private:
  // How the request's body becomes messages.
  enum class Body : uint8_t {
    kNone,        // nothing is transcoded
    kOneJson,     // collected
    kOneRaw,      // collected, into an HttpBody
    kJsonStream,  // element by element
    kRawStream,   // piece by piece, into HttpBodies
  };

  Body body_kind(const Binding& binding) const;
  Verdict refuse(FilterContext& context, const Refusal& refusal);
  Verdict begin(FilterContext& context, bool end);
  Verdict collect(FilterContext& context, BodyPiece& piece);
  Verdict stream(FilterContext& context, BodyPiece& piece);
  std::optional<Refusal> add_elements(std::string& out);
  std::optional<Refusal> read_elements(const BodyPiece& piece, std::string& out);
  std::optional<Violation> add_whole(std::string_view body, std::string& out);
  void address_method(FilterContext& context) const;
  void forget_request() { collected_ = std::string(); }

  Verdict release_stream(FilterContext& context, BodyPiece& piece, std::string text);
  std::string finish_head(FilterContext& context, const HeaderMap& trailers);
  Verdict break_response(FilterContext& context, const Error& error);

  const Settings& settings_;
  Body body_ = Body::kNone;
  std::optional<RequestMaker> maker_;
  std::optional<JsonSplitter> splitter_;
  std::optional<ResponseText> response_;
  std::string collected_;     // of the request; then of the response
  std::string content_type_;  // of the request
  size_t max_bytes_ = 0;      // of a message of the request
  size_t elements_ = 0;       // of a stream of requests
  bool head_passed_ = false;  // the response's head is on its way
};

// ---- the request ----

Transcoder::Body Transcoder::body_kind(const Binding& binding) const {
  const bool streams =
      binding.method->descriptor->client_streaming() && binding.body != Binding::Body::kNone;
  if (binding.takes_http_body) return streams ? Body::kRawStream : Body::kOneRaw;
  return streams ? Body::kJsonStream : Body::kOneJson;
}

Verdict Transcoder::refuse(FilterContext& context, const Refusal& refusal) {
  body_ = Body::kNone;
  forget_request();
  const std::string body =
      status_text(static_cast<uint32_t>(refusal.code), refusal.message,
                  refusal.violation ? &*refusal.violation : nullptr, settings_);
  return context.respond({.status = refusal.http_status,
                          .body = context.arena().copy(body),
                          .details = kDetails,
                          .content_type = "application/json",
                          .grpc_status = static_cast<int>(refusal.code)});
}

Verdict Transcoder::on_request(FilterContext& context, bool end) {
  const http::RequestHead& head = context.request();
  if (http::is_grpc(head)) return Verdict::kContinue;
  std::optional<Match> match = settings_.bindings->find(head.method_text, head.path);
  if (!match) {
    if (!settings_.reject_unknown_method) return Verdict::kContinue;
    return refuse(context, no_method(head));
  }
  maker_.emplace(std::move(*match), settings_);
  if (const std::string unknown = maker_->read_query(head.path); !unknown.empty()) {
    if (!settings_.reject_unknown_parameters) return Verdict::kContinue;
    return refuse(context, bad_request({unknown, "no field for this query parameter"}));
  }
  if (auto violation = maker_->bind()) return refuse(context, bad_request(std::move(*violation)));
  const Binding& binding = maker_->binding();
  content_type_ = head.headers.get(Known::kContentType);
  if (!end && binding.body != Binding::Body::kNone && !binding.takes_http_body)
    if (const auto refusal = check_json(head.headers)) return refuse(context, *refusal);
  max_bytes_ = settings_.max_request_bytes.value_or(context.buffer_limit());
  body_ = body_kind(binding);
  return begin(context, end);
}

// The head of a stream goes on at once: the upstream may answer before the stream's end. One
// message is complete before the upstream hears of it.
Verdict Transcoder::begin(FilterContext& context, bool end) {
  if (body_ == Body::kJsonStream) splitter_.emplace(max_bytes_);
  const bool streams = body_ == Body::kJsonStream || body_ == Body::kRawStream;
  if (!end && !streams) return context.collect_body(std::numeric_limits<size_t>::max());
  if (end && body_ != Body::kJsonStream) {
    std::string message;
    if (auto violation = add_whole({}, message))
      return refuse(context, bad_request(std::move(*violation)));
    context.append_body(keep(context, std::move(message)));
  }
  address_method(context);
  return Verdict::kContinue;
}

// From now on the request is a call of the method.
void Transcoder::address_method(FilterContext& context) const {
  http::RequestHead& head = context.request();
  head.headers.set(Known::kEnvoyOriginalPath, head.path);
  head.headers.set("x-envoy-original-method", head.method_text);
  head.path = context.arena().copy(maker_->binding().method->path);
  head.method = http::Method::kPost;
  head.method_text = "POST";
  head.headers.set(Known::kContentType, http::kGrpcContentType);
  head.headers.set(Known::kTe, "trailers");
  head.headers.remove(Known::kContentLength);
  head.content_length = http::kUnknownLength;
  // What is compressed could not be read here.
  head.headers.remove("grpc-accept-encoding");
  if (!settings_.keep_route) context.clear_route();
}

std::optional<Violation> Transcoder::add_whole(std::string_view body, std::string& out) {
  if (body_ == Body::kOneRaw || body_ == Body::kRawStream)
    return maker_->add_http_body(content_type_, body, out);
  return maker_->add_json(body, out);
}

std::optional<Refusal> Transcoder::add_elements(std::string& out) {
  std::string_view element;
  for (;;) {
    switch (splitter_->next(element)) {
      case JsonSplitter::Step::kNeedMore:
        return {};
      case JsonSplitter::Step::kTooLarge:
        return too_large(max_bytes_);
      case JsonSplitter::Step::kInvalid:
        return bad_request({"", "expected an array of messages, or messages in lines"});
      case JsonSplitter::Step::kElement:
        break;
    }
    if (auto violation = maker_->add_json(element, out)) {
      const bool dot = !violation->field.empty() && violation->field[0] != '[';
      violation->field = "[" + std::to_string(elements_) + (dot ? "]." : "]") + violation->field;
      return bad_request(std::move(*violation));
    }
    ++elements_;
  }
}

Verdict Transcoder::on_request_body(FilterContext& context, BodyPiece& piece) {
  switch (body_) {
    case Body::kNone:
      return Verdict::kContinue;
    case Body::kOneJson:
    case Body::kOneRaw:
      return collect(context, piece);
    default:
      return stream(context, piece);
  }
}

Verdict Transcoder::collect(FilterContext& context, BodyPiece& piece) {
  if (collected_.size() + piece.bytes.size() > max_bytes_)
    return refuse(context, too_large(max_bytes_));
  const bool whole = piece.end && collected_.empty();
  if (!whole) collected_ += piece.bytes;
  const std::string_view body = whole ? piece.bytes : std::string_view(collected_);
  std::string message;
  if (piece.end)
    if (auto violation = add_whole(body, message))
      return refuse(context, bad_request(std::move(*violation)));
  piece.bytes = {};
  if (!piece.end) return Verdict::kWait;
  forget_request();
  address_method(context);
  piece.bytes = keep(context, std::move(message));
  return Verdict::kContinue;
}

std::optional<Refusal> Transcoder::read_elements(const BodyPiece& piece, std::string& out) {
  splitter_->feed(piece.bytes);
  if (auto refusal = add_elements(out)) return refusal;
  if (!piece.end) return {};
  splitter_->finish();
  if (auto refusal = add_elements(out)) return refusal;
  if (!splitter_->complete()) return bad_request({"", "the stream of messages is not complete"});
  return {};
}

Verdict Transcoder::stream(FilterContext& context, BodyPiece& piece) {
  std::string messages;
  std::optional<Refusal> refusal;
  if (body_ == Body::kRawStream) {
    if (!piece.bytes.empty())
      if (auto violation = add_whole(piece.bytes, messages))
        refusal = bad_request(std::move(*violation));
  } else {
    refusal = read_elements(piece, messages);
  }
  if (refusal) return refuse(context, *refusal);
  piece.bytes = keep(context, std::move(messages));
  return Verdict::kContinue;
}

Verdict Transcoder::on_request_trailers(FilterContext& context, HeaderMap&) {
  if (body_ == Body::kNone) return Verdict::kContinue;
  BodyPiece last{.bytes = {}, .end = true};
  const Verdict verdict = on_request_body(context, last);
  if (verdict == Verdict::kContinue) context.append_body(last.bytes);
  return verdict;
}

// ---- the response ----

Verdict Transcoder::on_response(FilterContext& context, http::ResponseHead& head, bool end) {
  if (body_ == Body::kNone) return Verdict::kContinue;
  if (!is_grpc_response(head, end)) {
    // An answer of the proxy's own, or of an upstream that does not speak gRPC: not ours to read.
    body_ = Body::kNone;
    return Verdict::kContinue;
  }
  response_.emplace(maker_->binding(), settings_,
                    settings_.max_response_bytes.value_or(context.buffer_limit()));
  if (!end) return context.collect_response();
  head_passed_ = true;
  const std::string body = finish_head(context, head.headers);
  if (!body.empty()) context.append_body(keep(context, body));
  return Verdict::kContinue;
}

Verdict Transcoder::on_response_body(FilterContext& context, BodyPiece& piece) {
  if (body_ == Body::kNone) return Verdict::kContinue;
  std::string text;
  Result<void> fed = response_->feed(piece.bytes, text);
  std::string closing;
  if (fed && piece.end) fed = response_->finish(closing);
  if (!fed) return break_response(context, fed.error());
  if (response_->is_stream() && (head_passed_ || response_->messages() > 0))
    return release_stream(context, piece, text + closing);
  collected_ += text;
  piece.bytes = {};
  if (!piece.end) return Verdict::kWait;
  // The upstream broke off before its trailers.
  HeaderMap nothing(context.arena());
  piece.bytes = keep(context, finish_head(context, nothing));
  return Verdict::kContinue;
}

// The head goes with the first message, and not before: a call that fails at once has its status
// in the head.
Verdict Transcoder::release_stream(FilterContext& context, BodyPiece& piece, std::string text) {
  if (!std::exchange(head_passed_, true)) {
    http::ResponseHead& head = *context.response();
    forget_grpc(head);
    if (!response_->content_type().empty())
      head.headers.set(Known::kContentType, context.arena().copy(response_->content_type()));
  }
  piece.bytes = keep(context, std::move(text));
  return Verdict::kContinue;
}

Verdict Transcoder::on_response_trailers(FilterContext& context, HeaderMap& trailers) {
  if (body_ == Body::kNone) return Verdict::kContinue;
  std::string closing;
  if (const Result<void> finished = response_->finish(closing); !finished)
    return break_response(context, finished.error());
  if (head_passed_) {
    context.append_body(keep(context, std::move(closing)));
    return Verdict::kContinue;
  }
  context.append_body(keep(context, finish_head(context, trailers)));
  trailers.clear();
  return Verdict::kContinue;
}

// Makes the head of a response whose end is known. Returns its body.
std::string Transcoder::finish_head(FilterContext& context, const HeaderMap& trailers) {
  http::ResponseHead& head = *context.response();
  const CallOutcome outcome = read_outcome(trailers);
  const bool convert = settings_.convert_status && outcome.failed() && response_->messages() == 0 &&
                       outcome.code.has_value();
  std::string body = convert ? status_text(outcome.status, settings_) : std::move(collected_);
  head.status = outcome.http_status();
  context.info().status = head.status;
  if (!convert && outcome.code) copy_status(trailers, head.headers);
  if (convert) drop_status(head.headers);
  forget_grpc(head);
  std::string_view type = response_->content_type();
  if (convert) type = "application/json";
  if (!type.empty()) {
    head.headers.set(Known::kContentType, context.arena().copy(type));
  } else {
    head.headers.remove(Known::kContentType);
  }
  if (response_->is_stream() && !outcome.failed() && body.empty() && !response_->finish(body))
    body.clear();
  set_length(head, body.size());
  return body;
}

// What the upstream sent cannot be told to the client. Where the head is gone, all that is left is
// to break off, so that nobody takes a part for the whole.
Verdict Transcoder::break_response(FilterContext& context, const Error& error) {
  const bool large = error.code == "message-too-large";
  const GrpcStatus code = large ? GrpcStatus::kResourceExhausted : GrpcStatus::kInternal;
  const std::string body =
      status_text(static_cast<uint32_t>(code), error.message, nullptr, settings_);
  return context.respond({.status = static_cast<uint16_t>(large ? 500 : 502),
                          .body = context.arena().copy(body),
                          .details = kDetails,
                          .content_type = "application/json",
                          .grpc_status = static_cast<int>(code)});
}

// ---- the config ----

struct Config : http::FilterConfig {
  http::Filter* make(http::FilterContext& context) const override {
    const Settings& in_force = *context.config<Config>().settings;
    return in_force.bindings == nullptr ? nullptr : http::place<Transcoder>(context, in_force);
  }
  std::unique_ptr<const Settings> settings;
};

std::unique_ptr<http::FilterConfig> compile(const google::protobuf::Message& message,
                                            const http::FilterBuild& build) {
  using envoy::extensions::filters::http::grpc_json_transcoder::v3::GrpcJsonTranscoder;
  auto config = std::make_unique<Config>();
  config->settings = read_settings(static_cast<const GrpcJsonTranscoder&>(message), build);
  if (config->settings == nullptr) return nullptr;
  return config;
}

}  // namespace

http::FilterType grpc_json_transcoder() {
  constexpr std::string_view kMessage =
      "envoy.extensions.filters.http.grpc_json_transcoder.v3.GrpcJsonTranscoder";
  return {
      .message = kMessage, .compile = compile, .route_message = kMessage, .compile_route = compile};
}

}  // namespace weir::filters::transcoder
