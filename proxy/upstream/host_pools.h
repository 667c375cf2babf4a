#pragma once

#include <memory>
#include <string>
#include <utility>

#include "proxy/http/message.h"
#include "proxy/upstream/h1_pool.h"
#include "proxy/upstream/h2_pool.h"

namespace weir::tls {
class ClientTls;
}

namespace weir::upstream {

// One worker's connections to one host under one name, which TLS asks for: of either version. One
// loop.
class HostPools {
 public:
  // `name` is empty where the configuration alone says what TLS asks for.
  HostPools(Host& host, net::Loop& loop, std::string name)
      : host_(host), loop_(loop), name_(std::move(name)), h1_(*this) {}

  Host& host() { return host_; }
  net::Loop& loop() { return loop_; }
  const std::string& name() const { return name_; }

  Pool& for_request(http::Protocol downstream);
  // A client's session for a connection of that version; null in the clear.
  std::unique_ptr<net::TlsSession> new_session(bool http2) const;
  const tls::ClientTls* tls() const;

  // kAuto: a handshake of HTTP/1's pool agreed on HTTP/2. Whoever waits goes along.
  bool agreed_on_http2(PoolConnection& connection) const;
  void move_to_http2(PoolConnection& connection);
  // kAuto: the host does not agree on HTTP/2 any more.
  bool lost_http2(PoolConnection& connection) const;
  void back_to_http1();

  void drain();
  void revive();
  bool unused() const { return h1_.unused() && (h2_ == nullptr || h2_->unused()); }
  size_t connections() const {
    return h1_.connections() + (h2_ == nullptr ? 0 : h2_->connections());
  }

 private:
  H2Pool& http2();

  Host& host_;
  net::Loop& loop_;
  std::string name_;
  H1Pool h1_;
  std::unique_ptr<H2Pool> h2_;  // since the first request that wanted it
  bool speaks_http2_ = false;   // kAuto: what the last handshake agreed on
};

}  // namespace weir::upstream
