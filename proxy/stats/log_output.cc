#include "proxy/stats/log_output.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace weir::stats {
namespace {

constexpr int kFlags = O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;

// 1 or 2 for the process's own streams, else -1.
int stream_number(std::string_view path) {
  if (path == "/dev/stdout") return STDOUT_FILENO;
  if (path == "/dev/stderr") return STDERR_FILENO;
  return -1;
}

// O_NONBLOCK belongs to the open file, which a shell or a container runtime may share with us, so a
// pipe or terminal is opened once more. A regular file never blocks and must keep the offset that
// it shares; a socket cannot be opened and is written with MSG_DONTWAIT.
int open_stream(int number) {
  struct stat status {};
  if (fstat(number, &status) != 0) return -1;
  if (S_ISFIFO(status.st_mode) || S_ISCHR(status.st_mode)) {
    const std::string own = "/proc/self/fd/" + std::to_string(number);
    const int fd = ::open(own.c_str(), O_WRONLY | kFlags);
    if (fd >= 0) return fd;
  }
  return fcntl(number, F_DUPFD_CLOEXEC, 0);
}

int open_path(const std::string& path, unsigned mode) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | kFlags, mode);
  // A named pipe that nobody reads yet: held open for both, so that a reader may come later.
  if (fd < 0 && errno == ENXIO) return ::open(path.c_str(), O_RDWR | kFlags);
  return fd;
}

bool is_socket(int fd) {
  struct stat status {};
  return fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode);
}

}  // namespace

Result<LogOutput> LogOutput::open(const std::string& path, unsigned mode) {
  const int stream = stream_number(path);
  const int fd = stream >= 0 ? open_stream(stream) : open_path(path, mode);
  if (fd < 0)
    return Error{"log-open", "cannot open the log file '" + path + "': " + std::strerror(errno) +
                                 "; create its folder, or let this user write there"};
  return LogOutput(fd, is_socket(fd) ? Kind::kSocket : Kind::kFile);
}

LogOutput::~LogOutput() {
  close();
}

LogOutput::LogOutput(LogOutput&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      kind_(std::exchange(other.kind_, Kind::kNowhere)),
      backlog_(std::exchange(other.backlog_, {})),
      written_(std::exchange(other.written_, 0)) {}

LogOutput& LogOutput::operator=(LogOutput&& other) noexcept {
  if (this == &other) return *this;
  close();
  fd_ = std::exchange(other.fd_, -1);
  kind_ = std::exchange(other.kind_, Kind::kNowhere);
  backlog_ = std::exchange(other.backlog_, {});
  written_ = std::exchange(other.written_, 0);
  return *this;
}

void LogOutput::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

int64_t LogOutput::write_some(std::string_view bytes) {
  switch (kind_) {
    case Kind::kNowhere:
      return static_cast<int64_t>(bytes.size());
    case Kind::kSocket:
      return send(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    case Kind::kFile:
      return ::write(fd_, bytes.data(), bytes.size());
  }
  return -1;
}

LogOutput::Progress LogOutput::write() {
  Progress progress;
  while (waiting() > 0) {
    const int64_t done = write_some(std::string_view(backlog_).substr(written_));
    if (done >= 0) {
      written_ += static_cast<size_t>(done);
      ++progress.writes;
    } else if (errno != EINTR) {
      const bool blocked = errno == EAGAIN || errno == EWOULDBLOCK;
      progress.outcome = blocked ? Outcome::kWouldBlock : Outcome::kFailed;
      return progress;
    }
  }
  backlog_.clear();
  written_ = 0;
  return progress;
}

Result<void> LogOutput::reopen(const std::string& path, unsigned mode) {
  if (kind_ == Kind::kNowhere || stream_number(path) >= 0) return {};
  Result<LogOutput> fresh = open(path, mode);
  if (!fresh) return fresh.error();
  close();
  fd_ = std::exchange(fresh->fd_, -1);
  kind_ = fresh->kind_;
  return {};
}

}  // namespace weir::stats
