#include "proxy/shadow.h"

#include <memory>
#include <utility>

#include "proxy/request.h"
#include "proxy/upstream_policy.h"
#include "proxy/worker.h"

namespace weir {

Shadow::Shadow(Worker& worker, upstream::WorkerCluster& cluster, const http::RequestHead& original,
               bool suffix_host, int64_t timeout_ms, uint64_t body_limit_bytes)
    : worker_(worker),
      call_(cluster, *this),
      head_(arena_),
      response_(arena_),
      body_(worker.loop().blocks()),
      timer_(*this),
      timeout_ms_(timeout_ms),
      body_limit_bytes_(body_limit_bytes) {
  head_.method = original.method;
  head_.protocol = original.protocol;
  head_.method_text = arena_.copy(original.method_text);
  head_.path = arena_.copy(original.path);
  head_.scheme = arena_.copy(original.scheme);
  head_.authority = suffix_host ? arena_.concat({original.authority, "-shadow"})
                                : arena_.copy(original.authority);
  original.headers.for_each([&](const http::Header& line) {
    head_.headers.add(line.known, arena_.copy(line.name), arena_.copy(line.value));
  });
}

Shadow::~Shadow() = default;

void Shadow::add_body(std::string_view bytes, bool end) {
  if (finished_ || too_large_) {
    if (end) finish();
    return;
  }
  if (body_.size() + bytes.size() > body_limit_bytes_) {
    too_large_ = true;
    body_.clear();
    if (end) finish();
    return;
  }
  body_.append(bytes);
  if (end) start();
}

void Shadow::abandon() {
  finish();
}

void Shadow::start() {
  head_.content_length = static_cast<int64_t>(body_.size());
  if (timeout_ms_ > 0) timer_.set(worker_.loop().timers(), worker_.loop().now_ms() + timeout_ms_);
  upstream::Lent lent;
  upstream::Wish wish;
  wish.set_host(head_.authority, call_.cluster().config());
  const upstream::ClusterCall::Start outcome = call_.start(wish, lent);
  if (outcome == upstream::ClusterCall::Start::kLent) return on_connection(lent);
  if (outcome != upstream::ClusterCall::Start::kWaiting) finish();
}

void Shadow::on_no_connection(http::ResetReason reason, std::string_view /*details*/) {
  call_.on_no_connection(reason);
  finish();
}

void Shadow::on_connection(const upstream::Lent& lent) {
  call_.on_connection(lent);
  call_.stream()->send_head(head_, body_.empty());
  size_t left = body_.size();
  body_.for_each([&](std::string_view run) {
    left -= run.size();
    if (call_.stream() != nullptr) call_.stream()->send_body(run, left == 0);
  });
  worker_.loop().flush();
}

http::ResponseHead& Shadow::fresh_response_head() {
  response_.clear();
  return response_;
}

void Shadow::on_response_head(bool end) {
  call_.on_response_head(response_.status, response_.status);
  if (!end) return;
  call_.on_stream_over();
  finish();
}

void Shadow::on_response_body(std::string_view /*bytes*/, bool end) {
  if (!end) return;
  call_.on_stream_over();
  finish();
}

void Shadow::on_response_trailers(http::HeaderMap& /*trailers*/) {
  call_.on_stream_over();
  finish();
}

void Shadow::on_upstream_reset(http::ResetReason /*reason*/, std::string_view /*details*/) {
  call_.on_reset();
  finish();
}

void Shadow::on_timer(net::Timer& /*timer*/) {
  finish();
}

void Shadow::finish() {
  if (finished_) return;
  finished_ = true;
  timer_.cancel();
  call_.let_go();
  worker_.remove_shadow(*this);
}

void Shadows::start(Request& request, const http::ForwardAction& action, int64_t timeout_ms,
                    bool end) {
  Worker& worker = request.worker();
  for (const http::Mirror& mirror : action.mirrors) {
    if (count_ == kMost) return;
    if (!mirror.share.holds(request.runtime(), worker.loop().random())) continue;
    bool present = false;
    const std::string_view name = mirror.cluster_header.empty()
                                      ? std::string_view(mirror.cluster)
                                      : request.head().value_of(mirror.cluster_header, present);
    upstream::WorkerCluster* target = worker.cluster(name);
    if (target == nullptr) continue;
    Shadow& shadow = worker.add_shadow(
        std::make_unique<Shadow>(worker, *target, request.head(), mirror.suffix_host, timeout_ms,
                                 kept_body_limit(*request.route(), target->config())));
    if (end) {
      shadow.add_body({}, true);
    } else {
      shadows_[count_++] = &shadow;
    }
  }
}

void Shadows::feed(std::string_view bytes, bool end) {
  for (uint32_t i = 0; i < count_; ++i) shadows_[i]->add_body(bytes, end);
  if (end) count_ = 0;
}

void Shadows::drop() {
  for (uint32_t i = 0; i < count_; ++i) shadows_[i]->abandon();
  count_ = 0;
}

}  // namespace weir
