#include "proxy/http/h2_closed_streams.h"

#include <algorithm>

namespace weir::http::h2 {

bool ClosedStreams::note_begun(uint32_t id) {
  if (id <= largest_) return false;
  const uint32_t expected = largest_ == 0 ? 1 : largest_ + 2;
  if (id > expected) gaps_[next_gap_++ % gaps_.size()] = {expected, id - 2};
  largest_ = id;
  return true;
}

void ClosedStreams::note_reset(uint32_t id) {
  if (resets_.size() < kMaxResets) return resets_.push_back(id);
  uint32_t& oldest = resets_[next_reset_++ % kMaxResets];
  forgotten_ = std::max(forgotten_, oldest);
  oldest = id;
}

ClosedStreams::Verdict ClosedStreams::judge(uint32_t id) const {
  for (const Gap& gap : gaps_)
    if (id >= gap.first && id <= gap.last) return Verdict::kNeverBegun;
  if (id <= forgotten_ || std::find(resets_.begin(), resets_.end(), id) != resets_.end())
    return Verdict::kFine;
  return Verdict::kClosed;
}

}  // namespace weir::http::h2
