#pragma once

#include <compare>
#include <memory>
#include <string>
#include <string_view>

#include "proxy/http/message.h"
#include "proxy/upstream/h1_pool.h"
#include "proxy/upstream/h2_pool.h"

namespace weir::tls {
class ClientTls;
}

namespace weir::upstream {

// Whose connections may be shared: those that are for one name and speak for one client.
struct PoolsKey {
  std::string_view name = {};          // see Wish; empty: the configuration alone says it
  std::string_view introduction = {};  // a PROXY header, byte for byte; empty: speaks for nobody
  friend auto operator<=>(const PoolsKey&, const PoolsKey&) = default;
};

// One worker's connections to one host under one key: of either version. One loop.
class HostPools {
 public:
  HostPools(Host& host, net::Loop& loop, const PoolsKey& key)
      : host_(host), loop_(loop), name_(key.name), introduction_(key.introduction), h1_(*this) {}

  Host& host() { return host_; }
  net::Loop& loop() { return loop_; }
  // Valid as long as this object.
  PoolsKey key() const { return {name_, introduction_}; }

  Pool& for_request(http::Protocol downstream);
  // A client's session for a connection of that version; null in the clear.
  std::unique_ptr<net::TlsSession> new_session(bool http2) const;
  // Says on a connection that has just begun for whom it speaks, where the cluster wants that.
  void introduce(net::Connection& connection) const;
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
  std::string introduction_;
  H1Pool h1_;
  std::unique_ptr<H2Pool> h2_;  // since the first request that wanted it
  bool speaks_http2_ = false;   // kAuto: what the last handshake agreed on
};

}  // namespace weir::upstream
