#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/http/access_log.h"
#include "proxy/http/server_connection.h"
#include "proxy/net/connection.h"
#include "proxy/net/timer_wheel.h"
#include "proxy/stats/registry.h"
#include "proxy/upstream/worker_cluster.h"

namespace weir {

class Entrance;
class Worker;

// extensions.filters.network.tcp_proxy.v3.TcpProxy, compiled. Immutable.
struct TcpProxyConfig {
  struct Weighted {
    std::string cluster;
    uint32_t weight = 0;
  };
  std::string cluster;  // or weighted
  std::vector<Weighted> weighted;
  uint32_t total_weight = 0;
  int64_t idle_timeout_ms = 3'600'000;  // 0: none
  int64_t max_connection_duration_ms = 0;
  uint32_t max_connect_attempts = 1;
  std::shared_ptr<const http::AccessLogs> access_logs;  // null: none
  stats::CounterId cx_total, cx_no_route, rx_bytes, tx_bytes, idle_timeout, max_duration;
};

// One client connection relayed to an upstream, byte for byte. Each side stops being read while the
// other is full; the end of one side is passed on while the other still speaks. What a side said
// reaches the other before the relay ends. The end of a side that broke off is passed on as a
// reset. One loop; owned by its worker.
class TcpRelay : private net::Timer::Owner {
 public:
  TcpRelay(Worker& worker, Entrance& entrance, std::shared_ptr<const TcpProxyConfig> config,
           std::string chain_name);
  ~TcpRelay() override;

  // Takes the socket over and looks for an upstream. With TLS, the handshake is done.
  // `server_name`: what the client asked for, where somebody looked.
  void start(http::Arrival arrival, std::string server_name);
  // At once; what still waits for a side is lost.
  void close();

  uint32_t slot = 0;  // the worker's
  const Entrance& entrance() const { return entrance_; }
  const TcpProxyConfig& config() const { return *config_; }
  const upstream::Host* host() const { return host_; }  // null: none was chosen

 private:
  // One of the two sides.
  class End : public net::Connection::Owner {
   public:
    End(TcpRelay& relay, net::Loop& loop) : connection(loop, *this), relay_(relay) {}
    void on_connected(int error) override;
    void on_readable() override;
    void on_full(bool full) override;
    void on_progress() override { relay_.touch(); }
    void on_finished() override;
    void on_write_error(int error) override;

    net::Connection connection;
    End* other = nullptr;
    uint64_t bytes_read = 0;
    bool ended = false;     // no more bytes come from here
    bool finished = false;  // all of the other's were sent, and its end
    bool failed = false;    // takes nothing any more; what it said before is still read
    bool gone = false;      // broke off, and all of it was read

    bool broken() const { return failed || gone; }
    void leave(bool cut_off);

   private:
    void read_nothing(ssize_t why);

    TcpRelay& relay_;
  };

  void on_timer(net::Timer& timer) override;
  void note_arrival(const http::Arrival& arrival);
  std::string_view choose_cluster();
  upstream::Host* choose_host();
  void take_host(upstream::Host& host);
  void connect();
  bool find_host();
  int begin_attempt();
  void connected(int error);
  bool attempt_failed(int error);
  void note_connected(int error);
  void side_ended(End& end);
  void side_finished(End& end);
  void side_failed(End& end);
  void side_gone(End& end);
  void end_rest();
  bool ending() const;
  int64_t patience_ms() const;
  void give_up(std::string_view details, uint32_t flags);
  void count_upstream_end();
  void release_host();
  void touch();
  void arm();
  static uint64_t passed_on(const End& from, const End& to);
  void log();

  Worker& worker_;
  Entrance& entrance_;
  std::shared_ptr<const TcpProxyConfig> config_;
  End client_;
  std::unique_ptr<End> upstream_;
  net::Timer timer_;
  upstream::WorkerCluster* cluster_ = nullptr;
  upstream::Host* host_ = nullptr;
  net::Address peer_;
  net::Address direct_peer_;
  std::vector<net::ProxyTlv> relayed_tlvs_;
  std::string upstream_failure_;
  net::Address local_;
  const std::string chain_name_;
  std::string server_name_;
  net::Address upstream_address_;
  http::StreamInfo info_;
  size_t buffer_limit_ = 0;
  int64_t started_ms_ = 0;
  int64_t connect_began_ms_ = 0;
  int64_t connect_deadline_ms_ = 0;
  net::ByteCounts bytes_;
  int64_t last_activity_ms_ = 0;
  int64_t look_at_ms_ = INT64_MAX;  // when to look at what a broken side has left behind
  int64_t look_after_ms_ = 0;
  size_t left_behind_ = 0;  // bytes, when last looked
  uint32_t attempts_ = 0;
  bool connecting_ = false;
  bool holds_slot_ = false;
  bool attached_ = false;  // the host's connection stands
  bool closed_ = false;
};

}  // namespace weir
