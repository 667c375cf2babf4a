#include "proxy/forward.h"

#include <algorithm>
#include <utility>

#include "proxy/http/grpc.h"
#include "proxy/request.h"
#include "proxy/request_headers.h"
#include "proxy/upstream/host_feedback.h"
#include "proxy/upstream_policy.h"
#include "proxy/worker.h"

namespace weir {

using http::LocalReply;
using http::ResetReason;
using http::RetryPolicy;

Forward::Forward(Request& request, BlockPool& blocks) : request_(request), body_(blocks) {}

void Forward::recycle() {
  body_.clear();
  if (shown_ != nullptr) cluster_->forget(*std::exchange(shown_, nullptr));
  tls_.reset();
  action_ = nullptr;
  weighted_ = nullptr;
  cluster_ = nullptr;
  host_ = nullptr;
  stream_ = nullptr;
  trailers_ = nullptr;
  new_cookie_ = {};
  tried_count_ = 0;
  deadline_ms_ = try_deadline_ms_ = retry_at_ms_ = INT64_MAX;
  try_idle_ms_ = started_ms_ = sent_ms_ = complete_ms_ = activity_ms_ = 0;
  policy_ = UpstreamPolicy();
  retries_left_ = retries_done_ = 0;
  high_ = end_seen_ = body_lost_ = keeps_body_ = backing_off_ = response_begun_ = false;
  reused_ = attached_ = holds_retry_slot_ = false;
  body_waits_ = upstream_full_ = client_paused_ = false;
  automatic_retry_used_ = outcome_open_ = false;
}

// ---- where to ----

std::string_view Forward::choose_cluster() {
  bool present = false;
  weighted_ = request_.picked();
  const std::string& name = weighted_ != nullptr ? weighted_->cluster : action_->cluster;
  if (!name.empty()) return name;
  const std::string& header =
      weighted_ != nullptr ? weighted_->cluster_header : action_->cluster_header;
  return header.empty() ? std::string_view() : request_.head().value_of(header, present);
}

void Forward::start(const http::ForwardAction& action, bool end) {
  action_ = &action;
  end_seen_ = end;
  high_ = action.high_priority;
  const std::string_view name = choose_cluster();
  cluster_ = request_.worker().cluster(name);
  if (cluster_ == nullptr) {
    request_.worker().stats().inc(request_.hcm().stats.no_cluster);
    LocalReply missing;
    missing.status = action.cluster_not_found_status;
    missing.details = "cluster_not_found";
    missing.flags = http::kNoClusterFound;
    return request_.reply(missing);
  }
  request_.info().cluster = name;
  if (const std::string& alias = cluster_->config().alias; !alias.empty())
    request_.info().cluster_alias = request_.arena().copy(alias);
  if (const upstream::Drop drop = cluster_->drop_request(); drop != upstream::Drop::kNo)
    return request_.reply(drop_reply(request_, drop));
  policy_ = read_policy(request_, action);
  started_ms_ = request_.worker().loop().now_ms();
  try_idle_ms_ = action.retry ? action.retry->per_try_idle_timeout_ms : 0;
  retries_left_ = policy_.num_retries;
  replay_limit_ = replay_limit();
  keeps_body_ = replay_limit_ > 0;
  tell_timeout(request_, action, policy_, 0);
  finish_request_headers(request_, weighted_);
  http::apply_rewrites(*request_.route(), action, request_.head(), weighted_,
                       !request_.hcm().suppress_envoy_headers);
  // An upgrade has no end to count from.
  if (end || request_.request_complete() || request_.is_upgrade())
    on_request_complete(request_.worker().loop().now_ms());
  if (!action.mirrors.empty()) shadows_.start(request_, action, policy_.timeout_ms, end);
  attempt();
}

// ---- the host ----

// ORIGINAL_DST: where a header says, or where the client wanted to go.
upstream::Host* Forward::original_destination() {
  const upstream::ClusterConfig& config = cluster_->config();
  net::Address to;
  if (config.original_dst_use_header) {
    bool present = false;
    std::string_view text = request_.head().value_of(config.original_dst_header, present);
    if (!present && config.original_dst_header == upstream::kOriginalDstHeader)
      text = request_.wished_destination();
    if (Result<net::Address> parsed = net::Address::parse(text)) to = parsed.take();
  }
  if (!to.is_ip()) to = request_.original_destination();
  return to.is_ip() ? cluster_->host_for(to) : nullptr;
}

bool Forward::take_host() {
  std::optional<uint64_t> key;
  if (!action_->hash.empty()) key = request_hash(request_, *action_, new_cookie_);
  host_ = cluster_->config().discovery == upstream::ClusterConfig::Discovery::kOriginalDst
              ? original_destination()
              : cluster_->pick(key, {tried_, tried_count_});
  if (host_ != nullptr) return true;
  cluster_->shard().inc(cluster_->stats().cx_none_healthy);
  LocalReply none;
  none.status = 503;
  none.body = "no healthy upstream";
  none.details = "no_healthy_upstream";
  none.flags = http::kNoHealthyUpstream;
  answer_for_upstream(none);
  return false;
}

// What logs may ask of the host, which may leave its cluster before they do.
void Forward::show_host() {
  if (shown_ != host_) {
    if (shown_ != nullptr) cluster_->forget(*shown_);
    cluster_->remember(*host_);
    shown_ = host_;
  }
  remote_ = host_->endpoint().address;
  http::StreamInfo& info = request_.info();
  info.upstream_remote = &remote_;
  info.upstream_hostname = &host_->hostname();
  // Of this attempt nothing more is known yet.
  info.upstream_local = nullptr;
  info.upstream_tls = nullptr;
  info.upstream_protocol.reset();
  info.upstream_connection_id = 0;
  info.pool_asked_ns = request_.worker().loop().now_ns();
  info.pool_ready_ns = 0;
}

void Forward::attempt() {
  backing_off_ = false;
  retry_at_ms_ = INT64_MAX;
  if (!take_host()) return;
  cluster_->begin(*host_);
  show_host();
  ++request_.info().attempts;
  const int64_t now = request_.worker().loop().now_ms();
  if (retries_done_ > 0) tell_timeout(request_, *action_, policy_, now - started_ms_);
  upstream::Lent lent;
  switch (host_->acquire(*this, high_, lent, wish_of(request_, cluster_->config()))) {
    case upstream::Host::Outcome::kLent:
      return send_request(lent);
    case upstream::Host::Outcome::kWaiting:
      return;
    case upstream::Host::Outcome::kOverflow:
      request_.info().pool_ready_ns = request_.worker().loop().now_ns();
      return fail(ResetReason::kOverflow, "overflow");
  }
}

void Forward::on_connection(const upstream::Lent& lent) {
  send_request(lent);
}

void Forward::show_connection(const upstream::Lent& lent) {
  local_ = *lent.local;
  tls_ = lent.tls == nullptr ? nullptr : lent.tls->share();
  http::StreamInfo& info = request_.info();
  info.upstream_local = &local_;
  info.upstream_tls = tls_.get();
  info.upstream_protocol = lent.protocol;
  info.upstream_connection_id = lent.connection_id;
  info.pool_ready_ns = info.first_upstream_tx_ns = request_.worker().loop().now_ns();
}

void Forward::send_request(const upstream::Lent& lent) {
  net::Loop& loop = request_.worker().loop();
  http::StreamInfo& info = request_.info();
  stream_ = lent.stream;
  attached_ = true;
  reused_ = lent.reused;
  sent_ms_ = activity_ms_ = loop.now_ms();
  body_waits_ = upstream_full_ = false;
  if (end_seen_ && policy_.per_try_timeout_ms > 0) begin_try_timeout(sent_ms_);
  if (try_idle_ms_ > 0) request_.arm_timer();
  show_connection(lent);
  if (upstream::HostFeedback* feedback = host_->feedback()) feedback->on_connected();
  if (action_->auto_host_rewrite)
    http::rewrite_host(*action_, host_->endpoint().hostname, request_.head(),
                       !request_.hcm().suppress_envoy_headers);
  note_attempt(request_);
  const bool end = end_seen_ && body_.empty() && trailers_ == nullptr;
  stream_->send_head(request_.head(), end);
  info.upstream_head_bytes_sent += stream_->take_head_bytes_sent();
  if (end) {
    info.last_upstream_tx_ns = info.first_upstream_tx_ns;
    return;
  }
  if (!body_.empty()) {
    // What waited is either kept for another attempt or let go now.
    const bool whole = end_seen_ && trailers_ == nullptr;
    size_t left = body_.size();
    body_.for_each([&](std::string_view run) {
      left -= run.size();
      info.upstream_body_bytes_sent += run.size();
      stream_->send_body(run, whole && left == 0);
    });
    loop.flush();
    if (stream_ == nullptr) return;
    if (!keeps_body_) {
      body_lost_ = true;
      body_.clear();
    }
  }
  if (trailers_ != nullptr) stream_->send_trailers(*trailers_);
  if (end_seen_) info.last_upstream_tx_ns = loop.now_ns();
  show_pressure();
}

// A try has so long for its answer once the whole request has gone out.
void Forward::begin_try_timeout(int64_t now_ms) {
  try_deadline_ms_ = now_ms + policy_.per_try_timeout_ms;
  request_.arm_timer();
}

// ---- the request's body ----

// How much of the body is kept to be sent again. HTTP/2's servers refuse what they have not looked
// at, as they go away for example: what is small survives that without a policy.
size_t Forward::replay_limit() const {
  constexpr size_t kSmallBytes = 64 * 1024;
  const upstream::ClusterConfig& config = cluster_->config();
  if (policy_.retry_on != 0) return kept_body_limit(*request_.route(), config);
  if (config.versions == upstream::ClusterConfig::Versions::kHttp1) return 0;
  return std::min<size_t>(kSmallBytes, config.buffer_limit_bytes);
}

void Forward::keep_for_replay(std::string_view bytes) {
  if (!keeps_body_) return;
  if (body_.size() + bytes.size() > replay_limit_) {
    // Too much to send again: from here on there is one attempt only.
    keeps_body_ = false;
    body_lost_ = true;
    body_.clear();
    return;
  }
  body_.append(bytes);
}

void Forward::send_body(std::string_view bytes, bool end) {
  if (end) {
    end_seen_ = true;
    on_request_complete(request_.worker().loop().now_ms());
    request_.arm_timer();
  }
  if (cluster_ == nullptr) return;
  if (!shadows_.empty()) shadows_.feed(bytes, end);
  if (stream_ != nullptr) {
    activity_ms_ = request_.worker().loop().now_ms();
    keep_for_replay(bytes);
    if (!keeps_body_ && !bytes.empty()) body_lost_ = true;
    request_.info().upstream_body_bytes_sent += bytes.size();
    stream_->send_body(bytes, end);
    if (end) request_.info().last_upstream_tx_ns = request_.worker().loop().now_ns();
    return;
  }
  if (response_begun_) return;  // the upstream has answered without it
  body_.append(bytes);
  if (body_.size() <= cluster_->config().buffer_limit_bytes) return;
  body_waits_ = true;
  show_pressure();
}

void Forward::send_trailers(http::HeaderMap& trailers) {
  end_seen_ = true;
  on_request_complete(request_.worker().loop().now_ms());
  request_.arm_timer();
  trailers_ = &trailers;
  if (!shadows_.empty()) shadows_.feed({}, true);
  if (stream_ != nullptr) stream_->send_trailers(trailers);
}

void Forward::on_upstream_full(bool full) {
  upstream_full_ = full;
  show_pressure();
}

void Forward::show_pressure() {
  const bool pause = body_waits_ || upstream_full_;
  if (client_paused_ == pause) return;
  client_paused_ = pause;
  request_.pause_client(pause);
}

void Forward::pause_upstream(bool pause) {
  if (stream_ != nullptr) stream_->pause_reading(pause);
}

// ---- the response ----

http::ResponseHead& Forward::fresh_response_head() {
  request_.response().clear();
  return request_.response();
}

Arena& Forward::trailer_arena() {
  return request_.arena();
}

void Forward::on_informational() {
  request_.info().upstream_head_bytes_received += request_.response().wire_bytes;
  request_.on_informational_response(request_.response());
}

// Each attempt's counts for the host.
void Forward::note_response(bool end) {
  const uint16_t status = request_.response().status;
  if (request_.is_grpc()) {
    outcome_open_ = true;
    if (end) note_outcome(nullptr);
  } else if (host_ != nullptr) {
    ++(status < 500 ? host_->counters.rq_success : host_->counters.rq_error);
  }
  if (host_ != nullptr && host_->feedback() != nullptr) give_feedback();
}

// What the cluster's requests came to: the last attempt's response, or our own answer for it.
void Forward::count_answer(uint16_t status) {
  cluster_->shard().inc(cluster_->stats().rq_completed);
  if (!request_.is_grpc() || !request_.hcm().suppress_grpc_failure_codes)
    cluster_->count_response(status);
}

void Forward::answer_for_upstream(const LocalReply& answer) {
  if (!response_begun_) count_answer(answer.status);
  request_.reply(answer);
}

// For those who judge the host by its responses.
void Forward::give_feedback() {
  const http::ResponseHead& response = request_.response();
  uint16_t status = response.status;
  if (request_.is_grpc())
    if (const auto code = http::grpc_status_of(nullptr, &response.headers))
      status = http::http_status_of_grpc(*code);
  host_->feedback()->on_response(status);
  if (response.headers.has(http::Known::kEnvoyImmediateHealthCheckFail))
    host_->feedback()->on_immediate_failure();
}

// Whether a gRPC call succeeded on its host: what stands for a 5xx has not.
void Forward::note_outcome(const http::HeaderMap* trailers) {
  if (!outcome_open_) return;
  outcome_open_ = false;
  const auto code = http::grpc_status_of(trailers, &request_.response().headers);
  const bool failed = !code || http::http_status_of_grpc(*code) >= 500;
  if (host_ != nullptr) ++(failed ? host_->counters.rq_error : host_->counters.rq_success);
}

void Forward::on_response_head(bool end) {
  const uint16_t status = request_.response().status;
  request_.touch();
  http::StreamInfo& info = request_.info();
  info.status = status;
  info.first_upstream_rx_ns = request_.worker().loop().now_ns();
  info.upstream_head_bytes_received += request_.response().wire_bytes;
  // Of one that was held back when it was sent.
  if (stream_ != nullptr) info.upstream_head_bytes_sent += stream_->take_head_bytes_sent();
  note_response(end);
  const bool asks = policy_.retry_on != 0 && wants_retry(policy_, request_);
  if (asks && retry(asked_back_off_ms(request_))) return cluster_->count_retried(status);
  count_answer(status);
  if (retries_done_ > 0 && !asks) cluster_->shard().inc(cluster_->stats().rq_retry_success);
  response_begun_ = true;
  // There will be no other attempt.
  if (keeps_body_) body_.clear();
  keeps_body_ = false;
  try_deadline_ms_ = INT64_MAX;
  if (request_.is_upgrade() && (status == 101 || status < 300)) deadline_ms_ = INT64_MAX;
  info.details = "via_upstream";
  finish_upstream_response(request_, weighted_, sent_ms_);
  if (!new_cookie_.empty()) request_.response().headers.add(http::Known::kSetCookie, new_cookie_);
  if (end) release_upstream();
  request_.on_response_head(end);
}

void Forward::on_response_body(std::string_view bytes, bool end) {
  activity_ms_ = request_.worker().loop().now_ms();
  request_.info().upstream_body_bytes_received += bytes.size();
  if (end) note_outcome(nullptr);
  if (end) release_upstream();
  request_.on_response_body(bytes, end);
}

void Forward::on_response_trailers(http::HeaderMap& trailers) {
  note_outcome(&trailers);
  release_upstream();
  request_.on_response_trailers(trailers);
}

// The exchange is over on the upstream's side; its connection is already somebody else's.
void Forward::release_upstream() {
  if (complete_ms_ != 0)
    cluster_->shard().record(
        cluster_->stats().rq_time,
        static_cast<uint64_t>(request_.worker().loop().now_ms() - complete_ms_));
  request_.info().last_upstream_rx_ns = request_.worker().loop().now_ns();
  stream_ = nullptr;
  deadline_ms_ = try_deadline_ms_ = INT64_MAX;
  // Nobody takes the rest of the request, so nothing of it is to wait.
  body_waits_ = upstream_full_ = false;
  show_pressure();
  release_host();
  release_slots();
}

// What carried it may take the next one: before it can be asked for that.
void Forward::detach() {
  if (!attached_) return;
  attached_ = false;
  cluster_->detach(*host_, high_);
}

void Forward::release_host() {
  if (host_ == nullptr) return;
  detach();
  cluster_->end(*host_);
  host_ = nullptr;
}

void Forward::remember_host() {
  if (host_ == nullptr || tried_count_ == kMaxTried) return;
  cluster_->remember(*host_);
  tried_[tried_count_++] = host_;
}

void Forward::forget_tried() {
  while (tried_count_ > 0) cluster_->forget(*tried_[--tried_count_]);
}

void Forward::release_slots() {
  forget_tried();
  if (holds_retry_slot_) cluster_->retries(high_).release();
  holds_retry_slot_ = false;
}

// ---- deadlines ----

int64_t Forward::next_deadline_ms() const {
  const int64_t idle =
      try_idle_ms_ > 0 && stream_ != nullptr ? activity_ms_ + try_idle_ms_ : INT64_MAX;
  return std::min({deadline_ms_, try_deadline_ms_, retry_at_ms_, idle});
}

void Forward::on_request_complete(int64_t now_ms) {
  complete_ms_ = now_ms;
  if (stream_ != nullptr && !response_begun_ && policy_.per_try_timeout_ms > 0)
    begin_try_timeout(now_ms);
  if (policy_.timeout_ms > 0 && deadline_ms_ == INT64_MAX)
    deadline_ms_ = now_ms + policy_.timeout_ms;
}

void Forward::check_deadlines(int64_t now_ms) {
  if (now_ms >= deadline_ms_) {
    note_late();
    cluster_->shard().inc(cluster_->stats().rq_timeout);
    return timed_out("response_timeout");
  }
  const bool idle = try_idle_ms_ > 0 && stream_ != nullptr && now_ms >= activity_ms_ + try_idle_ms_;
  if (now_ms >= try_deadline_ms_ || idle) return try_timed_out(idle);
  if (now_ms >= retry_at_ms_) attempt();
}

void Forward::try_timed_out(bool idle) {
  const upstream::ClusterStats& stats = cluster_->stats();
  const bool sent = stream_ != nullptr;
  cluster_->shard().inc(idle ? stats.rq_per_try_idle_timeout : stats.rq_per_try_timeout);
  try_deadline_ms_ = INT64_MAX;
  if (!response_begun_) {
    note_late();
    upstream::Pool::cancel_waiting(*this);
    if (wants_retry_after(ResetReason::kTimeout, policy_.retry_on, sent) && retry()) return;
  }
  timed_out(idle ? "upstream_per_try_idle_timeout" : "upstream_per_try_timeout");
}

void Forward::timed_out(std::string_view details) {
  if (host_ != nullptr) ++host_->counters.rq_timeout;
  LocalReply late;
  late.status = policy_.timeout_status;
  if (late.status == 504) late.body = "upstream request timeout";
  late.details = details;
  late.flags = http::kUpstreamRequestTimeout;
  late.grpc_status = static_cast<int>(http::GrpcStatus::kDeadlineExceeded);
  answer_for_upstream(late);
}

void Forward::cancel() {
  if (cluster_ == nullptr) return;
  shadows_.drop();
  if (waiting()) {
    upstream::Pool::cancel_waiting(*this);
    cluster_->shard().inc(cluster_->stats().rq_cancelled);
  }
  if (stream_ != nullptr) {
    cluster_->shard().inc(cluster_->stats().rq_tx_reset);
    detach();
    std::exchange(stream_, nullptr)->reset(ResetReason::kLocal);
  }
  backing_off_ = false;
  deadline_ms_ = try_deadline_ms_ = retry_at_ms_ = INT64_MAX;
  release_host();
  release_slots();
}

}  // namespace weir
