#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace weir::stats {

// Where lines for one log gather until the writer's thread takes them. Each worker has a lane of
// its own, whose lock the writer holds for a pointer swap only, so a worker never waits for a disk
// or a pipe. Thread-safe; memory is bounded: a line that finds its lane full is counted and
// dropped.
class LogFile {
 public:
  static constexpr size_t kWakeBytes = 64 * 1024;  // a lane this full wakes the writer
  static constexpr size_t kMaxLaneBytes = 1024 * 1024;

  // `wake_fd`: an eventfd that outlives this object.
  LogFile(std::string path, uint32_t lanes, int wake_fd);

  const std::string& path() const { return path_; }

  // `lane` is the worker's number, or the number of workers for other threads.
  void append(uint32_t lane, std::string_view line);

  // For the writer.
  struct Taken {
    uint64_t lines = 0;
    uint64_t dropped = 0;  // since the last call
  };
  // Moves what gathered to the end of `out`, the lines of one lane in their order.
  Taken take(std::string& out);

 private:
  struct Lane {
    std::mutex mutex;
    std::string pending;
    Taken counts;
  };

  std::string path_;
  int wake_fd_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::string spare_;  // the writer's: what it swaps in
};

}  // namespace weir::stats
