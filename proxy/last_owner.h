#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <utility>

#include "proxy/net/loop.h"

namespace weir {

// Keeps what was published to the workers and is replaced, until none of them uses it any more: so
// that the main thread frees its many parts, and no worker has to stop for that. Main thread.
class LastOwner : private net::Timer::Owner {
 public:
  explicit LastOwner(net::Loop& loop) : loop_(loop) {}

  // Of an immutable object that nobody reaches by a weak_ptr. It may be in use on the main thread
  // still, and may be given again. Null is nothing.
  void keep(std::shared_ptr<const void> object) {
    if (object == nullptr) return;
    kept_.try_emplace(object.get(), object);
    wait_ms_ = kFirstMs;
    timer_.set(loop_.timers(), loop_.now_ms() + wait_ms_);
  }
  size_t size() const { return kept_.size(); }

 private:
  // A request that uses an old object may last for hours.
  static constexpr int64_t kFirstMs = 50;
  static constexpr int64_t kLastMs = 5000;

  void on_timer(net::Timer& /*timer*/) override {
    std::erase_if(kept_, [](const auto& item) { return item.second.use_count() == 1; });
    if (kept_.empty()) return;
    wait_ms_ = std::min(2 * wait_ms_, kLastMs);
    timer_.set(loop_.timers(), loop_.now_ms() + wait_ms_);
  }

  net::Loop& loop_;
  std::unordered_map<const void*, std::shared_ptr<const void>> kept_;
  int64_t wait_ms_ = kFirstMs;
  net::Timer timer_{*this};
};

}  // namespace weir
