#include "config/read_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace weir::config {
namespace {

constexpr std::size_t kChunkBytes = std::size_t{256} << 10;

// Closes a file descriptor.
class OpenFile {
 public:
  OpenFile(const std::string& path, int more_flags)
      : fd_(open(path.c_str(), O_RDONLY | O_CLOEXEC | more_flags)) {}
  ~OpenFile() {
    if (fd_ >= 0) close(fd_);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  int fd() const { return fd_; }

 private:
  int fd_;
};

void fail(const std::string& path, Code code, std::string message, Diagnostics& diagnostics,
          std::string hint = {}) {
  Diagnostic diagnostic;
  diagnostic.code = code;
  diagnostic.message = std::move(message);
  diagnostic.hint = std::move(hint);
  diagnostic.file = path;
  diagnostics.add(std::move(diagnostic));
}

// -1 with errno set after an error, 0 at the end.
ssize_t read_some(int fd, std::string& out) {
  const std::size_t size = out.size();
  out.resize(size + kChunkBytes);
  ssize_t count = 0;
  do {
    count = read(fd, out.data() + size, kChunkBytes);
  } while (count < 0 && errno == EINTR);
  out.resize(size + static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
  return count;
}

// Neither a file nor a directory, of which reading says what is wrong.
bool is_special(int fd) {
  struct stat facts {};
  return fstat(fd, &facts) == 0 && !S_ISREG(facts.st_mode) && !S_ISDIR(facts.st_mode);
}

}  // namespace

std::optional<std::string> read_file(const std::string& path, std::size_t max_bytes,
                                     Diagnostics& diagnostics, FileKind kind) {
  const OpenFile file(path, kind == FileKind::kRegular ? O_NONBLOCK : 0);
  if (file.fd() < 0) {
    fail(path, Code::kIo, std::string("cannot be opened: ") + std::strerror(errno), diagnostics);
    return std::nullopt;
  }
  if (kind == FileKind::kRegular && is_special(file.fd())) {
    fail(path, Code::kIo, "is no regular file", diagnostics, "a pipe or device is not read");
    return std::nullopt;
  }
  std::string text;
  ssize_t count = 0;
  while ((count = read_some(file.fd(), text)) > 0) {
    if (text.size() <= max_bytes) continue;
    fail(path, Code::kLimit, "has more than the " + std::to_string(max_bytes) + " bytes allowed",
         diagnostics);
    return std::nullopt;
  }
  if (count == 0) return text;
  const bool is_directory = errno == EISDIR;
  fail(path, Code::kIo,
       is_directory ? "is a directory, not a file"
                    : std::string("cannot be read: ") + std::strerror(errno),
       diagnostics);
  return std::nullopt;
}

}  // namespace weir::config
