#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "proxy/base/result.h"
#include "proxy/stats/log_file.h"
#include "proxy/stats/log_output.h"
#include "proxy/stats/registry.h"

namespace weir::stats {

struct LogWritersOptions {
  uint32_t workers = 1;
  int64_t flush_interval_ms = 10'000;  // --file-flush-interval-msec
  // False when a configuration is only checked: no file is created.
  bool open_files = true;
};

// The thread that writes all logs but the main one, in batches: when a lane has 64 KiB and at every
// flush interval. A full disk or a slow reader delays and finally drops lines (counted as
// `access_log_file.write_dropped`), and never holds up a worker. open(), reopen() and stop() belong
// to the main thread.
class LogWriters {
 public:
  LogWriters(const LogWritersOptions& options, Registry& registry);
  ~LogWriters();  // stops
  LogWriters(const LogWriters&) = delete;
  LogWriters& operator=(const LogWriters&) = delete;

  // The log at `path`; the same object for the same path as long as somebody holds it. A file that
  // nobody holds any more is written out and closed. `mode`: the permissions of one that is
  // created; that of the first who opens it.
  Result<std::shared_ptr<LogFile>> open(const std::string& path, unsigned mode = LogOutput::kMode);

  // Starts the thread. Before that, lines only gather.
  void start();
  // Writes what has gathered to the present files, then opens every path anew (SIGUSR1).
  void reopen();
  // Writes what has gathered, waiting at most kStopWaitMs for slow readers, and ends the thread.
  void stop();
  static constexpr int64_t kStopWaitMs = 1'000;

 private:
  struct Log {
    std::shared_ptr<LogFile> file;
    LogOutput output;
    unsigned mode = LogOutput::kMode;
    LogOutput::Outcome last = LogOutput::Outcome::kDone;
    bool reopen_failed = false;
  };
  struct Counters {
    CounterId flushed_by_timer, reopen_failed, write_buffered, write_completed, write_dropped,
        write_failed;
    GaugeId write_total_buffered;
  };

  void run();
  // Says whether the interval passed.
  bool wait(const std::vector<Log*>& logs);
  std::vector<Log*> logs();
  void flush(Log& log);
  void reopen_log(Log& log);
  void finish(const std::vector<Log*>& logs);
  void drop_unused();
  void count_buffered(const std::vector<Log*>& logs);

  LogWritersOptions options_;
  Shard& shard_;  // the thread's
  Counters counters_;
  int wake_fd_;
  std::atomic<bool> stopping_{false};
  std::atomic<bool> reopen_requested_{false};
  std::mutex mutex_;  // logs_; only the thread removes from it
  std::vector<std::unique_ptr<Log>> logs_;
  std::thread thread_;
};

}  // namespace weir::stats
