#pragma once

#include <future>
#include <memory>
#include <thread>
#include <type_traits>
#include <utility>

#include "proxy/net/loop.h"

namespace weir::net {

// A loop that runs on a thread of its own, for tests. What belongs to the loop is made, used and
// destroyed through run().
class LoopThread {
 public:
  LoopThread() : thread_([this] { loop_.run(); }) {}
  ~LoopThread() { stop(); }
  LoopThread(const LoopThread&) = delete;
  LoopThread& operator=(const LoopThread&) = delete;

  Loop& loop() { return loop_; }

  // Runs `task` on the loop's thread, and waits for its result. Each call is a turn of its own: the
  // previous one's writes were flushed and its objects were destroyed.
  template <class Task>
  auto run(Task task) {
    using R = std::invoke_result_t<Task>;
    auto promise = std::make_shared<std::promise<R>>();
    std::future<R> result = promise->get_future();
    loop_.post([promise, &task] {
      if constexpr (std::is_void_v<R>) {
        task();
        promise->set_value();
      } else {
        promise->set_value(task());
      }
    });
    return result.get();
  }

  void stop() {
    if (!thread_.joinable()) return;
    loop_.stop();
    thread_.join();
  }

 private:
  Loop loop_;
  std::thread thread_;
};

}  // namespace weir::net
