#include "proxy/grpc_responder.h"

#include <memory>

namespace weir {

using http::GrpcStatus;
using http::Known;

namespace {

GrpcStatus status_of(const Error& error) {
  if (error.code == "bad-query") return GrpcStatus::kInvalidArgument;
  if (error.code == "forbidden") return GrpcStatus::kPermissionDenied;
  return GrpcStatus::kUnavailable;
}

}  // namespace

void GrpcResponder::on_body(std::string_view bytes, bool end) {
  reader_.feed(bytes);
  std::string_view message;
  uint8_t flags = 0;
  for (uint32_t taken = 0; !over_; ++taken) {
    const auto step = reader_.next(message, flags);
    if (step == http::GrpcFrameReader::Step::kNeedMore) break;
    if (step == http::GrpcFrameReader::Step::kTooLarge)
      return finish(GrpcStatus::kResourceExhausted,
                    "a request is larger than " + std::to_string(kMaxRequestBytes) + " bytes");
    if (taken == kMaxMessagesAtOnce)
      return finish(GrpcStatus::kResourceExhausted, "too many requests at once");
    take(message, flags);
  }
  if (end && !over_) on_end();
}

void GrpcResponder::on_end() {
  if (unary_ && answered_ == 0)
    return finish(GrpcStatus::kInvalidArgument, "the call has no message");
  finish(GrpcStatus::kOk, {});
}

void GrpcResponder::take(std::string_view message, uint8_t flags) {
  if (flags != 0)
    return finish(GrpcStatus::kUnimplemented, "compressed messages are not supported");
  if (unary_ && answered_ > 0)
    return finish(GrpcStatus::kInvalidArgument, "the call has more than one message");
  const Result<std::string> reply = answer_(message);
  if (!reply) return finish(status_of(reply.error()), reply.error().message);
  ++answered_;
  send(*reply);
}

// The bytes have to be there until the loop's next flush, even if the stream is not.
void GrpcResponder::send(std::string_view reply) {
  if (!head_sent_) {
    http::ResponseHead head(arena_);
    head.status = 200;
    head.headers.add(Known::kContentType, http::kGrpcContentType);
    head_sent_ = true;
    stream_.send_head(head, false);
  }
  auto frame = std::make_unique<std::string>();
  http::append_grpc_frame(reply, *frame);
  const std::string_view bytes = *frame;
  loop_.retire(std::move(frame));
  stream_.send_body(bytes, false);
}

void GrpcResponder::on_full(bool full) {
  if (!over_) stream_.pause_reading(full);
}

void GrpcResponder::finish(GrpcStatus status, std::string_view message) {
  over_ = true;
  message = arena_.copy(message);
  if (!head_sent_) {
    http::ResponseHead head(arena_);
    head.status = 200;
    http::make_grpc_reply(static_cast<int>(status), message, {}, head);
    return stream_.send_head(head, true);
  }
  http::HeaderMap trailers(arena_);
  trailers.add(Known::kGrpcStatus, http::grpc_status_text(status));
  if (!message.empty())
    trailers.add(Known::kGrpcMessage, http::encode_grpc_message(message, arena_));
  stream_.send_trailers(trailers);
}

}  // namespace weir
