#include "proxy/upstream/http_call.h"

#include <memory>
#include <utility>

namespace weir::upstream {

using http::Known;
using http::ResetReason;

HttpCall::HttpCall(WorkerCluster& cluster, net::Loop& loop, size_t max_body_bytes, Done done)
    : call_(cluster, *this),
      loop_(loop),
      max_body_bytes_(max_body_bytes),
      done_(std::move(done)),
      head_(arena_),
      response_(arena_),
      timer_(*this) {}

HttpCall::~HttpCall() {
  if (call_.stream() != nullptr) call_.cluster().shard().inc(call_.cluster().stats().rq_tx_reset);
  call_.let_go();
}

// ---- the request ----

void HttpCall::post(std::string_view path, std::string_view content_type, std::string body) {
  body_ = std::move(body);
  head_.method = http::Method::kPost;
  head_.method_text = "POST";
  head_.scheme = call_.cluster().config().tls != nullptr ? "https" : "http";
  head_.path = arena_.copy(path);
  head_.authority = arena_.copy(call_.cluster().config().name);
  head_.content_length = static_cast<int64_t>(body_.size());
  head_.headers.add(Known::kContentType, arena_.copy(content_type));
  head_.headers.add(Known::kContentLength, arena_.copy(std::to_string(body_.size())));
  head_.headers.add(Known::kUserAgent, "weir");
  connect();
}

void HttpCall::connect() {
  Lent lent;
  Wish wish;
  wish.set_host(head_.authority, call_.cluster().config());
  const ClusterCall::Start outcome = call_.start(wish, lent);
  if (outcome == ClusterCall::Start::kLent) return on_connection(lent);
  if (outcome != ClusterCall::Start::kWaiting)
    fail_soon(std::string(ClusterCall::why_not(outcome)));
}

// The bytes have to be there until the loop's next flush, even if this call is not.
void HttpCall::on_connection(const Lent& lent) {
  call_.on_connection(lent);
  auto kept = std::make_unique<std::string>(std::move(body_));
  const std::string_view bytes = *kept;
  loop_.retire(std::move(kept));
  call_.stream()->send_head(head_, bytes.empty());
  if (!bytes.empty() && call_.stream() != nullptr) call_.stream()->send_body(bytes, true);
}

void HttpCall::on_no_connection(ResetReason reason, std::string_view details) {
  call_.on_no_connection(reason);
  fail("no connection: " + std::string(details));
}

// ---- the response ----

http::ResponseHead& HttpCall::fresh_response_head() {
  response_.clear();
  return response_;
}

void HttpCall::on_response_head(bool end) {
  call_.on_response_head(response_.status, response_.status);
  if (end) succeed();
}

void HttpCall::on_response_body(std::string_view bytes, bool end) {
  if (bytes.size() > max_body_bytes_ - reply_.body.size())
    return fail("the response is longer than " + std::to_string(max_body_bytes_) + " bytes");
  reply_.body.append(bytes);
  if (end) succeed();
}

void HttpCall::on_upstream_reset(ResetReason /*reason*/, std::string_view details) {
  call_.on_reset();
  fail("the response did not come: " + std::string(details));
}

// ---- the end ----

void HttpCall::succeed() {
  reply_.status = response_.status;
  call_.note_outcome(reply_.status < 500);
  call_.let_go();
  tell();
}

void HttpCall::fail(std::string error) {
  call_.note_outcome(false);
  reply_ = {};
  reply_.error = std::move(error);
  call_.let_go();
  tell();
}

void HttpCall::fail_soon(std::string error) {
  reply_.error = std::move(error);
  call_.let_go();
  timer_.set(loop_.timers(), loop_.now_ms());
}

void HttpCall::on_timer(net::Timer& /*timer*/) {
  tell();
}

// What is left of this object's life is the caller's: it may end in the call.
void HttpCall::tell() {
  const Done done = std::move(done_);
  const HttpReply reply = std::move(reply_);
  done(reply);
}

}  // namespace weir::upstream
