#pragma once

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "proxy/http/field_syntax.h"
#include "proxy/http/message.h"
#include "proxy/net/loop.h"

// What the two HTTP/2 targets share: one turn of a loop over a connection whose other end has
// written the input, and what every message that gets through must be like.
namespace weir::fuzz {

inline void require(bool holds) {
  if (!holds) std::abort();
}

inline void require_lines(const http::HeaderMap& headers, uint32_t most) {
  uint32_t count = 0;
  headers.for_each([&](const http::Header& line) {
    ++count;
    require(!line.name.empty());
    for (const char c : line.name) require(c != 0 && http::token_char(c) == c);
    for (const char c : line.value) require(!http::is_control(c));
    require(line.known == http::known_header(line.name));
    require(line.known != http::Known::kConnection && line.known != http::Known::kHost &&
            line.known != http::Known::kTransferEncoding && line.known != http::Known::kUpgrade);
  });
  require(count <= most);
}

class Wire {
 public:
  Wire() {
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds_) != 0) std::abort();
  }
  ~Wire() { close(fds_[0]); }
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  // Belongs to whoever takes it.
  int far_end() const { return fds_[1]; }
  void write(std::string_view bytes) {
    if (!bytes.empty() && ::write(fds_[0], bytes.data(), bytes.size()) < 0) std::abort();
  }
  // Everything that is there is read and answered.
  static void turn(net::Loop& loop) {
    loop.stop();
    loop.run();
  }

 private:
  int fds_[2];
};

}  // namespace weir::fuzz
