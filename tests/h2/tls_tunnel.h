#pragma once

#include <openssl/base.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "proxy/net/testing/raw_socket.h"
#include "proxy/tls/testing/tls_peer.h"

namespace weir::test {

// A TLS connection that looks like a plain socket: a thread carries bytes between the two.
class TlsTunnel {
 public:
  // `to` is connected. `context` is a client's.
  TlsTunnel(net::RawSocket to, SSL_CTX& context);
  ~TlsTunnel();
  TlsTunnel(const TlsTunnel&) = delete;
  TlsTunnel& operator=(const TlsTunnel&) = delete;

  bool shaken() const { return shaken_; }
  std::string alpn() { return std::string(peer_.session().alpn()); }
  // What the test speaks on.
  net::RawSocket take_socket() { return std::move(outside_); }

 private:
  void carry();

  tls::testing::TlsPeer peer_;
  net::RawSocket outside_;
  net::RawSocket inside_;
  bool shaken_ = false;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace weir::test
