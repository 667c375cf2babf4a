#include <cerrno>
#include <utility>

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

}  // namespace

// ---- one connection ----

PooledConnection::PooledConnection(Host& host, net::Loop& loop,
                                   const http::H1ClientOptions& options)
    : host_(&host), client_(loop, *this, options), timer_(*this) {}

PooledConnection::~PooledConnection() = default;

void PooledConnection::on_connected(http::H1Client& /*client*/, int error) {
  host_->connected(*this, error);
}

void PooledConnection::on_reusable(http::H1Client& /*client*/) {
  host_->give_back(*this);
}

void PooledConnection::on_closed(http::H1Client& /*client*/) {
  host_->closed(*this);
}

void PooledConnection::on_timer(net::Timer& /*timer*/) {
  if (client_.connection().connecting()) {
    host_->connected(*this, ETIMEDOUT);
  } else if (idle_) {
    WorkerCluster& cluster = host_->cluster();
    cluster.shard().inc(cluster.stats().cx_idle_timeout);
    client_.close();
  }
}

// ---- the host ----

Host::Host(WorkerCluster& cluster, net::Loop& loop, Endpoint endpoint)
    : cluster_(cluster), loop_(loop), endpoint_(std::move(endpoint)) {}

Host::~Host() = default;

Host::Outcome Host::acquire(ConnectionWaiter& waiter, bool high_priority, Lent& lent) {
  if (first_idle_ != nullptr) {
    PooledConnection& connection = *first_idle_;
    unlink_idle(connection);
    lend(connection, waiter.stream_events(), lent);
    return Outcome::kLent;
  }
  stats::Shard& stats = cluster_.shard();
  if (!cluster_.pending(high_priority).try_acquire()) {
    stats.inc(cluster_.stats().rq_pending_overflow);
    return Outcome::kOverflow;
  }
  // As many connections under way as there are waiters; beyond the limit a waiter has to wait for
  // one that is given back.
  if (connecting_ <= waiters_ && !open_connection(high_priority) && connections_ == 0) {
    cluster_.pending(high_priority).release();
    return Outcome::kOverflow;
  }
  stats.inc(cluster_.stats().rq_pending_total);
  stats.add(cluster_.stats().rq_pending_active, 1);
  waiter.host_ = this;
  waiter.high_priority_ = high_priority;
  waiter.next_ = nullptr;
  waiter.previous_ = last_waiter_;
  (last_waiter_ == nullptr ? first_waiter_ : last_waiter_->next_) = &waiter;
  last_waiter_ = &waiter;
  ++waiters_;
  return Outcome::kWaiting;
}

void Host::cancel(ConnectionWaiter& waiter) {
  if (waiter.host_ == this) unlink(waiter);
}

void Host::unlink(ConnectionWaiter& waiter) {
  (waiter.previous_ == nullptr ? first_waiter_ : waiter.previous_->next_) = waiter.next_;
  (waiter.next_ == nullptr ? last_waiter_ : waiter.next_->previous_) = waiter.previous_;
  waiter.next_ = waiter.previous_ = nullptr;
  waiter.host_ = nullptr;
  --waiters_;
  cluster_.pending(waiter.high_priority_).release();
  cluster_.shard().add(cluster_.stats().rq_pending_active, -1);
}

ConnectionWaiter* Host::pop_waiter() {
  ConnectionWaiter* waiter = first_waiter_;
  if (waiter != nullptr) unlink(*waiter);
  return waiter;
}

bool Host::open_connection(bool high_priority) {
  stats::Shard& stats = cluster_.shard();
  if (!cluster_.connections(high_priority).try_acquire()) {
    stats.inc(cluster_.stats().cx_overflow);
    return false;
  }
  auto* connection = new PooledConnection(*this, loop_, cluster_.h1_options());
  connection->counted_ = true;
  connection->high_priority_ = high_priority;
  connection->id_ = cluster_.next_connection_id();
  connection->started_ms_ = loop_.now_ms();
  ++counters.cx_total;
  ++connections_;
  ++connecting_;
  stats.inc(cluster_.stats().cx_total);
  stats.inc(cluster_.stats().cx_http1_total);
  stats.add(cluster_.stats().cx_active, 1);
  const ClusterConfig& config = cluster_.config();
  const net::Address* from = config.bind_address ? &*config.bind_address : nullptr;
  const int error = connection->client_.connect(endpoint_.address, from, config.buffer_limit_bytes);
  if (error != 0) {
    // The waiter is not in the queue yet: it is told in the same way, a moment later.
    loop_.post([this, connection, error] { connected(*connection, error); });
    return true;
  }
  connection->timer_.set(loop_.timers(), loop_.now_ms() + config.connect_timeout_ms);
  return true;
}

void Host::connected(PooledConnection& connection, int error) {
  stats::Shard& stats = cluster_.shard();
  --connecting_;
  if (error != 0) {
    const bool timeout = error == ETIMEDOUT;
    ++counters.cx_connect_fail;
    stats.inc(cluster_.stats().cx_connect_fail);
    if (timeout) stats.inc(cluster_.stats().cx_connect_timeout);
    ConnectionWaiter* waiter = pop_waiter();
    connection.client_.close();
    if (waiter == nullptr) return;
    stats.inc(cluster_.stats().rq_pending_failure_eject);
    waiter->on_no_connection(
        timeout ? http::ResetReason::kConnectTimeout : http::ResetReason::kConnectFailure,
        connect_failure_details(error));
    return;
  }
  connection.timer_.cancel();
  connection.local_ = connection.client_.connection().local_address();
  stats.record(cluster_.stats().cx_connect_ms,
               static_cast<uint64_t>(loop_.now_ms() - connection.started_ms_));
  serve_waiter(connection);
  loop_.flush();
}

void Host::serve_waiter(PooledConnection& connection) {
  if (draining_ && first_waiter_ == nullptr) return connection.client_.close();
  ConnectionWaiter* waiter = pop_waiter();
  if (waiter == nullptr) return push_idle(connection);
  Lent lent;
  lend(connection, waiter->stream_events(), lent);
  waiter->on_connection(lent);
}

void Host::lend(PooledConnection& connection, http::ClientStreamEvents& events, Lent& lent) {
  lent = {&connection.client_, &connection.client_, connection.id_, &connection.local_,
          connection.uses_ > 0};
  ++connection.uses_;
  connection.client_.attach(events);
}

void Host::give_back(PooledConnection& connection) {
  const uint32_t max_requests = cluster_.config().max_requests_per_connection;
  if (max_requests > 0 && connection.uses_ >= max_requests) {
    cluster_.shard().inc(cluster_.stats().cx_max_requests);
    return connection.client_.close();
  }
  const int64_t max_age = cluster_.config().max_connection_duration_ms;
  if (max_age > 0 && loop_.now_ms() - connection.started_ms_ >= max_age)
    return connection.client_.close();
  if (first_waiter_ != nullptr || draining_) return serve_waiter(connection);
  push_idle(connection);
}

void Host::push_idle(PooledConnection& connection) {
  connection.idle_ = true;
  connection.previous_idle_ = nullptr;
  connection.next_idle_ = first_idle_;
  if (first_idle_ != nullptr) first_idle_->previous_idle_ = &connection;
  first_idle_ = &connection;
  const int64_t idle = cluster_.config().idle_timeout_ms;
  if (idle > 0) connection.timer_.set(loop_.timers(), loop_.now_ms() + idle);
}

void Host::unlink_idle(PooledConnection& connection) {
  connection.idle_ = false;
  (connection.previous_idle_ == nullptr ? first_idle_ : connection.previous_idle_->next_idle_) =
      connection.next_idle_;
  if (connection.next_idle_ != nullptr)
    connection.next_idle_->previous_idle_ = connection.previous_idle_;
  connection.next_idle_ = connection.previous_idle_ = nullptr;
}

void Host::closed(PooledConnection& connection) {
  stats::Shard& stats = cluster_.shard();
  if (connection.idle_) unlink_idle(connection);
  connection.timer_.cancel();
  if (connection.counted_) {
    connection.counted_ = false;
    cluster_.connections(connection.high_priority_).release();
  }
  --connections_;
  stats.inc(cluster_.stats().cx_destroy);
  stats.add(cluster_.stats().cx_active, -1);
  loop_.retire(std::unique_ptr<PooledConnection>(&connection));
  // Somebody may have been waiting for just this slot.
  if (waiters_ > connecting_ && !open_connection(first_waiter_->high_priority_) &&
      connections_ == 0)
    fail_waiters(http::ResetReason::kOverflow, "overflow");
}

void Host::fail_waiters(http::ResetReason reason, std::string_view details) {
  while (ConnectionWaiter* waiter = pop_waiter()) waiter->on_no_connection(reason, details);
}

void Host::drain() {
  draining_ = true;
  while (first_idle_ != nullptr) first_idle_->client_.close();
}

}  // namespace weir::upstream
