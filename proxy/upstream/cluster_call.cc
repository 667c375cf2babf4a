#include "proxy/upstream/cluster_call.h"

#include <utility>

#include "proxy/upstream/host_feedback.h"

namespace weir::upstream {

using http::ResetReason;

ClusterCall::Start ClusterCall::start(const Wish& wish, Lent& lent) {
  if (cluster_.drop_request() != Drop::kNo) return Start::kDropped;
  host_ = cluster_.pick(std::nullopt, {});
  if (host_ == nullptr) return Start::kNoHost;
  cluster_.begin(*host_);
  switch (host_->acquire(waiter_, false, lent, wish)) {
    case Host::Outcome::kLent:
      attached_ = true;
      return Start::kLent;
    case Host::Outcome::kWaiting:
      return Start::kWaiting;
    case Host::Outcome::kOverflow:
      break;
  }
  return Start::kOverflow;
}

std::string_view ClusterCall::why_not(Start outcome) {
  switch (outcome) {
    case Start::kDropped:
      return "drop overload";
    case Start::kNoHost:
      return "no healthy upstream";
    case Start::kOverflow:
      return "too many connections or requests";
    case Start::kLent:
    case Start::kWaiting:
      break;
  }
  return {};
}

void ClusterCall::on_connection(const Lent& lent) {
  stream_ = lent.stream;
  attached_ = true;
  if (host_->feedback() != nullptr) host_->feedback()->on_connected();
}

void ClusterCall::on_no_connection(ResetReason reason) {
  if (host_->feedback() != nullptr && reason != ResetReason::kOverflow)
    host_->feedback()->on_broken();
}

void ClusterCall::on_response_head(uint16_t status, uint16_t judged) {
  cluster_.shard().inc(cluster_.stats().rq_completed);
  cluster_.count_response(status);
  if (host_->feedback() != nullptr) host_->feedback()->on_response(judged);
}

void ClusterCall::on_stream_over() {
  stream_ = nullptr;
  detach();
}

void ClusterCall::on_reset() {
  on_stream_over();
  cluster_.shard().inc(cluster_.stats().rq_rx_reset);
  if (host_->feedback() != nullptr) host_->feedback()->on_broken();
}

void ClusterCall::note_outcome(bool succeeded) {
  if (host_ != nullptr) ++(succeeded ? host_->counters.rq_success : host_->counters.rq_error);
}

void ClusterCall::detach() {
  if (!std::exchange(attached_, false)) return;
  cluster_.detach(*host_, false);
}

void ClusterCall::let_go() {
  Pool::cancel_waiting(waiter_);
  detach();
  if (stream_ != nullptr) std::exchange(stream_, nullptr)->reset(ResetReason::kLocal);
  if (host_ != nullptr) cluster_.end(*std::exchange(host_, nullptr));
}

}  // namespace weir::upstream
