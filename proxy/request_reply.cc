// What a request answers by itself.
#include "proxy/http/grpc.h"
#include "proxy/request.h"
#include "proxy/request_headers.h"
#include "proxy/worker.h"

namespace weir {
namespace {

// What the codec reads of an answered request's body before it gives the connection up.
constexpr int64_t kReadableRestBytes = 256 * 1024;
// What a filter answers when the body is longer than what it may keep of it.
constexpr uint16_t kTooLarge = 413;

}  // namespace

using http::LocalReply;
using http::ResetReason;

void Request::begin_reply(const LocalReply& answer) {
  // The rest of the request is not wanted; a little of it is read for the connection's sake.
  const bool long_rest = head_.content_length < 0 || head_.content_length > kReadableRestBytes;
  if (!request_complete_ && long_rest) stream_->close_after_response();
  replied_ = true;
  response_started_ = true;
  info_.flags |= answer.flags;
  info_.details = answer.details;
  response_ = http::ResponseHead(arena_);
  info_.status = response_.status = answer.status;
  for (const auto& [name, value] : answer.headers) response_.headers.add(name, value);
}

// The answer as its client reads it: to a gRPC call, all that it says goes into the head.
void Request::frame_reply(const LocalReply& answer, std::string_view& body,
                          std::string_view content_type) {
  if (grpc_) {
    http::make_grpc_reply(answer.grpc_status, body, content_type, response_);
    info_.status = response_.status;
    body = {};
    return;
  }
  if (!body.empty()) response_.headers.add(http::Known::kContentType, content_type);
  response_.content_length = static_cast<int64_t>(body.size());
  response_.headers.add(http::Known::kContentLength, "");
}

void Request::reply(const LocalReply& answer) {
  if (ended_) return;
  forward_.cancel();
  chain_.stop_request();
  if (response_sent_) {
    info_.flags |= answer.flags;
    info_.details = answer.details;
    stream_->reset(ResetReason::kLocal);
    return end();
  }
  begin_reply(answer);
  std::string_view body = answer.body;
  std::string_view content_type = answer.content_type;
  if (!hcm_->local_replies.empty()) dress(body, content_type);
  local_reply_body_ = body;
  frame_reply(answer, body, content_type);
  finish_response_headers(*this, response_, /*local=*/true);
  const bool end = body.empty();
  if (chain_.empty()) {
    response_head_passed(end);
    if (!end) response_body_passed(body, true);
  } else {
    chain_.response_head(response_, end);
    if (!end) chain_.response_body(body, true);
  }
}

void Request::respond(const LocalReply& answer) {
  if (answer.status == kTooLarge) worker_.stats().inc(hcm_->stats.rq_too_large);
  reply(answer);
}

http::FormatInput Request::format_input() const {
  http::FormatInput input;
  input.request = &head_;
  input.response = response_started_ ? &response_ : nullptr;
  input.trailers = response_trailers_;
  input.info = &info_;
  input.local_reply_body = local_reply_body_;
  return input;
}

void Request::log() {
  http::FormatInput input = format_input();
  input.log_type = "DownstreamEnd";
  worker_.log(*hcm_->access_logs, input);
}

// As local_reply_config says; its filters look at the status that the log will show.
void Request::dress(std::string_view& body, std::string_view& content_type) {
  hcm_->local_replies.dress(format_input(), worker_.loop().random(), info_, response_, body,
                            content_type);
}

}  // namespace weir
