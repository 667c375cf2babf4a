#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "proxy/base/result.h"

namespace weir::stats {

// The descriptor that a log is written to, and the bytes that it has not taken yet. Writing never
// blocks on a pipe, terminal or socket whose reader is slow. One thread at a time.
class LogOutput {
 public:
  // Opens or creates the file for appending. "/dev/stdout" and "/dev/stderr" are the process's own
  // streams. `mode`: the permissions of one that is created.
  static Result<LogOutput> open(const std::string& path, unsigned mode = kMode);
  static constexpr unsigned kMode = 0644;

  // An output that goes nowhere: for checking a configuration without creating files.
  LogOutput() = default;
  ~LogOutput();
  LogOutput(LogOutput&& other) noexcept;
  LogOutput& operator=(LogOutput&& other) noexcept;

  // Where to append what shall be written.
  std::string& backlog() { return backlog_; }
  size_t waiting() const { return backlog_.size() - written_; }

  enum class Outcome : uint8_t {
    kDone,        // nothing is left
    kWouldBlock,  // the reader is slow: write again when poll(2) says so
    kFailed,      // e.g. the disk is full; the rest is kept for another try
  };
  struct Progress {
    Outcome outcome = Outcome::kDone;
    uint64_t writes = 0;  // that succeeded
  };
  Progress write();

  // Opens the path anew, e.g. after log rotation moved the file away. On an error the old
  // descriptor stays in use. Nothing to do for the process's own streams.
  Result<void> reopen(const std::string& path, unsigned mode = kMode);

  int fd() const { return fd_; }

 private:
  enum class Kind : uint8_t { kNowhere, kFile, kSocket };
  LogOutput(int fd, Kind kind) : fd_(fd), kind_(kind) {}
  void close();
  int64_t write_some(std::string_view bytes);

  int fd_ = -1;
  Kind kind_ = Kind::kNowhere;
  std::string backlog_;
  size_t written_ = 0;  // bytes at the front of backlog_ that are done
};

}  // namespace weir::stats
