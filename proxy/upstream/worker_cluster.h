#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "proxy/http/h1_client.h"
#include "proxy/net/timer_wheel.h"
#include "proxy/stats/registry.h"
#include "proxy/upstream/cluster.h"
#include "proxy/upstream/load_balancer.h"

namespace weir::upstream {

class Host;
class WorkerCluster;

// A connection as the request that got it sees it.
struct Lent {
  http::ClientStream* stream = nullptr;
  http::H1Client* client = nullptr;
  uint64_t connection_id = 0;
  const net::Address* local = nullptr;
  bool reused = false;  // it has carried requests before
};

// A request that wants a connection to a host. Intrusive: waits in the host's queue.
class ConnectionWaiter {
 public:
  virtual ~ConnectionWaiter() = default;
  // The events that the stream is to be attached to.
  virtual http::ClientStreamEvents& stream_events() = 0;
  // What is written is flushed by whoever calls.
  virtual void on_connection(const Lent& lent) = 0;
  virtual void on_no_connection(http::ResetReason reason, std::string_view details) = 0;
  bool waiting() const { return host_ != nullptr; }

 private:
  friend class Host;
  ConnectionWaiter* next_ = nullptr;
  ConnectionWaiter* previous_ = nullptr;
  Host* host_ = nullptr;
  bool high_priority_ = false;
};

// One upstream connection and what the pool knows of it.
class PooledConnection : public http::H1ClientOwner, private net::Timer::Owner {
 public:
  PooledConnection(Host& host, net::Loop& loop, const http::H1ClientOptions& options);
  ~PooledConnection() override;

 private:
  friend class Host;
  void on_connected(http::H1Client& client, int error) override;
  void on_reusable(http::H1Client& client) override;
  void on_closed(http::H1Client& client) override;
  void on_timer(net::Timer& timer) override;

  Host* host_;
  http::H1Client client_;
  net::Timer timer_;
  net::Address local_;
  uint64_t id_ = 0;
  uint64_t uses_ = 0;
  int64_t started_ms_ = 0;
  PooledConnection* next_idle_ = nullptr;
  PooledConnection* previous_idle_ = nullptr;
  bool idle_ = false;
  bool high_priority_ = false;
  bool counted_ = false;  // holds a slot of the connection limit
};

// What one worker counts of one endpoint; the loop's thread only.
struct HostCounters {
  uint64_t cx_total = 0;
  uint64_t cx_connect_fail = 0;
  uint64_t rq_total = 0;
  uint64_t rq_success = 0;
  uint64_t rq_error = 0;
  uint64_t rq_timeout = 0;
};

// One endpoint as one worker knows it: its connections and those who wait for one. One loop.
class Host {
 public:
  Host(WorkerCluster& cluster, net::Loop& loop, Endpoint endpoint);
  ~Host();
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  const Endpoint& endpoint() const { return endpoint_; }
  void update(const Endpoint& endpoint) {
    endpoint_ = endpoint;
    draining_ = false;
  }
  WorkerCluster& cluster() { return cluster_; }

  // A pooled connection at once, or later by the waiter's calls. False: a limit was reached and
  // the waiter will not be called; `lent` is filled when there was a connection.
  enum class Outcome : uint8_t { kLent, kWaiting, kOverflow };
  Outcome acquire(ConnectionWaiter& waiter, bool high_priority, Lent& lent);
  void cancel(ConnectionWaiter& waiter);

  // Ends idle connections; those at work end with their exchange.
  void drain();
  bool unused() const { return connections_ == 0 && first_waiter_ == nullptr && requests == 0; }
  uint32_t requests = 0;  // under way; kept by WorkerCluster::begin and end
  uint32_t connections() const { return connections_; }

  HostCounters counters;
  uint32_t index = 0;    // in the cluster's host set
  bool removed = false;  // no longer in it

 private:
  friend class PooledConnection;
  void lend(PooledConnection& connection, http::ClientStreamEvents& events, Lent& lent);
  bool open_connection(bool high_priority);
  void connected(PooledConnection& connection, int error);
  void give_back(PooledConnection& connection);
  void closed(PooledConnection& connection);
  void push_idle(PooledConnection& connection);
  void unlink_idle(PooledConnection& connection);
  ConnectionWaiter* pop_waiter();
  void unlink(ConnectionWaiter& waiter);
  void fail_waiters(http::ResetReason reason, std::string_view details);
  void serve_waiter(PooledConnection& connection);

  WorkerCluster& cluster_;
  net::Loop& loop_;
  Endpoint endpoint_;
  PooledConnection* first_idle_ = nullptr;  // most recently used first
  ConnectionWaiter* first_waiter_ = nullptr;
  ConnectionWaiter* last_waiter_ = nullptr;
  uint32_t connections_ = 0;
  uint32_t connecting_ = 0;
  uint32_t waiters_ = 0;
  bool draining_ = false;
};

struct AddressHash {
  size_t operator()(const net::Address& address) const { return address.hash(); }
};

// One cluster as one worker knows it. One loop.
class WorkerCluster {
 public:
  WorkerCluster(std::shared_ptr<Cluster> cluster, std::shared_ptr<const BalancerPlan> plan,
                std::shared_ptr<const HostSet> hosts, net::Loop& loop, stats::Shard& stats);
  ~WorkerCluster();

  const ClusterConfig& config() const { return *cluster_->config; }
  const Cluster& shared() const { return *cluster_; }
  const ClusterStats& stats() const { return cluster_->stats; }
  stats::Shard& shard() { return stats_; }

  // Hosts that stay keep their connections.
  void update(std::shared_ptr<const BalancerPlan> plan, std::shared_ptr<const HostSet> hosts);

  // Ends what is idle; the rest ends with its exchange. For a cluster that was replaced.
  void drain();
  bool unused() const;

  // Chooses a host; `avoid` are those already tried, which may be gone. Null: none is fit.
  Host* pick(std::optional<uint64_t> hash, std::span<Host* const> avoid);
  // ORIGINAL_DST: the host of that address, made when needed.
  Host* host_for(const net::Address& address);

  Lease& requests(bool high) { return requests_[high]; }
  Lease& retries(bool high) { return retries_[high]; }
  Lease& pending(bool high) { return pending_[high]; }
  Lease& connections(bool high) { return connections_[high]; }
  const http::H1ClientOptions& h1_options() const { return h1_options_; }
  uint64_t next_connection_id() { return ++connection_ids_; }

  // A request under way on one of the hosts begins or ends.
  void begin(Host& host);
  void end(Host& host);

  const HostSet& hosts() const { return *host_set_; }
  std::span<const std::unique_ptr<Host>> worker_hosts() const { return hosts_; }

 private:
  bool keep_logical_host(const HostSet& hosts);
  void sweep_removed();
  void sweep_original();

  std::shared_ptr<Cluster> cluster_;
  std::shared_ptr<const HostSet> host_set_;
  std::unique_ptr<Picker> picker_;
  net::Loop& loop_;
  stats::Shard& stats_;
  Lease connections_[2];
  Lease pending_[2];
  Lease requests_[2];
  Lease retries_[2];
  http::H1ClientOptions h1_options_;
  std::vector<std::unique_ptr<Host>> hosts_;    // in the order of the host set
  std::vector<std::unique_ptr<Host>> removed_;  // gone from the set, but still with connections
  std::unordered_map<net::Address, Host*, AddressHash> by_address_;  // ORIGINAL_DST
  int64_t swept_ms_ = 0;
  std::vector<uint32_t> active_;  // by index, for the picker
  std::vector<uint32_t> avoid_scratch_;
  uint64_t connection_ids_ = 0;
};

}  // namespace weir::upstream
