// What becomes of a request whose attempt failed.
#include <algorithm>
#include <utility>

#include "proxy/forward.h"
#include "proxy/request.h"
#include "proxy/upstream/host_feedback.h"
#include "proxy/upstream_policy.h"
#include "proxy/worker.h"

namespace weir {

using http::LocalReply;
using http::ResetReason;
using http::RetryPolicy;

void Forward::on_no_connection(ResetReason reason, std::string_view details) {
  http::StreamInfo& info = request_.info();
  info.upstream_failure = request_.arena().copy(details);
  info.pool_ready_ns = request_.worker().loop().now_ns();
  if (reason != ResetReason::kOverflow) note_broken();
  if (wants_retry_after(reason, policy_.retry_on, /*sent=*/false) && retry()) return;
  fail(reason, details);
  request_.worker().loop().flush();
}

void Forward::on_upstream_reset(ResetReason reason, std::string_view details) {
  stream_ = nullptr;
  detach();
  stats::Shard& stats = cluster_->shard();
  stats.inc(cluster_->stats().rq_rx_reset);
  if (reason == ResetReason::kProtocolError) stats.inc(cluster_->stats().cx_protocol_error);
  if (response_begun_) {
    note_broken();
    note_outcome(nullptr);
    request_.info().flags |= flag_of(reason);
    request_.info().details =
        request_.arena().concat({"upstream_reset_after_response_started{", details, "}"});
    release_host();
    release_slots();
    return request_.on_response_broken(reason);
  }
  const bool refused = reason == ResetReason::kRefused;
  const bool lost = reason == ResetReason::kPeerClosed || reason == ResetReason::kPeerReset;
  // A pooled connection that the upstream closed at the same moment says nothing of the request
  // (RFC 9112 9.3.1), and what was refused was not looked at (RFC 9113 8.7): once, it is sent again
  // by itself.
  const bool harmless = refused || (reused_ && lost && http::is_idempotent(request_.head().method));
  if (harmless && !automatic_retry_used_ && may_replay()) {
    automatic_retry_used_ = true;
    release_host();
    forget_tried();
    return attempt();
  }
  note_broken();
  if (wants_retry_after(reason, policy_.retry_on, /*sent=*/true) && retry()) return;
  fail(reason, details);
}

// For those who judge the host by how it is reached.
void Forward::note_broken() {
  if (host_ != nullptr && host_->feedback() != nullptr) host_->feedback()->on_broken();
}

void Forward::note_late() {
  if (stream_ != nullptr && !response_begun_ && host_->feedback() != nullptr)
    host_->feedback()->on_timeout();
}

bool Forward::may_replay() const {
  return !body_lost_ && !response_begun_;
}

// Full jitter under an exponential bound.
int64_t Forward::back_off_ms() const {
  const RetryPolicy* policy = action_->retry ? &*action_->retry : nullptr;
  const int64_t base = policy != nullptr ? policy->back_off_base_ms : 25;
  const int64_t most = policy != nullptr ? policy->back_off_max_ms : 250;
  const int64_t bound = std::min(most, base << std::min(retries_done_, 16u));
  return static_cast<int64_t>(request_.worker().loop().random() % static_cast<uint64_t>(bound + 1));
}

// Starts another attempt after a pause, the one that the upstream asked for or our own. False: it
// must not be.
bool Forward::retry(std::optional<int64_t> asked_wait_ms) {
  stats::Shard& stats = cluster_->shard();
  if (!may_replay()) return false;
  if (retries_left_ == 0) {
    if (retries_done_ > 0) {
      stats.inc(cluster_->stats().rq_retry_limit_exceeded);
      request_.info().flags |= http::kUpstreamRetryLimitExceeded;
    }
    return false;
  }
  const int64_t wait = asked_wait_ms ? *asked_wait_ms : back_off_ms();
  const int64_t now = request_.worker().loop().now_ms();
  // Failing now is kinder than failing at the deadline.
  if (deadline_ms_ != INT64_MAX && now + wait >= deadline_ms_) return false;
  if (!holds_retry_slot_ && !cluster_->try_retry(high_)) {
    stats.inc(cluster_->stats().rq_retry_overflow);
    request_.info().flags |= http::kUpstreamOverflow;
    return false;
  }
  holds_retry_slot_ = true;
  note_outcome(nullptr);
  detach();
  if (stream_ != nullptr) std::exchange(stream_, nullptr)->reset(ResetReason::kLocal);
  remember_host();
  release_host();
  --retries_left_;
  ++retries_done_;
  stats.inc(cluster_->stats().rq_retry);
  stats.inc(asked_wait_ms ? cluster_->stats().rq_retry_backoff_ratelimited
                          : cluster_->stats().rq_retry_backoff_exponential);
  backing_off_ = true;
  try_deadline_ms_ = INT64_MAX;
  retry_at_ms_ = now + wait;
  request_.arm_timer();
  return true;
}

void Forward::fail(ResetReason reason, std::string_view details) {
  upstream::Pool::cancel_waiting(*this);
  release_host();
  release_slots();
  answer_for_upstream(failure_reply(reason, details, request_.arena()));
}

}  // namespace weir
