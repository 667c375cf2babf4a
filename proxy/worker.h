#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

#include "proxy/entrance.h"
#include "proxy/http/formatter.h"
#include "proxy/listener_config.h"
#include "proxy/net/loop.h"
#include "proxy/shadow.h"
#include "proxy/stats/registry.h"
#include "proxy/upstream/worker_cluster.h"
#include "proxy/worker_listener.h"

namespace weir {

class Request;

// What one worker counts of one endpoint that it has sent requests to.
struct HostReport {
  std::shared_ptr<const upstream::Endpoint> endpoint;
  uint32_t index = 0;  // in the host set; beyond it, of ORIGINAL_DST
  upstream::HostCounters counters;
  uint64_t cx_active = 0;
  uint64_t rq_active = 0;
};

// A cluster as the main thread publishes it.
struct PublishedCluster {
  std::shared_ptr<upstream::Cluster> cluster;
  std::shared_ptr<const upstream::HostSet> hosts;
  std::shared_ptr<const upstream::BalancerPlan> plan;
};

// One thread of the data path, with a loop, listening sockets, upstream pools and counters of its
// own. What others want of it they post to its loop.
class Worker : private net::Timer::Owner {
 public:
  // `drain_ms`: how long idle connections of a replaced config may stay.
  Worker(uint32_t index, stats::Shard& stats, int64_t drain_ms);
  ~Worker() override;
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  void start();  // the thread
  void join();

  // ---- from the worker's own thread (post to loop()) ----
  void set_cluster(const PublishedCluster& published);
  void remove_cluster(const std::string& name);
  void update_hosts(const std::string& name, std::shared_ptr<const upstream::HostSet> hosts,
                    std::shared_ptr<const upstream::BalancerPlan> plan);
  // These hosts have become unhealthy: connections to them end, at once where the cluster says so
  // (close_connections_on_host_health_failure).
  void hosts_failed(const std::string& name, const std::vector<net::Address>& failed);
  // Takes over a listening socket, or gives a listener that is there a new config.
  void set_listener(std::shared_ptr<const ListenerConfig> config, std::vector<int> sockets);
  void remove_listener(const std::string& name);
  // Of all listeners, or of those with traffic_direction INBOUND alone.
  enum class Which : uint8_t { kAll, kInbound };
  // Open connections stay. `take_waiting`: see WorkerListener.
  void stop_listeners(Which which, bool take_waiting);
  // Asks connections to end over that time.
  void begin_drain(Which which, int64_t time_ms, DrainStrategy strategy);
  // The end of the process: stops accepting; open connections end with their responses.
  void drain();
  void close_connections();
  size_t connections() const;
  // Whether some of them have a configuration that was replaced.
  bool has_older_connections() const;

  // Adds what this worker knows of each cluster's endpoints.
  void report(std::map<std::string, std::vector<HostReport>>& into) const;

  net::Loop& loop() { return loop_; }
  stats::Shard& stats() { return stats_; }
  uint32_t index() const { return index_; }
  upstream::WorkerCluster* cluster(std::string_view name);
  bool draining() const { return draining_; }
  int64_t drain_ms() const { return drain_ms_; }
  uint64_t next_connection_id() { return ++connection_ids_ * kIdStride + index_; }
  uint64_t next_stream_id() { return ++stream_ids_ * kIdStride + index_; }
  std::string_view date();

  Request& take_request();
  // An idle one goes back at once; one that has run, at the end of the turn.
  void take_back(Request& request);
  void log(const http::AccessLogs& logs, const http::FormatInput& input);

  // Copies of requests live here until they end themselves.
  Shadow& add_shadow(std::unique_ptr<Shadow> shadow);
  void remove_shadow(Shadow& shadow);

  // Relays of raw connections live here until they end themselves.
  void add_relay(std::unique_ptr<TcpRelay> relay);
  void remove_relay(TcpRelay& relay);

  // Entrances whose config was replaced live until their last connection is gone.
  void retire_entrance(std::unique_ptr<Entrance> entrance);
  // Something that was replaced will be idle, or over its time, some time soon.
  void sweep_later();
  // An entrance's relays, or those of one chain of it.
  bool has_relays(const Entrance& entrance, const TcpProxyConfig* only) const;
  void close_relays(const Entrance& entrance, const TcpProxyConfig* only);

 private:
  static constexpr uint64_t kIdStride = 1024;
  static constexpr int64_t kSweepMs = 500;
  static constexpr int64_t kDrainTickMs = 100;
  // How long a connection that is asked to end waits for another request, that may be on its way.
  static constexpr int64_t kIdleGraceMs = 5000;
  static constexpr int64_t kLastGraceMs = 200;  // the same when the process is to end
  struct OldEntrance {
    std::unique_ptr<Entrance> entrance;
    int64_t close_at_ms;
  };

  void on_timer(net::Timer& timer) override;
  void sweep();
  void drain_tick();
  template <class Visit>
  void each_listener(Which which, Visit visit);

  struct NameHash {
    using is_transparent = void;
    size_t operator()(std::string_view name) const { return std::hash<std::string_view>()(name); }
  };

  net::Loop loop_;
  stats::Shard& stats_;
  uint32_t index_;
  int64_t drain_ms_;
  std::thread thread_;
  std::unordered_map<std::string, std::unique_ptr<upstream::WorkerCluster>, NameHash,
                     std::equal_to<>>
      clusters_;
  upstream::WorkerCluster* last_cluster_ = nullptr;  // that was asked for; null after a change
  std::vector<std::unique_ptr<upstream::WorkerCluster>> old_clusters_;
  std::unordered_map<std::string, std::unique_ptr<WorkerListener>> listeners_;
  std::vector<OldEntrance> old_entrances_;
  net::Timer sweep_timer_{*this};
  net::Timer drain_timer_{*this};
  int64_t idle_grace_ms_ = kIdleGraceMs;
  std::vector<std::unique_ptr<Request>> requests_;
  std::vector<Request*> free_requests_;
  std::vector<std::unique_ptr<TcpRelay>> relays_;
  std::vector<std::unique_ptr<Shadow>> shadows_;
  uint64_t connection_ids_ = 0;
  uint64_t stream_ids_ = 0;
  int64_t date_second_ = -1;
  char date_[32] = {};
  bool draining_ = false;
  std::string log_scratch_;
};

}  // namespace weir
