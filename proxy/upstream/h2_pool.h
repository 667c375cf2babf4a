#pragma once

#include <memory>

#include "proxy/http/h2_client.h"
#include "proxy/upstream/h1_pool.h"

namespace weir::upstream {

// HTTP/2: a connection carries as many exchanges at a time as both sides allow, so one is shared
// until it is full. One loop.
class H2Pool : public Pool {
 public:
  explicit H2Pool(HostPools& pools) : Pool(pools) {}
  ~H2Pool() override;

  // A connection of HTTP/1's pool whose handshake agreed on HTTP/2, and those who wait there.
  void take_over(PoolConnection& connection, H1Pool& from);

 private:
  class Member;

  bool can_lend() const override;
  bool lend_now(ConnectionWaiter& waiter, Lent& lent) override;
  // One is under way for all who wait: how many it can take is known when it stands.
  bool wants_connection(uint32_t waiters) const override { return waiters > 0 && connecting_ == 0; }
  std::unique_ptr<PoolConnection> make_connection() override;
  std::unique_ptr<net::TlsSession> new_session() const override;
  uint32_t waiters_of_one() const override { return UINT32_MAX; }
  void on_established(PoolConnection& connection) override;
  void close_idle() override;
  void count_new() override;

  void has_room(Member& member);
};

}  // namespace weir::upstream
