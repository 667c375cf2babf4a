#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>

#include "proxy/net/loop.h"
#include "proxy/workers.h"

namespace weir {

// Waits until the workers' connections have ended and nothing else is awaited, or the time is over;
// what is left is closed then. Main thread.
class DrainWatch : private net::Timer::Owner {
 public:
  // `awaits`: whether there is something else; it may be empty.
  DrainWatch(net::Loop& loop, Workers& workers, int64_t time_ms, std::function<bool()> awaits,
             std::function<void()> done);

  // A second signal is impatience.
  void hurry() { deadline_ms_ = loop_.now_ms(); }

 private:
  static constexpr int64_t kPollMs = 24;

  void poll();
  void on_timer(net::Timer& timer) override;

  net::Loop& loop_;
  Workers& workers_;
  std::function<bool()> awaits_;
  std::function<void()> done_;
  net::Timer timer_;
  int64_t deadline_ms_;
  std::atomic<size_t> open_{0};
  std::atomic<size_t> answers_{0};
};

// Calls once, later. Main thread.
class Later : private net::Timer::Owner {
 public:
  Later(net::Loop& loop, int64_t time_ms, std::function<void()> then)
      : then_(std::move(then)), timer_(*this) {
    timer_.set(loop.timers(), loop.now_ms() + time_ms);
  }
  void cancel() { timer_.cancel(); }

 private:
  void on_timer(net::Timer& /*timer*/) override { then_(); }

  std::function<void()> then_;
  net::Timer timer_;
};

}  // namespace weir
