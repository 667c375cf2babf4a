#include "proxy/upstream/pool.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "proxy/tls/transport_socket.h"
#include "proxy/upstream/worker_cluster.h"

namespace weir::upstream {
namespace {

std::string_view connect_failure_details(int error) {
  switch (error) {
    case ECONNREFUSED:
      return "connection_refused";
    case ETIMEDOUT:
      return "connection_timeout";
    case ENETUNREACH:
    case EHOSTUNREACH:
      return "host_unreachable";
    case EMFILE:
    case ENFILE:
      return "too_many_open_files";
    default:
      return "connection_failure";
  }
}

std::string_view failure_details(PoolConnection& connection, int error) {
  const net::TlsSession* tls = connection.connection().tls();
  return error == EPROTO && tls != nullptr ? tls->error_details() : connect_failure_details(error);
}

}  // namespace

void PoolConnection::on_timer(net::Timer& /*timer*/) {
  if (!established_) return pool_.connected(*this, ETIMEDOUT);
  on_idle();
}

Pool::Pool(HostPools& pools) : pools_(pools), host_(pools.host()), loop_(pools.loop()) {}

Pool::~Pool() = default;

// ---- those who wait ----

Pool::Outcome Pool::acquire(ConnectionWaiter& waiter, bool high_priority, Lent& lent) {
  waiter.high_priority_ = high_priority;
  switch (lend(waiter, lent)) {
    case Lending::kDone:
      return Outcome::kLent;
    case Lending::kTooMany:
      return Outcome::kOverflow;
    case Lending::kNoConnection:
      break;
  }
  WorkerCluster& cluster = host_.cluster();
  if (!cluster.pending(high_priority).try_acquire()) {
    cluster.shard().inc(cluster.stats().rq_pending_overflow);
    return Outcome::kOverflow;
  }
  // Beyond the limit a waiter has to wait for a connection that is given back.
  if (wants_connection(waiters_ + 1)) open_connection(high_priority);
  enqueue(waiter);
  return Outcome::kWaiting;
}

// As in Envoy, max_requests is asked when there is a connection to carry one more: those that wait
// for one are max_pending_requests' business.
Pool::Lending Pool::lend(ConnectionWaiter& waiter, Lent& lent) {
  WorkerCluster& cluster = host_.cluster();
  Lease& limit = cluster.requests(waiter.high_priority_);
  if (!limit.try_acquire()) {
    if (!can_lend()) return Lending::kNoConnection;
    cluster.shard().inc(cluster.stats().rq_pending_overflow);
    return Lending::kTooMany;
  }
  if (!lend_now(waiter, lent)) {
    limit.release();
    return Lending::kNoConnection;
  }
  cluster.attach(host_);
  return Lending::kDone;
}

void Pool::enqueue(ConnectionWaiter& waiter) {
  WorkerCluster& cluster = host_.cluster();
  cluster.shard().inc(cluster.stats().rq_pending_total);
  cluster.shard().add(cluster.stats().rq_pending_active, 1);
  link(waiter);
}

void Pool::link(ConnectionWaiter& waiter) {
  waiter.pool_ = this;
  waiter.next_ = nullptr;
  waiter.previous_ = last_waiter_;
  (last_waiter_ == nullptr ? first_waiter_ : last_waiter_->next_) = &waiter;
  last_waiter_ = &waiter;
  ++waiters_;
}

void Pool::cancel(ConnectionWaiter& waiter) {
  unlink(waiter);
}

void Pool::detach(ConnectionWaiter& waiter) {
  (waiter.previous_ == nullptr ? first_waiter_ : waiter.previous_->next_) = waiter.next_;
  (waiter.next_ == nullptr ? last_waiter_ : waiter.next_->previous_) = waiter.previous_;
  waiter.next_ = waiter.previous_ = nullptr;
  waiter.pool_ = nullptr;
  --waiters_;
}

void Pool::unlink(ConnectionWaiter& waiter) {
  detach(waiter);
  WorkerCluster& cluster = host_.cluster();
  cluster.pending(waiter.high_priority_).release();
  cluster.shard().add(cluster.stats().rq_pending_active, -1);
}

void Pool::take_waiters(Pool& other) {
  while (ConnectionWaiter* waiter = other.first_waiter_) {
    other.detach(*waiter);
    link(*waiter);
  }
  serve_waiters();
  while (first_waiter_ != nullptr && wants_connection(waiters_))
    if (!open_connection(first_waiter_->high_priority_)) break;
}

ConnectionWaiter* Pool::pop_waiter() {
  ConnectionWaiter* waiter = first_waiter_;
  if (waiter != nullptr) unlink(*waiter);
  return waiter;
}

void Pool::serve_waiters() {
  while (first_waiter_ != nullptr) {
    Lent lent;
    const Lending lending = lend(*first_waiter_, lent);
    if (lending == Lending::kNoConnection) break;
    ConnectionWaiter& waiter = *pop_waiter();
    if (lending == Lending::kDone) {
      waiter.on_connection(lent);
    } else {
      waiter.on_no_connection(http::ResetReason::kOverflow, "overflow");
    }
  }
  if (draining_ && first_waiter_ == nullptr) close_idle();
}

void Pool::fail_waiters(uint32_t most, http::ResetReason reason, std::string_view details) {
  WorkerCluster& cluster = host_.cluster();
  for (uint32_t i = 0; i < most; ++i) {
    ConnectionWaiter* waiter = pop_waiter();
    if (waiter == nullptr) return;
    cluster.shard().inc(cluster.stats().rq_pending_failure_eject);
    waiter->on_no_connection(reason, details);
  }
}

// ---- connections ----

// A pool without any connection always may have one, as in Envoy: where others use up the limit,
// those who wait here would wait for nothing.
bool Pool::take_slot(bool high_priority) {
  WorkerCluster& cluster = host_.cluster();
  Lease& limit = cluster.connections(high_priority);
  if (limit.try_acquire()) return true;
  cluster.shard().inc(cluster.stats().cx_overflow);
  if (!connections_.empty()) return false;
  limit.acquire_beyond();
  return true;
}

bool Pool::open_connection(bool high_priority) {
  WorkerCluster& cluster = host_.cluster();
  stats::Shard& stats = cluster.shard();
  if (!take_slot(high_priority)) return false;
  PoolConnection& connection = put_in(make_connection());
  connection.counted_ = true;
  connection.high_priority_ = high_priority;
  connection.id_ = cluster.next_connection_id();
  connection.started_ms_ = loop_.now_ms();
  if (const int64_t most = cluster.config().max_connection_duration_ms; most > 0)
    connection.old_at_ms_ = connection.started_ms_ + most;
  ++host_.counters.cx_total;
  ++connecting_;
  stats.inc(cluster.stats().cx_total);
  count_new();
  stats.add(cluster.stats().cx_active, 1);
  connection.connection().count_bytes(cluster.byte_counts());
  const ClusterConfig& config = cluster.config();
  const net::Address* from = config.bind_address ? &*config.bind_address : nullptr;
  const int error =
      connection.connect(host_.endpoint().address, from, config.buffer_limit_bytes, new_session());
  if (error != 0) {
    // The waiter is not in the queue yet: it is told in the same way, a moment later. Until then
    // the connection stays where it is: it is neither idle nor established, no timer of it runs,
    // and as long as it has its place in the pool neither that nor the host goes.
    loop_.post([this, &connection, error] { connected(connection, error); });
    return true;
  }
  net::set_keep_alive(config.keep_alive, connection.connection().fd());
  if (const tls::ClientTls* tls = pools_.tls())
    tls->log_keys(connection.connection(), host_.endpoint().address);
  pools_.introduce(connection.connection());
  connection.timer_.set(loop_.timers(), loop_.now_ms() + config.connect_timeout_ms);
  return true;
}

void Pool::note_handshake(PoolConnection& connection, int error) {
  const net::TlsSession* tls = connection.connection().tls();
  if (tls == nullptr || (error != 0 && error != EPROTO)) return;
  if (const tls::ClientTls* context = pools_.tls())
    context->stats().on_handshake(host_.cluster().shard(), *tls, error);
}

void Pool::connected(PoolConnection& connection, int error) {
  WorkerCluster& cluster = host_.cluster();
  stats::Shard& stats = cluster.shard();
  --connecting_;
  note_handshake(connection, error);
  if (error != 0) {
    const bool timeout = error == ETIMEDOUT;
    ++host_.counters.cx_connect_fail;
    stats.inc(cluster.stats().cx_connect_fail);
    if (timeout) stats.inc(cluster.stats().cx_connect_timeout);
    const uint32_t most = waiters_of_one();
    const auto reason =
        timeout ? http::ResetReason::kConnectTimeout : http::ResetReason::kConnectFailure;
    // Those who fail may try again at once: the slot is theirs by then.
    connection.established_ = true;
    give_slot_back(connection);
    fail_waiters(most, reason, failure_details(connection, error));
    return connection.close();
  }
  connection.established_ = true;
  connection.timer_.cancel();
  connection.local_ = connection.connection().local_address();
  stats.record(cluster.stats().cx_connect_ms,
               static_cast<uint64_t>(loop_.now_ms() - connection.started_ms_));
  on_established(connection);
  loop_.flush();
}

void Pool::give_slot_back(PoolConnection& connection) {
  if (!connection.counted_) return;
  connection.counted_ = false;
  host_.cluster().connections(connection.high_priority_).release();
}

void Pool::closed(PoolConnection& connection) {
  WorkerCluster& cluster = host_.cluster();
  connection.timer_.cancel();
  if (!connection.established_) --connecting_;
  give_slot_back(connection);
  cluster.shard().inc(cluster.stats().cx_destroy);
  cluster.shard().add(cluster.stats().cx_active, -1);
  cluster.shard().record(cluster.stats().cx_length_ms,
                         static_cast<uint64_t>(loop_.now_ms() - connection.started_ms_));
  loop_.retire(take_out(connection));
  // Somebody may have been waiting for just this slot.
  if (first_waiter_ != nullptr && wants_connection(waiters_)) open_for_waiters();
}

void Pool::open_for_waiters() {
  open_connection(first_waiter_->high_priority_);
}

PoolConnection& Pool::put_in(std::unique_ptr<PoolConnection> connection) {
  connection->slot_ = static_cast<uint32_t>(connections_.size());
  return *connections_.emplace_back(std::move(connection));
}

std::unique_ptr<PoolConnection> Pool::take_out(PoolConnection& connection) {
  const uint32_t slot = connection.slot_;
  std::unique_ptr<PoolConnection> out = std::move(connections_[slot]);
  if (slot + 1 < connections_.size()) {
    connections_[slot] = std::move(connections_.back());
    connections_[slot]->slot_ = slot;
  }
  connections_.pop_back();
  return out;
}

void Pool::inherit(PoolConnection& to, PoolConnection& from) {
  to.id_ = from.id_;
  to.local_ = from.local_;
  to.started_ms_ = from.started_ms_;
  to.old_at_ms_ = from.old_at_ms_;
  to.high_priority_ = from.high_priority_;
  to.counted_ = std::exchange(from.counted_, false);
  to.established_ = true;
  to.connection().count_bytes(to.pool_.host_.cluster().byte_counts());
}

bool Pool::worn_out(const PoolConnection& connection) {
  WorkerCluster& cluster = host_.cluster();
  const ClusterConfig& config = cluster.config();
  if (config.max_requests_per_connection > 0 &&
      connection.uses_ >= config.max_requests_per_connection) {
    cluster.shard().inc(cluster.stats().cx_max_requests);
    return true;
  }
  if (!too_old(connection)) return false;
  cluster.shard().inc(cluster.stats().cx_max_duration_reached);
  return true;
}

void Pool::count_idle_end(const PoolConnection& connection) {
  WorkerCluster& cluster = host_.cluster();
  cluster.shard().inc(too_old(connection) ? cluster.stats().cx_max_duration_reached
                                          : cluster.stats().cx_idle_timeout);
}

void Pool::fill(PoolConnection& connection, http::ClientStream& stream, http::Protocol protocol,
                Lent& lent) {
  lent = {&stream,  connection.connection().tls(), connection.id_, &connection.local_,
          protocol, connection.uses_ > 0};
  ++connection.uses_;
}

void Pool::arm_idle(PoolConnection& connection) {
  const int64_t idle = host_.cluster().config().idle_timeout_ms;
  int64_t at = connection.old_at_ms_;
  if (idle > 0) at = std::min(at, loop_.now_ms() + idle);
  if (at != INT64_MAX) connection.timer_.set(loop_.timers(), at);
}

void Pool::arm_age(PoolConnection& connection) {
  if (connection.old_at_ms_ != INT64_MAX)
    connection.timer_.set(loop_.timers(), connection.old_at_ms_);
}

void Pool::drain() {
  draining_ = true;
  close_idle();
}

}  // namespace weir::upstream
