#include "proxy/upstream/http_call.h"

#include <memory>
#include <utility>

namespace weir::upstream {

using http::Known;
using http::ResetReason;

HttpCall::HttpCall(WorkerCluster& cluster, net::Loop& loop, size_t max_body_bytes, Done done)
    : cluster_(cluster),
      loop_(loop),
      max_body_bytes_(max_body_bytes),
      done_(std::move(done)),
      head_(arena_),
      response_(arena_),
      timer_(*this) {}

HttpCall::~HttpCall() {
  if (stream_ != nullptr) cluster_.shard().inc(cluster_.stats().rq_tx_reset);
  let_go();
}

// ---- the request ----

void HttpCall::post(std::string_view path, std::string_view content_type, std::string body) {
  body_ = std::move(body);
  head_.method = http::Method::kPost;
  head_.method_text = "POST";
  head_.scheme = cluster_.config().tls != nullptr ? "https" : "http";
  head_.path = arena_.copy(path);
  head_.authority = arena_.copy(cluster_.config().name);
  head_.content_length = static_cast<int64_t>(body_.size());
  head_.headers.add(Known::kContentType, arena_.copy(content_type));
  head_.headers.add(Known::kContentLength, arena_.copy(std::to_string(body_.size())));
  head_.headers.add(Known::kUserAgent, "weir");
  connect();
}

void HttpCall::connect() {
  if (cluster_.drop_request() != Drop::kNo) return fail_soon("drop overload");
  holds_slot_ = cluster_.requests(false).try_acquire();
  if (!holds_slot_) return fail_soon("too many requests are under way");
  host_ = cluster_.pick(std::nullopt, {});
  if (host_ == nullptr) return fail_soon("no healthy upstream");
  cluster_.begin(*host_);
  Lent lent;
  Wish wish;
  wish.set_host(head_.authority, cluster_.config());
  switch (host_->acquire(*this, false, lent, wish)) {
    case Host::Outcome::kLent:
      return on_connection(lent);
    case Host::Outcome::kWaiting:
      return;
    case Host::Outcome::kOverflow:
      return fail_soon("too many connections or requests");
  }
}

// The bytes have to be there until the loop's next flush, even if this call is not.
void HttpCall::on_connection(const Lent& lent) {
  stream_ = lent.stream;
  auto kept = std::make_unique<std::string>(std::move(body_));
  const std::string_view bytes = *kept;
  loop_.retire(std::move(kept));
  stream_->send_head(head_, bytes.empty());
  if (!bytes.empty() && stream_ != nullptr) stream_->send_body(bytes, true);
}

void HttpCall::on_no_connection(ResetReason /*reason*/, std::string_view details) {
  fail("no connection: " + std::string(details));
}

// ---- the response ----

http::ResponseHead& HttpCall::fresh_response_head() {
  response_.clear();
  return response_;
}

void HttpCall::on_response_head(bool end) {
  cluster_.shard().inc(cluster_.stats().rq_completed);
  cluster_.shard().inc(cluster_.stats().by_class(response_.status));
  if (end) succeed();
}

void HttpCall::on_response_body(std::string_view bytes, bool end) {
  if (bytes.size() > max_body_bytes_ - reply_.body.size())
    return fail("the response is longer than " + std::to_string(max_body_bytes_) + " bytes");
  reply_.body.append(bytes);
  if (end) succeed();
}

void HttpCall::on_upstream_reset(ResetReason /*reason*/, std::string_view details) {
  stream_ = nullptr;
  cluster_.shard().inc(cluster_.stats().rq_rx_reset);
  fail("the response did not come: " + std::string(details));
}

// ---- the end ----

void HttpCall::succeed() {
  reply_.status = response_.status;
  ++(reply_.status < 500 ? host_->counters.rq_success : host_->counters.rq_error);
  let_go();
  tell();
}

void HttpCall::fail(std::string error) {
  ++host_->counters.rq_error;
  reply_ = {};
  reply_.error = std::move(error);
  let_go();
  tell();
}

void HttpCall::fail_soon(std::string error) {
  reply_.error = std::move(error);
  let_go();
  timer_.set(loop_.timers(), loop_.now_ms());
}

void HttpCall::on_timer(net::Timer& /*timer*/) {
  tell();
}

void HttpCall::let_go() {
  Pool::cancel_waiting(*this);
  // A server may answer before it has read the request; then the stream still stands.
  if (stream_ != nullptr) std::exchange(stream_, nullptr)->reset(ResetReason::kLocal);
  if (host_ != nullptr) cluster_.end(*std::exchange(host_, nullptr));
  if (holds_slot_) cluster_.requests(false).release();
  holds_slot_ = false;
}

// What is left of this object's life is the caller's: it may end in the call.
void HttpCall::tell() {
  const Done done = std::move(done_);
  const HttpReply reply = std::move(reply_);
  done(reply);
}

}  // namespace weir::upstream
