#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "proxy/stats/registry.h"
#include "proxy/worker.h"

namespace weir {

// All workers, as the main thread sees them.
class Workers {
 public:
  // `drain_ms`: see Worker.
  Workers(uint32_t count, stats::Registry& stats, int64_t drain_ms) {
    for (uint32_t i = 0; i < count; ++i)
      workers_.push_back(std::make_unique<Worker>(i, stats.new_shard(), drain_ms));
  }

  uint32_t size() const { return static_cast<uint32_t>(workers_.size()); }
  Worker& at(uint32_t index) { return *workers_[index]; }

  // The task runs on each worker's thread, soon; before start(), when that starts.
  void each(const std::function<void(Worker&)>& task) {
    for (auto& worker : workers_) worker->loop().post([&worker = *worker, task] { task(worker); });
  }
  // `done` runs on the main loop when the task has run on every worker.
  void each_then(net::Loop& main, const std::function<void(Worker&)>& task,
                 std::function<void()> done);

  void start() {
    for (auto& worker : workers_) worker->start();
  }
  void stop() {
    for (auto& worker : workers_) worker->loop().stop();
    for (auto& worker : workers_) worker->join();
  }

 private:
  std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace weir
