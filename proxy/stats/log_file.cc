#include "proxy/stats/log_file.h"

#include <sys/eventfd.h>

#include <algorithm>
#include <utility>

namespace weir::stats {

LogFile::LogFile(std::string path, uint32_t lanes, int wake_fd)
    : path_(std::move(path)), wake_fd_(wake_fd) {
  for (uint32_t i = 0; i < std::max(lanes, 1u); ++i) lanes_.push_back(std::make_unique<Lane>());
}

void LogFile::append(uint32_t lane_number, std::string_view line) {
  Lane& lane = *lanes_[std::min<size_t>(lane_number, lanes_.size() - 1)];
  bool wake = false;
  {
    const std::lock_guard lock(lane.mutex);
    const size_t before = lane.pending.size();
    if (before + line.size() > kMaxLaneBytes) {
      ++lane.counts.dropped;
      return;
    }
    lane.pending += line;
    ++lane.counts.lines;
    wake = before < kWakeBytes && before + line.size() >= kWakeBytes;
  }
  if (wake) eventfd_write(wake_fd_, 1);
}

LogFile::Taken LogFile::take(std::string& out) {
  Taken total;
  for (const auto& lane : lanes_) {
    spare_.clear();
    Taken counts;
    {
      const std::lock_guard lock(lane->mutex);
      spare_.swap(lane->pending);
      counts = std::exchange(lane->counts, {});
    }
    out += spare_;
    total.lines += counts.lines;
    total.dropped += counts.dropped;
  }
  return total;
}

}  // namespace weir::stats
