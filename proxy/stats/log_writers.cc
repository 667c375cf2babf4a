#include "proxy/stats/log_writers.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>

namespace weir::stats {
namespace {

using Outcome = LogOutput::Outcome;

// A reader that went away must be an error of write(2), and signals to the process are the main
// thread's.
void block_signals() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

int64_t monotonic_ms() {
  using std::chrono::duration_cast;
  using std::chrono::milliseconds;
  return duration_cast<milliseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

LogWriters::LogWriters(const LogWritersOptions& options, Registry& registry)
    : options_(options),
      shard_(registry.new_shard()),
      counters_{registry.counter("access_log_file.flushed_by_timer"),
                registry.counter("access_log_file.reopen_failed"),
                registry.counter("access_log_file.write_buffered"),
                registry.counter("access_log_file.write_completed"),
                registry.counter("access_log_file.write_dropped"),
                registry.counter("access_log_file.write_failed"),
                registry.gauge("access_log_file.write_total_buffered")},
      wake_fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}

LogWriters::~LogWriters() {
  stop();
  ::close(wake_fd_);
}

Result<std::shared_ptr<LogFile>> LogWriters::open(const std::string& path, unsigned mode) {
  const std::lock_guard lock(mutex_);
  for (const auto& log : logs_)
    if (log->file->path() == path) return log->file;
  auto log = std::make_unique<Log>();
  log->mode = mode;
  if (options_.open_files) {
    Result<LogOutput> output = LogOutput::open(path, mode);
    if (!output) return output.error();
    log->output = output.take();
  }
  // One lane more, for threads that are no workers.
  log->file = std::make_shared<LogFile>(path, options_.workers + 1, wake_fd_);
  logs_.push_back(std::move(log));
  return logs_.back()->file;
}

void LogWriters::start() {
  if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
}

void LogWriters::reopen() {
  reopen_requested_ = true;
  eventfd_write(wake_fd_, 1);
}

void LogWriters::stop() {
  if (!thread_.joinable()) return;
  stopping_ = true;
  eventfd_write(wake_fd_, 1);
  thread_.join();
}

void LogWriters::run() {
  block_signals();
  while (!stopping_) {
    if (wait(logs())) shard_.inc(counters_.flushed_by_timer);
    const bool reopening = reopen_requested_.exchange(false);
    const std::vector<Log*> present = logs();
    for (Log* log : present) {
      flush(*log);
      if (reopening || log->reopen_failed) reopen_log(*log);
    }
    count_buffered(present);
    drop_unused();
  }
  finish(logs());
}

bool LogWriters::wait(const std::vector<Log*>& logs) {
  std::vector<pollfd> watched{{wake_fd_, POLLIN, 0}};
  // A descriptor that failed is not watched: its error would end each poll at once.
  for (const Log* log : logs)
    if (log->last == Outcome::kWouldBlock) watched.push_back({log->output.fd(), POLLOUT, 0});
  const int ready =
      poll(watched.data(), watched.size(), static_cast<int>(options_.flush_interval_ms));
  eventfd_t ignored = 0;
  if (watched[0].revents != 0) eventfd_read(wake_fd_, &ignored);
  return ready == 0;
}

std::vector<LogWriters::Log*> LogWriters::logs() {
  const std::lock_guard lock(mutex_);
  std::vector<Log*> out;
  for (const auto& log : logs_) out.push_back(log.get());
  return out;
}

// New lines are taken only when the old ones are written, so that memory stays bounded: meanwhile
// they gather in their lanes.
void LogWriters::flush(Log& log) {
  if (log.output.waiting() == 0) {
    const LogFile::Taken taken = log.file->take(log.output.backlog());
    shard_.inc(counters_.write_buffered, taken.lines);
    shard_.inc(counters_.write_dropped, taken.dropped);
  }
  const LogOutput::Progress progress = log.output.write();
  shard_.inc(counters_.write_completed, progress.writes);
  if (progress.outcome == Outcome::kFailed) shard_.inc(counters_.write_failed);
  log.last = progress.outcome;
}

void LogWriters::reopen_log(Log& log) {
  log.reopen_failed = !log.output.reopen(log.file->path(), log.mode).ok();
  if (log.reopen_failed) shard_.inc(counters_.reopen_failed);
}

// Twice around for each: once for what waited, once for what is still in the lanes.
void LogWriters::finish(const std::vector<Log*>& logs) {
  const int64_t deadline_ms = monotonic_ms() + kStopWaitMs;
  for (Log* log : logs) {
    for (;;) {
      flush(*log);
      if (log->last == Outcome::kDone) {
        flush(*log);
        if (log->last == Outcome::kDone) break;
      }
      const int64_t left_ms = deadline_ms - monotonic_ms();
      if (log->last == Outcome::kFailed || left_ms <= 0) break;
      pollfd watched{log->output.fd(), POLLOUT, 0};
      poll(&watched, 1, static_cast<int>(left_ms));
    }
  }
  count_buffered(logs);
}

void LogWriters::drop_unused() {
  const std::lock_guard lock(mutex_);
  std::erase_if(logs_, [this](const std::unique_ptr<Log>& log) {
    if (log->file.use_count() != 1 || log->output.waiting() != 0) return false;
    flush(*log);  // the last holder may have written since
    return log->output.waiting() == 0;
  });
}

void LogWriters::count_buffered(const std::vector<Log*>& logs) {
  int64_t total = 0;
  for (const Log* log : logs) total += static_cast<int64_t>(log->output.waiting());
  shard_.add(counters_.write_total_buffered,
             total - static_cast<int64_t>(shard_.value(counters_.write_total_buffered.index)));
}

}  // namespace weir::stats
