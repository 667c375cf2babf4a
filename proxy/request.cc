#include "proxy/request.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "proxy/http/grpc.h"
#include "proxy/overload.h"
#include "proxy/request_headers.h"
#include "proxy/worker.h"

namespace weir {

using http::LocalReply;
using http::ResetReason;

namespace {

// Whether such a response has a body (RFC 9110 6.4.1); who sends it drops what others are given.
bool has_body(http::Method method, uint16_t status) {
  return method != http::Method::kHead && status != 204 && status != 304;
}

}  // namespace

Request::Request(Worker& worker)
    : worker_(worker),
      head_(arena_),
      response_(arena_),
      chain_(*this, worker.loop().blocks()),
      forward_(*this, worker.loop().blocks()),
      timer_(*this) {}

int64_t Request::now_ms() {
  return worker_.loop().now_ms();
}

void Request::begin(http::ServerConnection& connection, http::ServerStream& stream,
                    const HcmConfig& hcm) {
  connection_ = &connection;
  stream_ = &stream;
  hcm_ = &hcm;
}

void Request::recycle() {
  chain_.finish();
  forward_.recycle();
  timer_.cancel();
  if (routes_ != nullptr) hcm_->routes->release(worker_.index(), *std::exchange(routes_, nullptr));
  if (filter_use_ != nullptr)
    hcm_->filter_feed->release(worker_.index(), *std::exchange(filter_use_, nullptr));
  head_ = http::RequestHead(arena_);
  response_ = http::ResponseHead(arena_);
  info_ = http::StreamInfo();
  connection_ = nullptr;
  stream_ = nullptr;
  route_ = nullptr;
  picked_ = nullptr;
  response_trailers_ = nullptr;
  local_reply_body_ = wished_destination_ = {};
  pauses_ = 0;
  request_complete_ = response_started_ = response_sent_ = false;
  replied_ = forwarding_ = ended_ = counted_ = grpc_ = upgrade_counted_ = false;
  arena_.reset();
}

// ---- the request's way in ----

void Request::note_start() {
  net::Loop& loop = worker_.loop();
  started_ms_ = last_activity_ms_ = loop.now_ms();
  info_.start_ns = loop.now_ns();
  info_.start_wall_us = loop.wall_us();
  info_.protocol = head_.protocol;
  info_.connection_id = connection_->id();
  info_.stream_id = worker_.next_stream_id();
  info_.downstream_head_bytes_received = stream_->head_bytes_received();
  info_.downstream_direct_remote = &connection_->direct_peer();
  info_.downstream_remote = &connection_->peer();
  info_.downstream_local = &connection_->local();
  info_.tls = connection_->connection().tls();
  if (info_.tls != nullptr) info_.requested_server_name = info_.tls->sni();
  stats::Shard& stats = worker_.stats();
  stats.inc(hcm_->stats.rq_total);
  stats.inc(info_.protocol == http::Protocol::kHttp2 ? hcm_->stats.rq_http2 : hcm_->stats.rq_http1);
  stats.add(hcm_->stats.rq_active, 1);
  counted_ = true;
}

void Request::on_request_head(bool end) {
  note_start();
  grpc_ = http::is_grpc(head_);
  if (end) note_request_complete();
  if (refuse_overloaded()) return;
  LocalReply refusal;
  if (!make_canonical(*this, client_, refusal)) {
    // Who sends what is refused may have meant something else by the bytes that follow.
    if (refusal.status == 400) stream_->close_after_response();
    return reply(refusal);
  }
  find_route();
  if (!check_upgrade()) return;
  start_filters();
  in_head_ = true;
  if (chain_.empty()) {
    request_head_passed(end);
  } else {
    chain_.request_head(end);
  }
  in_head_ = false;
  if (!ended_) arm_timer();
}

// Answers at once what the process is too short of something for.
bool Request::refuse_overloaded() {
  const Overload* overload = hcm_->overload;
  if (overload == nullptr || !overload->refused_requests.any()) return false;
  if (!overload->refused_requests.hits(worker_.loop().random())) return false;
  worker_.stats().inc(hcm_->stats.rq_overload_close);
  LocalReply refusal;
  refusal.status = 503;
  refusal.body = "overloaded";
  refusal.details = "overload";
  refusal.flags = http::kOverloadManager;
  reply(refusal);
  return true;
}

void Request::on_bad_request(uint16_t status, std::string_view details) {
  if (!counted_) note_start();
  const bool late = status == 408;
  worker_.stats().inc(late ? hcm_->stats.rq_header_timeout : hcm_->stats.cx_protocol_error);
  LocalReply refusal;
  refusal.status = status;
  refusal.body = http::reason_phrase(status);
  refusal.details = details;
  if (!late) refusal.flags = http::kDownstreamProtocolError;
  stream_->close_after_response();
  reply(refusal);
}

http::RuntimeLookup Request::runtime() const {
  const LiveRuntime* const runtime = hcm_->runtime.get();
  if (runtime == nullptr) return {};
  return [runtime](std::string_view key) { return runtime->current().number(key); };
}

void Request::find_route() {
  const http::RouteTable::Query query{head_, worker_.loop().random(), info_.tls != nullptr,
                                      runtime()};
  if (routes_ == nullptr) routes_ = &hcm_->routes->acquire(worker_.index());
  const http::RouteTable* table = routes_->table.get();
  if (table == nullptr) table = find_scope();
  route_ = table == nullptr ? nullptr : table->find(query);
  if (route_ == nullptr) return;
  info_.route_name = route_->name;
  info_.virtual_host = route_->host->name;
  const auto* action = std::get_if<http::ForwardAction>(&route_->action);
  if (action != nullptr && action->total_weight > 0) pick_weighted(*action);
}

// Null: there are no scopes, the request is in none of them, or no table has come yet.
const http::RouteTable* Request::find_scope() const {
  if (routes_->scopes == nullptr) return nullptr;
  const std::optional<std::string_view> key = hcm_->scope_keys->key_of(head_);
  if (!key) return nullptr;
  const auto found = routes_->scopes->find(*key);
  return found == routes_->scopes->end() ? nullptr : found->second.get();
}

// What proxies in front agreed upon, so that all choose alike; else chance.
uint64_t Request::weighted_choice(const http::ForwardAction& action) {
  uint64_t given = 0;
  if (!action.weighted_header.empty()) {
    bool present = false;
    const std::string_view text = head_.value_of(action.weighted_header, present);
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), given);
    if (error == std::errc() && end == text.data() + text.size()) return given;
  }
  return worker_.loop().random();
}

// Before the filters, because the choice brings per-filter config of its own.
void Request::pick_weighted(const http::ForwardAction& action) {
  const LiveRuntime* runtime =
      action.weighted_runtime_prefix.empty() ? nullptr : hcm_->runtime.get();
  const auto weight = [&](const http::WeightedCluster& entry) -> uint64_t {
    if (runtime == nullptr) return entry.weight;
    return runtime->number(action.weighted_runtime_prefix + "." + entry.cluster, entry.weight);
  };
  uint64_t total = 0;
  for (const http::WeightedCluster& entry : action.weighted) total += weight(entry);
  if (total == 0) return;
  uint64_t at = weighted_choice(action) % total;
  for (const http::WeightedCluster& entry : action.weighted) {
    picked_ = &entry;
    if (at < weight(entry)) return;
    at -= weight(entry);
  }
}

const HcmConfig::Upgrade* Request::allowed_upgrade() const {
  const std::string_view type =
      head_.method == http::Method::kConnect ? std::string_view("connect") : head_.upgrade;
  const HcmConfig::Upgrade* found = nullptr;
  for (const HcmConfig::Upgrade& upgrade : hcm_->upgrades)
    if (http::equals_ignore_case(upgrade.type, type)) found = &upgrade;
  bool enabled = found != nullptr && found->enabled;
  if (const auto* action = route_ ? std::get_if<http::ForwardAction>(&route_->action) : nullptr)
    for (const auto& upgrade : action->upgrades)
      if (http::equals_ignore_case(upgrade.type, type)) enabled = upgrade.enabled;
  static const HcmConfig::Upgrade kAllowedByRoute{};
  if (!enabled) return nullptr;
  return found != nullptr ? found : &kAllowedByRoute;
}

bool Request::check_upgrade() {
  if (!is_upgrade()) return true;
  if (allowed_upgrade() != nullptr) {
    upgrade_counted_ = true;
    worker_.stats().inc(hcm_->stats.cx_upgrades.total);
    worker_.stats().add(hcm_->stats.cx_upgrades.active, 1);
    return true;
  }
  worker_.stats().inc(hcm_->stats.rq_ws_on_non_ws_route);
  LocalReply refusal;
  refusal.status = 403;
  refusal.details = "upgrade_failed";
  reply(refusal);
  return false;
}

void Request::start_filters() {
  const http::FilterList* filters = &hcm_->filters;
  if (hcm_->filter_feed != nullptr) {
    filter_use_ = &hcm_->filter_feed->acquire(worker_.index());
    filters = filter_use_->filters.get();
  }
  if (is_upgrade())
    if (const auto* upgrade = allowed_upgrade(); upgrade->has_filters) filters = &upgrade->filters;
  if (filters->empty()) return;
  chain_.start({*filters, route_, head_, info_, worker_.loop(), worker_.stats(), worker_.index(),
                connection_->buffer_limit(), picked_ != nullptr ? &picked_->filters : nullptr});
}

std::optional<http::ClusterMembers> Request::cluster_members(std::string_view cluster) {
  const upstream::WorkerCluster* found = worker_.cluster(cluster);
  if (found == nullptr) return std::nullopt;
  const auto& endpoints = found->hosts().endpoints;
  const auto fit = [](const upstream::Endpoint& endpoint) {
    return endpoint.health == upstream::Health::kHealthy ||
           endpoint.health == upstream::Health::kDegraded;
  };
  return http::ClusterMembers{endpoints.size(), static_cast<size_t>(std::count_if(
                                                    endpoints.begin(), endpoints.end(), fit))};
}

void Request::request_head_passed(bool end) {
  if (ended_ || replied_) return;
  if (!chain_.empty() && chain_.route_stale()) find_route();
  if (route_ == nullptr) {
    worker_.stats().inc(hcm_->stats.no_route);
    LocalReply missing;
    missing.status = 404;
    missing.details = "route_not_found";
    missing.flags = http::kNoRouteFound;
    return reply(missing);
  }
  std::visit([&](const auto& action) { act(action, end); }, route_->action);
}

// Once: nobody else needs to tell the client.
void Request::send_continue() {
  http::ResponseHead go_on(arena_);
  go_on.status = 100;
  stream_->send_informational(go_on);
  head_.headers.remove(http::Known::kExpect);
  head_.expects_continue = false;
}

// The upstream hears of the request only when its body is there: it cannot ask for it.
void Request::request_body_wanted() {
  if (head_.expects_continue && !ended_ && !replied_) send_continue();
}

void Request::act(const http::ForwardAction& action, bool end) {
  forwarding_ = true;
  if (head_.expects_continue && !hcm_->proxy_100_continue) send_continue();
  forward_.start(action, end);
  if (in_head_ || ended_) return;
  arm_timer();  // a filter let the head go later, and nobody else looks at the deadlines
}

void Request::act(const http::RedirectAction& action, bool /*end*/) {
  worker_.stats().inc(hcm_->stats.rq_redirect);
  LocalReply redirect;
  redirect.status = action.status;
  redirect.details = "direct_response";
  redirect.headers = {{"location", http::redirect_location(*route_, action, head_)}};
  reply(redirect);
}

void Request::act(const http::DirectAction& action, bool /*end*/) {
  worker_.stats().inc(hcm_->stats.rq_direct_response);
  LocalReply direct;
  direct.status = action.status;
  direct.body = action.body;
  direct.details = "direct_response";
  reply(direct);
}

void Request::note_request_complete() {
  request_complete_ = true;
  info_.last_downstream_rx_ns = worker_.loop().now_ns();
}

void Request::on_request_body(std::string_view bytes, bool end) {
  info_.bytes_received += bytes.size();
  touch();
  if (end) note_request_complete();
  if (ended_ || replied_) return;
  if (chain_.empty()) {
    request_body_passed(bytes, end);
  } else {
    chain_.request_body(bytes, end);
  }
}

void Request::on_request_trailers(http::HeaderMap& trailers) {
  note_request_complete();
  if (ended_ || replied_) return;
  if (chain_.empty()) {
    request_trailers_passed(trailers);
  } else {
    chain_.request_trailers(trailers);
  }
}

void Request::request_body_passed(std::string_view bytes, bool end) {
  if (forwarding_ && !replied_) forward_.send_body(bytes, end);
}

void Request::request_trailers_passed(http::HeaderMap& trailers) {
  if (forwarding_ && !replied_) forward_.send_trailers(trailers);
}

void Request::pause_client(bool pause) {
  pauses_ = static_cast<uint8_t>(pause ? pauses_ + 1 : pauses_ - 1);
  if (!ended_ && pauses_ == (pause ? 1 : 0)) stream_->pause_reading(pause);
}

// ---- the response's way out ----

void Request::on_informational_response(http::ResponseHead& head) {
  if (ended_ || response_started_) return;
  if (head.status == 100 && !hcm_->proxy_100_continue) return;
  stream_->send_informational(head);
}

void Request::on_response_head(bool end) {
  response_started_ = true;
  info_.status = response_.status;
  finish_response_headers(*this, response_, /*local=*/false);
  if (chain_.empty()) {
    response_head_passed(end);
  } else {
    chain_.response_head(response_, end);
  }
}

void Request::on_response_body(std::string_view bytes, bool end) {
  touch();
  if (chain_.empty()) {
    response_body_passed(bytes, end);
  } else {
    chain_.response_body(bytes, end);
  }
}

void Request::on_response_trailers(http::HeaderMap& trailers) {
  response_trailers_ = &trailers;
  if (chain_.empty()) {
    response_trailers_passed(trailers);
  } else {
    chain_.response_trailers(trailers);
  }
}

void Request::response_head_passed(bool end) {
  if (ended_) return;
  info_.status = response_.status;
  info_.first_downstream_tx_ns = worker_.loop().now_ns();
  response_sent_ = true;
  count_response();
  stream_->send_head(response_, end);
  info_.downstream_head_bytes_sent = stream_->head_bytes_sent();
  if (end) response_over();
}

// With its head, as Envoy counts; answers to health checks are none of those.
void Request::count_response() {
  if (info_.health_check) return;
  stats::Shard& stats = worker_.stats();
  stats.inc(hcm_->stats.rq_completed);
  stats.inc(hcm_->stats.listener_rq_completed);
  stats.inc(hcm_->stats.rq_by_class.of(response_.status));
  stats.inc(hcm_->stats.listener_rq_by_class.of(response_.status));
  if (!request_complete_) stats.inc(hcm_->stats.rq_response_before_rq_complete);
}

void Request::response_body_passed(std::string_view bytes, bool end) {
  if (ended_) return;
  if (has_body(head_.method, response_.status)) info_.bytes_sent += bytes.size();
  stream_->send_body(bytes, end);
  if (end) response_over();
}

void Request::response_trailers_passed(http::HeaderMap& trailers) {
  if (ended_) return;
  stream_->send_trailers(trailers);
  response_over();
}

void Request::on_downstream_full(bool full) {
  if (!ended_) forward_.pause_upstream(full);
}

void Request::on_response_broken(ResetReason reason) {
  if (ended_) return;
  if (!response_sent_) {
    // A filter still holds the head: the client has seen nothing.
    response_started_ = false;
    LocalReply broken;
    broken.status = 502;
    broken.body = "upstream connect error or disconnect/reset after headers";
    broken.details = info_.details;
    return reply(broken);
  }
  stream_->reset(reason);
  end();
}

// ---- whom it is for ----

net::Address Request::original_destination() const {
  return net::destination_beyond(connection_->connection().fd(), connection_->local());
}

void Request::say_for_whom(upstream::Wish& wish) const {
  wish.source = &connection_->peer();
  wish.destination = &connection_->local();
  wish.tlvs = connection_->relayed_tlvs();
}

// ---- deadlines ----

void Request::write_timeout(int64_t ms) {
  char* const end = timeout_text_ + sizeof(timeout_text_);
  timeout_text_size_ =
      static_cast<uint8_t>(std::to_chars(timeout_text_, end, ms).ptr - timeout_text_);
  text_ms_ = ms;
}

void Request::arm_timer() {
  int64_t at = forward_.next_deadline_ms();
  if (hcm_->request_timeout_ms > 0 && !request_complete_)
    at = std::min(at, started_ms_ + hcm_->request_timeout_ms);
  if (const int64_t idle = idle_timeout_ms(); idle > 0) at = std::min(at, last_activity_ms_ + idle);
  if (const int64_t most = max_duration_ms(); most != kNoLimit)
    at = std::min(at, started_ms_ + most);
  if (at != INT64_MAX) timer_.set(worker_.loop().timers(), at);
}

int64_t Request::idle_timeout_ms() const {
  const http::ForwardAction* action = forward_.action();
  if (action != nullptr && action->idle_timeout_ms) return *action->idle_timeout_ms;
  return hcm_->stream_idle_timeout_ms;
}

int64_t Request::max_duration_ms() const {
  if (forwarding_) return forward_.max_duration_ms();
  return hcm_->max_stream_duration_ms > 0 ? hcm_->max_stream_duration_ms : kNoLimit;
}

void Request::on_timer(net::Timer& /*timer*/) {
  if (ended_ || stream_ == nullptr) return;
  const int64_t now = now_ms();
  LocalReply late;
  // A client that was waiting did nothing wrong.
  late.status = request_complete_ ? 504 : 408;
  stats::Shard& stats = worker_.stats();
  const int64_t idle = idle_timeout_ms();
  const int64_t most = max_duration_ms();
  if (hcm_->request_timeout_ms > 0 && !request_complete_ &&
      now >= started_ms_ + hcm_->request_timeout_ms) {
    stats.inc(hcm_->stats.rq_timeout);
    late.details = "request_overall_timeout";
    stream_->close_after_response();
  } else if (most != kNoLimit && now >= started_ms_ + most) {
    stats.inc(hcm_->stats.rq_max_duration_reached);
    late.details = "max_duration_timeout";
    late.flags = http::kDurationTimeout;
    late.grpc_status = static_cast<int>(http::GrpcStatus::kDeadlineExceeded);
  } else if (idle > 0 && now >= last_activity_ms_ + idle) {
    stats.inc(hcm_->stats.rq_idle_timeout);
    late.details = "stream_idle_timeout";
    late.flags = http::kStreamIdleTimeout;
    late.body = "stream timeout";
  } else {
    forward_.check_deadlines(now);
    if (!ended_) arm_timer();
    return worker_.loop().flush();
  }
  reply(late);
  worker_.loop().flush();
}

// ---- the end ----

void Request::on_downstream_reset(ResetReason reason, std::string_view details) {
  if (ended_) return;
  info_.details = details;
  info_.flags |= reason == ResetReason::kProtocolError ? http::kDownstreamProtocolError
                                                       : http::kDownstreamConnectionTermination;
  worker_.stats().inc(hcm_->stats.rq_rx_reset);
  forward_.cancel();
  end();
}

void Request::response_over() {
  info_.last_downstream_tx_ns = worker_.loop().now_ns();
  worker_.stats().record(hcm_->stats.rq_time, static_cast<uint64_t>(now_ms() - started_ms_));
  end();
}

void Request::end() {
  ended_ = true;
  forward_.cancel();
  chain_.stop();
  timer_.cancel();
  info_.end_ns = worker_.loop().now_ns();
  if (counted_) worker_.stats().add(hcm_->stats.rq_active, -1);
  if (upgrade_counted_) worker_.stats().add(hcm_->stats.cx_upgrades.active, -1);
  if (hcm_->access_logs != nullptr && counted_) log();
  // Somebody further up the stack may still be at work on this object.
  worker_.loop().defer(this, [](void* self) {
    Request& request = *static_cast<Request*>(self);
    request.worker_.take_back(request);
  });
}

}  // namespace weir
