#include "tests/bench/origin.h"

#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace weir::bench {
namespace {

constexpr size_t kLargeBytes = 64 * 1024;

class OriginConnection final : public EventLoop::Handler {
 public:
  OriginConnection(EventLoop& loop, int fd, const Origin& origin)
      : loop_(loop), fd_(fd), origin_(origin) {
    loop.add(fd, EPOLLIN, *this);
  }

  void on_events(uint32_t events) override {
    if ((events & EPOLLOUT) != 0 ? !write_on() : !read_on()) end();
  }

 private:
  bool read_on() {
    if (body_left_ > 0) return skip_body();
    const ssize_t got = recv(fd_, head_.data() + held_, head_.size() - held_, 0);
    if (got < 0 && errno == EAGAIN) return true;
    if (got <= 0) return false;
    held_ += static_cast<size_t>(got);
    return serve_held();
  }

  // The body of a request is counted in the kernel and not copied.
  bool skip_body() {
    const ssize_t got = recv(fd_, nullptr, body_left_, MSG_TRUNC);
    if (got < 0 && errno == EAGAIN) return true;
    if (got <= 0) return false;
    body_left_ -= static_cast<size_t>(got);
    return body_left_ > 0 || respond();
  }

  // Answers every request whose bytes are all here.
  bool serve_held() {
    while (const size_t end = head_end(head_.data(), held_)) {
      const size_t body = content_length(head_.data(), end);
      const size_t here = std::min(body, held_ - end);
      body_left_ = body - here;
      held_ -= end + here;
      std::memmove(head_.data(), head_.data() + end + here, held_);
      if (body_left_ > 0) return true;
      if (!respond()) return false;
      if (sent_ > 0) return true;  // the rest is served when this response is out
    }
    return held_ < head_.size();
  }

  bool respond() {
    sent_ = 0;
    return write_some();
  }

  bool write_some() {
    const std::string& response = origin_.response();
    while (sent_ < response.size()) {
      auto offset = static_cast<off_t>(sent_);
      const size_t left = response.size() - sent_;
      const ssize_t sent = response.size() < kLargeBytes
                               ? send(fd_, response.data() + sent_, left, MSG_NOSIGNAL)
                               : sendfile(fd_, origin_.response_file(), &offset, left);
      if (sent < 0 && errno == EAGAIN) {
        loop_.change(fd_, EPOLLOUT, *this);
        return true;
      }
      if (sent <= 0) return false;
      sent_ += static_cast<size_t>(sent);
    }
    sent_ = 0;
    return true;
  }

  bool write_on() {
    if (!write_some()) return false;
    if (sent_ > 0) return true;
    loop_.change(fd_, EPOLLIN, *this);
    return serve_held();
  }

  void end() {
    close(fd_);
    delete this;  // made by Origin, known to nobody else
  }

  EventLoop& loop_;
  int fd_;
  const Origin& origin_;
  std::array<char, 32768> head_;
  size_t held_ = 0;
  size_t body_left_ = 0;
  size_t sent_ = 0;
};

}  // namespace

Origin::Origin(EventLoop& loop, uint16_t port, size_t body_bytes)
    : loop_(loop),
      listener_(listen_on(port)),
      response_(
          "HTTP/1.1 200 OK\r\nDate: Mon, 05 Jan 2026 10:00:00 GMT\r\n"
          "Content-Type: application/octet-stream\r\nETag: \"1f2e3d\"\r\n"
          "Content-Length: " +
          std::to_string(body_bytes) + "\r\n\r\n" + std::string(body_bytes, 'o')),
      response_file_(memfd_create("response", MFD_CLOEXEC)) {
  if (write(response_file_, response_.data(), response_.size()) !=
      static_cast<ssize_t>(response_.size()))
    die("memfd_create");
  loop.add(listener_, EPOLLIN, *this);
}

void Origin::on_events(uint32_t) {
  for (int fd; (fd = accept_from(listener_)) >= 0;) new OriginConnection(loop_, fd, *this);
}

size_t head_end(const char* bytes, size_t count) {
  const void* found = memmem(bytes, count, "\r\n\r\n", 4);
  return found == nullptr ? 0 : static_cast<size_t>(static_cast<const char*>(found) - bytes) + 4;
}

size_t content_length(const char* head, size_t bytes) {
  static constexpr std::string_view kName = "content-length:";
  for (const char* line = head; line + kName.size() < head + bytes;) {
    if (strncasecmp(line, kName.data(), kName.size()) == 0)
      return std::strtoull(line + kName.size(), nullptr, 10);
    const void* next = std::memchr(line, '\n', static_cast<size_t>(head + bytes - line));
    if (next == nullptr) break;
    line = static_cast<const char*>(next) + 1;
  }
  return 0;
}

}  // namespace weir::bench
