#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "proxy/http/stream.h"
#include "proxy/net/connection.h"
#include "proxy/net/timer_wheel.h"

namespace weir::upstream {

class Host;
class HostPools;
class Pool;

// A stream on an upstream connection, as the request that got it sees it.
struct Lent {
  http::ClientStream* stream = nullptr;
  net::TlsSession* tls = nullptr;  // null in the clear
  uint64_t connection_id = 0;
  const net::Address* local = nullptr;
  http::Protocol protocol = http::Protocol::kHttp11;
  bool reused = false;  // the connection has carried requests before
};

// A request that wants a connection to a host. Intrusive: waits in a pool's queue.
class ConnectionWaiter {
 public:
  virtual ~ConnectionWaiter() = default;
  // The events that the stream is to be attached to.
  virtual http::ClientStreamEvents& stream_events() = 0;
  // What is written is flushed by whoever calls.
  virtual void on_connection(const Lent& lent) = 0;
  virtual void on_no_connection(http::ResetReason reason, std::string_view details) = 0;
  bool waiting() const { return pool_ != nullptr; }

 private:
  friend class Pool;
  ConnectionWaiter* next_ = nullptr;
  ConnectionWaiter* previous_ = nullptr;
  Pool* pool_ = nullptr;
  bool high_priority_ = false;
};

// One upstream connection and what its pool knows of it.
class PoolConnection : protected net::Timer::Owner {
 public:
  explicit PoolConnection(Pool& pool) : pool_(pool), timer_(*this) {}
  ~PoolConnection() override = default;

  virtual net::Connection& connection() = 0;
  // An errno when not even a start is possible. The owner is told of the rest. `tls` may be null.
  virtual int connect(const net::Address& to, const net::Address* bind_to, size_t buffer_limit,
                      std::unique_ptr<net::TlsSession> tls) = 0;
  // Ends in Pool::closed.
  virtual void close() = 0;

 protected:
  friend class Pool;
  void on_timer(net::Timer& timer) override;
  // The idle time is over, or the connection has lived as long as it may.
  virtual void on_idle() = 0;

  Pool& pool_;
  net::Timer timer_;
  net::Address local_;
  uint64_t id_ = 0;
  uint64_t uses_ = 0;
  int64_t started_ms_ = 0;
  int64_t old_at_ms_ = INT64_MAX;  // when it has lived as long as it may
  uint32_t slot_ = 0;
  bool high_priority_ = false;
  bool established_ = false;
  bool counted_ = false;  // holds a slot of the connection limit
};

// One worker's connections of one kind to one host, and the requests that wait for one. One loop.
class Pool {
 public:
  explicit Pool(HostPools& pools);
  virtual ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  // A stream at once, or later by the waiter's calls; kOverflow: too many are under way or wait,
  // and this one will not be called. A stream is one of the cluster's requests, until whoever got
  // it calls WorkerCluster::detach.
  enum class Outcome : uint8_t { kLent, kWaiting, kOverflow };
  Outcome acquire(ConnectionWaiter& waiter, bool high_priority, Lent& lent);
  void cancel(ConnectionWaiter& waiter);
  static void cancel_waiting(ConnectionWaiter& waiter) {
    if (waiter.pool_ != nullptr) waiter.pool_->cancel(waiter);
  }

  // Ends idle connections; those at work end with what they carry.
  void drain();
  void revive() { draining_ = false; }
  size_t connections() const { return connections_.size(); }
  bool unused() const { return connections_.empty() && first_waiter_ == nullptr; }
  // Those who wait there wait here from now on.
  void take_waiters(Pool& other);

 protected:
  friend class PoolConnection;

  // Whether a connection that stands can take one more.
  virtual bool can_lend() const = 0;
  // Fills `lent` then.
  virtual bool lend_now(ConnectionWaiter& waiter, Lent& lent) = 0;
  // Whether one more connection should be opened for so many who wait.
  virtual bool wants_connection(uint32_t waiters) const = 0;
  virtual std::unique_ptr<PoolConnection> make_connection() = 0;
  // For a connection of this pool; null in the clear.
  virtual std::unique_ptr<net::TlsSession> new_session() const = 0;
  // How many of those who wait fail with one connection that could not be made.
  virtual uint32_t waiters_of_one() const = 0;
  virtual void on_established(PoolConnection& connection) = 0;
  virtual void close_idle() = 0;
  virtual void count_new() = 0;

  void connected(PoolConnection& connection, int error);
  void closed(PoolConnection& connection);
  // A connection stands or has room again.
  void serve_waiters();
  // One more for those who are left, if the limit allows it.
  void open_for_waiters();
  // Whether it has carried as much, or lived as long, as it may: then that is counted.
  bool worn_out(const PoolConnection& connection);
  bool too_old(const PoolConnection& connection) const {
    return connection.old_at_ms_ != INT64_MAX && loop_.now_ms() >= connection.old_at_ms_;
  }
  // Why on_idle() came.
  void count_idle_end(const PoolConnection& connection);
  void fill(PoolConnection& connection, http::ClientStream& stream, http::Protocol protocol,
            Lent& lent);
  // For one that carries nothing, and for one that goes on carrying something.
  void arm_idle(PoolConnection& connection);
  void arm_age(PoolConnection& connection);
  // Out of the list and into it, as when a connection goes from one pool to another.
  std::unique_ptr<PoolConnection> take_out(PoolConnection& connection);
  static std::unique_ptr<PoolConnection> take_from(Pool& other, PoolConnection& connection) {
    return other.take_out(connection);
  }
  PoolConnection& put_in(std::unique_ptr<PoolConnection> connection);
  static void inherit(PoolConnection& to, PoolConnection& from);

  HostPools& pools_;
  Host& host_;
  net::Loop& loop_;
  ConnectionWaiter* first_waiter_ = nullptr;
  ConnectionWaiter* last_waiter_ = nullptr;
  uint32_t connecting_ = 0;
  uint32_t waiters_ = 0;
  bool draining_ = false;
  std::vector<std::unique_ptr<PoolConnection>> connections_;

 private:
  enum class Lending : uint8_t { kDone, kNoConnection, kTooMany };
  Lending lend(ConnectionWaiter& waiter, Lent& lent);
  bool take_slot(bool high_priority);
  // False: the limit is reached, and there are connections to wait for.
  bool open_connection(bool high_priority);
  void enqueue(ConnectionWaiter& waiter);
  void link(ConnectionWaiter& waiter);
  void detach(ConnectionWaiter& waiter);
  void unlink(ConnectionWaiter& waiter);
  void note_handshake(PoolConnection& connection, int error);
  ConnectionWaiter* pop_waiter();
  void give_slot_back(PoolConnection& connection);
  void fail_waiters(uint32_t most, http::ResetReason reason, std::string_view details);
};

}  // namespace weir::upstream
