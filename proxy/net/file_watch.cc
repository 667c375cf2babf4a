#include "proxy/net/file_watch.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <utility>

namespace weir::net {

FileWatch::FileWatch(Loop& loop, std::function<void()> changed)
    : loop_(loop),
      changed_(std::move(changed)),
      timer_(*this),
      fd_(inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
  if (fd_ >= 0) watch_.start_level(loop_, fd_, *this);
}

FileWatch::~FileWatch() {
  watch_.stop();
  if (fd_ >= 0) close(fd_);
}

bool FileWatch::add(const std::string& directory) {
  constexpr uint32_t kEvents = IN_CLOSE_WRITE | IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE;
  return fd_ >= 0 && inotify_add_watch(fd_, directory.c_str(), kEvents | IN_ONLYDIR) >= 0;
}

void FileWatch::on_ready(uint8_t /*ready*/) {
  char events[4096];
  // What changed is found out by reading it again.
  while (read(fd_, events, sizeof(events)) > 0) continue;
  if (!timer_.armed()) timer_.set(loop_.timers(), loop_.now_ms() + kGatherMs);
}

void FileWatch::on_timer(Timer& /*timer*/) {
  changed_();
}

std::string parent_directory(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace weir::net
