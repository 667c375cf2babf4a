#pragma once

#include <functional>
#include <string>

#include "proxy/net/loop.h"

namespace weir::net {

// Tells when something in a directory was written, created, moved or removed. Changes are gathered
// for a moment, because files that belong together change one after the other. One loop.
class FileWatch : private Watch::Owner, private Timer::Owner {
 public:
  // `changed` is called on the loop, some time after the first change of a group.
  FileWatch(Loop& loop, std::function<void()> changed);
  ~FileWatch() override;
  FileWatch(const FileWatch&) = delete;
  FileWatch& operator=(const FileWatch&) = delete;

  // Follows symbolic links to where they lead now; adding a directory again follows them anew.
  // False: it cannot be watched, `errno` says why.
  bool add(const std::string& directory);

 private:
  static constexpr int64_t kGatherMs = 50;

  void on_ready(uint8_t ready) override;
  void on_timer(Timer& timer) override;

  Loop& loop_;
  std::function<void()> changed_;
  Watch watch_;
  Timer timer_;
  int fd_;
};

// The directory a path stands in; "." for a bare name.
std::string parent_directory(const std::string& path);

}  // namespace weir::net
