#include "proxy/upstream/host_feedback.h"

#include <algorithm>

namespace weir::upstream {

using Note = FeedbackBox::Note;

namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;
// What failures of our own count as, where they are not told apart.
constexpr uint16_t kBroken = 503;
constexpr uint16_t kLate = 504;

bool is_gateway_failure(uint16_t status) {
  return status >= 502 && status <= 504;
}

// A write that changes nothing would take the line from the other workers.
void clear(std::atomic<uint32_t>& counter) {
  if (counter.load(kRelaxed) != 0) counter.store(0, kRelaxed);
}

}  // namespace

void HostFeedback::count(Origin origin, bool success) {
  Counts& counts = origin == Origin::kExternal ? external_ : local_;
  counts.total.fetch_add(1, kRelaxed);
  if (success) counts.successes.fetch_add(1, kRelaxed);
}

// Told once: the main thread, which decides, lets them begin anew.
void HostFeedback::add(std::atomic<uint32_t>& in_a_row, uint32_t limit, Note note) {
  if (in_a_row.fetch_add(1, kRelaxed) + 1 == limit) box_->post(key_, note);
}

void HostFeedback::on_response(uint16_t status) {
  if (outlier_ == nullptr) return;
  const bool failed = status >= 500;
  count(Origin::kExternal, !failed);
  if (!failed) clear(in_a_row_5xx_);
  if (!is_gateway_failure(status)) clear(in_a_row_gateway_);
  if (!failed) return;
  if (is_gateway_failure(status))
    add(in_a_row_gateway_, outlier_->consecutive_gateway_failure, Note::kGatewayFailure);
  add(in_a_row_5xx_, outlier_->consecutive_5xx, Note::k5xx);
}

void HostFeedback::on_connected() {
  if (outlier_ == nullptr || !outlier_->split_local_origin) return;
  count(Origin::kLocal, true);
  clear(in_a_row_local_);
}

void HostFeedback::on_relay() {
  if (outlier_ == nullptr) return;
  if (outlier_->split_local_origin) return on_connected();
  on_response(200);
}

void HostFeedback::on_broken() {
  if (outlier_ == nullptr) return;
  if (outlier_->split_local_origin) return on_local_failure();
  on_response(kBroken);
}

void HostFeedback::on_timeout() {
  if (outlier_ == nullptr) return;
  if (outlier_->split_local_origin) return on_local_failure();
  on_response(kLate);
}

void HostFeedback::on_local_failure() {
  count(Origin::kLocal, false);
  add(in_a_row_local_, outlier_->consecutive_local_origin_failure, Note::kLocalOriginFailure);
}

HostFeedback::Window HostFeedback::take_window(Origin origin) {
  Counts& counts = origin == Origin::kExternal ? external_ : local_;
  // In this order, so that there are never more successes than there were at all.
  const uint32_t successes = counts.successes.exchange(0, kRelaxed);
  const uint32_t total = counts.total.exchange(0, kRelaxed);
  return {total, std::min(successes, total)};
}

void HostFeedback::forget(Ejection kind) {
  if (kind == Ejection::kConsecutive5xx) in_a_row_5xx_.store(0, kRelaxed);
  if (kind == Ejection::kConsecutiveGatewayFailure) in_a_row_gateway_.store(0, kRelaxed);
  if (kind == Ejection::kConsecutiveLocalOriginFailure) in_a_row_local_.store(0, kRelaxed);
}

void HostFeedback::forget_all() {
  forget(Ejection::kConsecutive5xx);
  forget(Ejection::kConsecutiveGatewayFailure);
  forget(Ejection::kConsecutiveLocalOriginFailure);
}

}  // namespace weir::upstream
