#pragma once

#include <memory>

#include "proxy/http/h1_client.h"
#include "proxy/upstream/pool.h"

namespace weir::upstream {

// HTTP/1: a connection carries one exchange at a time. One loop.
class H1Pool : public Pool {
 public:
  explicit H1Pool(HostPools& pools) : Pool(pools) {}
  ~H1Pool() override;

 private:
  class Member;

  bool can_lend() const override;
  bool lend_now(ConnectionWaiter& waiter, Lent& lent) override;
  // As many connections under way as there are waiters.
  bool wants_connection(uint32_t waiters) const override { return connecting_ < waiters; }
  std::unique_ptr<PoolConnection> make_connection() override;
  std::unique_ptr<net::TlsSession> new_session() const override;
  uint32_t waiters_of_one() const override { return 1; }
  void on_established(PoolConnection& connection) override;
  void close_idle() override;
  void count_new() override;

  void give_back(Member& member);
  void push_idle(Member& member);
  void unlink_idle(Member& member);

  Member* first_idle_ = nullptr;  // most recently used first
};

}  // namespace weir::upstream
