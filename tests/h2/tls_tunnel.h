#pragma once

#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "proxy/net/testing/raw_socket.h"
#include "proxy/tls/testing/sessions.h"
#include "proxy/tls/testing/tls_peer.h"

namespace weir::test {

// A TLS connection that looks like a plain socket: a thread carries bytes between the two.
class TlsTunnel {
 public:
  // `to` is connected. `context` is a client's.
  TlsTunnel(net::RawSocket to, SSL_CTX& context)
      : peer_(std::move(to), tls::testing::client_session(context)) {
    shaken_ = peer_.shake_hands();
    int fd = -1;
    outside_ = net::RawSocket::pair(SOCK_STREAM, fd);
    inside_ = net::RawSocket(fd);
    if (shaken_) thread_ = std::thread([this] { carry(); });
  }
  ~TlsTunnel() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
  }
  TlsTunnel(const TlsTunnel&) = delete;
  TlsTunnel& operator=(const TlsTunnel&) = delete;

  bool shaken() const { return shaken_; }
  std::string alpn() { return std::string(peer_.session().alpn()); }
  // What the test speaks on.
  net::RawSocket take_socket() { return std::move(outside_); }

 private:
  void carry() {
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

  tls::testing::TlsPeer peer_;
  net::RawSocket outside_;
  net::RawSocket inside_;
  bool shaken_ = false;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace weir::test
