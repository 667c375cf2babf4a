#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "proxy/http/h1_client.h"
#include "proxy/stats/registry.h"
#include "proxy/upstream/cluster.h"
#include "proxy/upstream/host_pools.h"
#include "proxy/upstream/leaving_hosts.h"
#include "proxy/upstream/load_balancer.h"

namespace weir::tls {
class SessionCache;
}

namespace weir::upstream {

class WorkerCluster;
struct HostMoves;

// What one worker counts of one endpoint; the loop's thread only.
struct HostCounters {
  uint64_t cx_total = 0;
  uint64_t cx_connect_fail = 0;
  uint64_t rq_total = 0;
  uint64_t rq_success = 0;
  uint64_t rq_error = 0;
  uint64_t rq_timeout = 0;
};

// What a request asks of the connection it gets.
struct Wish {
  http::Protocol downstream = http::Protocol::kHttp11;  // what its client speaks
  // The host that it is for, without a port: what TLS asks for (auto_sni) and has to find in the
  // certificate (auto_san_validation), if the cluster wants either.
  std::string_view name = {};
  // Whom it speaks for, if the cluster says so by the PROXY protocol. Null: for nobody.
  const net::Address* source = nullptr;
  const net::Address* destination = nullptr;
  std::span<const net::ProxyTlv> tlvs = {};

  // Sets `name` if the cluster has a use for it. `host` may have a port.
  void set_host(std::string_view host, const ClusterConfig& cluster);
};

// One endpoint as one worker knows it: its connections and those who wait for one. One loop.
class Host {
 public:
  Host(WorkerCluster& cluster, net::Loop& loop, std::shared_ptr<const Endpoint> endpoint)
      : cluster_(cluster),
        endpoint_(std::move(endpoint)),
        hostname_(endpoint_->hostname),
        pools_(*this, loop, {}) {}
  ~Host();
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  const Endpoint& endpoint() const { return *endpoint_; }
  const std::shared_ptr<const Endpoint>& shared_endpoint() const { return endpoint_; }
  void update(std::shared_ptr<const Endpoint> endpoint) {
    endpoint_ = std::move(endpoint);
    hostname_ = endpoint_->hostname;
  }
  // The endpoint's, where it stays whatever becomes of the endpoint: for logs.
  const std::string& hostname() const { return hostname_; }
  WorkerCluster& cluster() const { return cluster_; }
  // Where it is told how requests went; null: nobody asks.
  HostFeedback* feedback() const { return endpoint().feedback.get(); }

  // See Pool.
  using Outcome = Pool::Outcome;
  Outcome acquire(ConnectionWaiter& waiter, bool high_priority, Lent& lent, const Wish& wish = {}) {
    HostPools& pools = wish.name.empty() && wish.source == nullptr ? pools_ : pools_for(wish);
    return pools.for_request(wish.downstream).acquire(waiter, high_priority, lent);
  }

  // For a connection outside of the pools, which carries no HTTP: TLS's session, null in the clear;
  // and what is said before it.
  std::unique_ptr<net::TlsSession> new_session() const;
  void introduce(net::Connection& connection, const Wish& wish) const;
  // As the endpoint's labels choose; null: none.
  const tls::ClientTls* tls() const;
  const net::ProxyIntroduction* introduction() const;

  // Ends idle connections; those at work end with what they carry.
  void drain();
  // After drain(): connections are kept again.
  void revive();
  bool unused() const;
  uint32_t requests = 0;    // under way; kept by WorkerCluster::begin and end
  uint32_t attached = 0;    // of them, those that a connection carries; kept by attach and detach
  uint32_t remembered = 0;  // by requests that tried it or show it; kept by WorkerCluster
  size_t connections() const;
  // Pools that are for one name or one client.
  size_t named_pools() const { return named_.size(); }

  HostCounters counters;
  uint32_t index = 0;    // in the cluster's host set
  bool removed = false;  // no longer in it

 private:
  HostPools& pools_for(const Wish& wish);
  void sweep_named();

  WorkerCluster& cluster_;
  std::shared_ptr<const Endpoint> endpoint_;
  std::string hostname_;
  HostPools pools_;
  std::map<PoolsKey, std::unique_ptr<HostPools>> named_;  // each key is its value's own
  size_t sweep_at_ = 16;
};

// One cluster as one worker knows it: the host set that all workers share, and a Host for each
// endpoint that was picked here. One loop.
class WorkerCluster {
 public:
  WorkerCluster(std::shared_ptr<Cluster> cluster, std::shared_ptr<const BalancerPlan> plan,
                std::shared_ptr<const HostSet> hosts, net::Loop& loop, stats::Shard& stats);
  ~WorkerCluster();

  const ClusterConfig& config() const { return *cluster_->config; }
  const Cluster& shared() const { return *cluster_; }
  const ClusterStats& stats() const { return cluster_->stats; }
  stats::Shard& shard() { return stats_; }
  // A request came to that status: upstream_rq_<code> and upstream_rq_<digit>xx.
  void count_response(uint16_t status) {
    stats_.inc(cluster_->stats.rq_by_class.of(status));
    stats_.inc(by_code(status, false));
  }
  // A response with that status is not passed on, because there is another attempt:
  // retry.upstream_rq_<code>.
  void count_retried(uint16_t status) { stats_.inc(by_code(status, true)); }
  // Where connections to its hosts count their bytes.
  const net::ByteCounts& byte_counts() const { return byte_counts_; }

  // Hosts that stay keep their connections. Costs the worker a little for each host that it has,
  // and next to nothing for an endpoint.
  void update(std::shared_ptr<const BalancerPlan> plan, std::shared_ptr<const HostSet> hosts);

  // Ends what is idle; the rest ends with its exchange. For a cluster that was replaced.
  void drain();
  // The same of some hosts, until the next update.
  void drain_hosts(const std::vector<net::Address>& addresses);
  bool unused() const;

  // Chooses a host; `avoid` are those tried already, each remembered. Null: none is fit.
  Host* pick(std::optional<uint64_t> hash, std::span<Host* const> avoid);
  // The host at that index of the host set, made when needed.
  Host& host(uint32_t index) {
    Host* made = hosts_[index].get();
    return made != nullptr ? *made : make_host(index);
  }
  // A host that is remembered is not destroyed, though it may leave the set.
  void remember(Host& host) { ++host.remembered; }
  void forget(Host& host);
  // ORIGINAL_DST: the host of that address, made when needed; at the port that the cluster names
  // instead, if it does.
  Host* host_for(net::Address address);

  Lease& requests(bool high) { return requests_[high]; }
  Lease& retries(bool high) { return retries_[high]; }
  // A retry may begin: max_retries, or the retry budget as of now. Given back to retries().
  bool try_retry(bool high);
  Lease& pending(bool high) { return pending_[high]; }
  Lease& connections(bool high) { return connections_[high]; }
  const http::H1ClientOptions& h1_options() const { return h1_options_; }
  uint64_t next_connection_id() { return ++connection_ids_; }
  // For a PROXY header that is looked up: emptied by whoever uses it.
  std::string& introduction_scratch() { return introduction_scratch_; }
  // Null when sessions of this context are not to be resumed.
  std::shared_ptr<tls::SessionCache> session_cache(const tls::ClientTls& tls);

  // Whether the drop_overloads of its endpoints drop a request, before it takes a slot or a host.
  // One that is dropped is counted.
  Drop drop_request() { return host_set_->drops == nullptr ? Drop::kNo : decide_drop(); }
  // Null: it never had drop_overloads.
  const DropCounts* drop_counts() const { return drop_counts_.get(); }
  // Goes on counting where the version before this one stopped.
  void take_drop_counts(WorkerCluster& before);

  // A request under way on one of the hosts begins or ends; it may wait for a connection.
  void begin(Host& host);
  void end(Host& host);
  // A connection carries it, or no longer does: what upstream_rq_total and upstream_rq_active
  // count.
  void attach(Host& host);
  void detach(Host& host);
  // The same of a stream that a pool lent: its place among the requests is given back, too.
  void detach(Host& host, bool high) {
    detach(host);
    requests_[high].release();
  }

  const HostSet& hosts() const { return *host_set_; }
  // In the order of the host set; null: not needed yet.
  std::span<const std::unique_ptr<Host>> worker_hosts() const { return hosts_; }

 private:
  // A status gets its counter when it first comes.
  struct CodeCounter {
    uint16_t status;
    bool retried;
    stats::CounterId counter;
  };
  stats::CounterId by_code(uint16_t status, bool retried) {
    for (const CodeCounter& code : by_code_)
      if (code.status == status && code.retried == retried) return code.counter;
    return name_code(status, retried);
  }
  stats::CounterId name_code(uint16_t status, bool retried);
  Host& make_host(uint32_t index);
  void follow_drops();
  Drop decide_drop();
  void follow(const HostMoves& moves, const HostSet& hosts);
  void move_hosts(const HostMoves& moves, size_t size);
  void sweep_original();

  std::shared_ptr<Cluster> cluster_;
  std::shared_ptr<const HostSet> host_set_;
  std::shared_ptr<const BalancerPlan> plan_;
  std::unique_ptr<Picker> picker_;
  net::Loop& loop_;
  stats::Shard& stats_;
  net::ByteCounts byte_counts_;
  std::vector<CodeCounter> by_code_;
  Lease connections_[2];
  Lease pending_[2];
  Lease requests_[2];
  Lease retries_[2];
  http::H1ClientOptions h1_options_;
  std::vector<std::unique_ptr<Host>> hosts_;
  LeavingHosts leaving_;
  bool draining_ = false;
  std::unordered_map<net::Address, Host*, AddressHash> by_address_;  // ORIGINAL_DST
  int64_t swept_ms_ = 0;
  std::vector<uint32_t> active_;  // by index, for the picker
  std::vector<uint32_t> avoid_scratch_;
  uint64_t connection_ids_ = 0;
  std::string introduction_scratch_;
  std::map<const tls::ClientTls*, std::shared_ptr<tls::SessionCache>> session_caches_;
  std::unique_ptr<DropCounts> drop_counts_;
};

}  // namespace weir::upstream
