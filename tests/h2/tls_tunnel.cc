#include "tests/h2/tls_tunnel.h"

#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>

#include "proxy/tls/testing/sessions.h"

namespace weir::test {

TlsTunnel::TlsTunnel(net::RawSocket to, SSL_CTX& context)
    : peer_(std::move(to), tls::testing::client_session(context)) {
  shaken_ = peer_.shake_hands();
  int fd = -1;
  outside_ = net::RawSocket::pair(SOCK_STREAM, fd);
  inside_ = net::RawSocket(fd);
  if (shaken_) thread_ = std::thread([this] { carry(); });
}

TlsTunnel::~TlsTunnel() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
}

void TlsTunnel::carry() {
  constexpr int kTickMs = 10;
  pollfd ends[2] = {{inside_.fd(), POLLIN, 0}, {peer_.socket().fd(), POLLIN, 0}};
  while (!stop_) {
    if (poll(ends, 2, kTickMs) <= 0) continue;
    if (ends[0].revents != 0) {
      const std::string bytes = inside_.receive_some(0);
      if (bytes.empty()) return peer_.socket().close();
      peer_.send(bytes);
    }
    if (ends[1].revents != 0) {
      const std::string text = peer_.receive_some();
      if (text.empty()) return inside_.close();
      inside_.send(text);
    }
  }
}

}  // namespace weir::test
