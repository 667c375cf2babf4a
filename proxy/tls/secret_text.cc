#include "proxy/tls/secret_text.h"

#include <fcntl.h>
#include <openssl/mem.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace weir::tls {
namespace {

Error cannot_read(const std::string& path, const std::string& why) {
  return {"unreadable", "cannot read '" + path + "': " + why};
}

}  // namespace

SecretText::SecretText(std::string_view copied) {
  map(copied.size());
  if (bytes_ != nullptr) std::memcpy(bytes_, copied.data(), copied.size());
  size_ = copied.size();
}

SecretText::~SecretText() {
  if (bytes_ == nullptr) return;
  OPENSSL_cleanse(bytes_, mapped_);
  munmap(bytes_, mapped_);
}

// Pages of its own, because only whole pages can be kept out of core files.
void SecretText::map(size_t bytes) {
  if (bytes == 0) return;
  mapped_ = bytes;
  void* at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) std::abort();
  madvise(at, bytes, MADV_DONTDUMP);
  bytes_ = static_cast<char*>(at);
}

Result<SecretText> SecretText::read_file(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return cannot_read(path, std::strerror(errno));
  struct Closer {
    int fd;
    ~Closer() { close(fd); }
  } closer{fd};
  struct stat facts {};
  if (fstat(fd, &facts) != 0) return cannot_read(path, std::strerror(errno));
  if (S_ISDIR(facts.st_mode)) return cannot_read(path, "it is a directory");
  // A pipe may never say anything, and who waits for it is the main thread.
  if (!S_ISREG(facts.st_mode)) return cannot_read(path, "it is no regular file");
  if (static_cast<size_t>(facts.st_size) > kMaxBytes) return cannot_read(path, "it is too large");
  SecretText out;
  // One byte more than it has, to notice that it grows; files of /proc have no size.
  const size_t room = facts.st_size > 0 ? static_cast<size_t>(facts.st_size) + 1 : 64 * 1024;
  out.map(room);
  while (out.size_ < room) {
    const ssize_t n = ::read(fd, out.bytes_ + out.size_, room - out.size_);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return cannot_read(path, std::strerror(errno));
    if (n == 0) return out;
    out.size_ += static_cast<size_t>(n);
  }
  return cannot_read(path, "it grew while it was read, or has no size");
}

}  // namespace weir::tls
