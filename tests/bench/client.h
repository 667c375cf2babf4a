#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/bench/channel.h"
#include "tests/bench/event_loop.h"
#include "tests/bench/histogram.h"

namespace weir::bench {

struct LoadOptions {
  uint16_t proxy_port = 0;
  int connections = 64;
  size_t request_bytes = 0;  // of each request's body
  size_t response_bytes = 1024;
  int pipeline = 1;   // requests in one write
  bool once = false;  // one request on each connection and no more
  double rate = 0;    // requests a second, at random times; 0: as fast as they are answered
  std::string host = "bench.example";
  std::string path = "/api/items/42?page=1";
  bool tls = false;
  bool connect_each = false;  // a new connection for each request
  bool resume = false;        // offer the ticket that came last
};

class ClientConnection;

// Keeps a proxy busy over a number of connections and measures what comes back. Closed loop: each
// connection sends its next request when the last one is answered. Open loop (`rate`): requests
// start at times that do not depend on the answers, and a latency counts from the intended time.
class Load {
 public:
  Load(EventLoop& loop, LoadOptions options);

  void open_connections();
  void start();                 // the closed loop, or the schedule of the open one
  void start_due(int64_t now);  // open loop: what its time has come for
  void forget_measurements();

  uint64_t requests() const { return requests_; }
  uint64_t errors() const { return errors_; }
  uint64_t reconnects() const { return reconnects_; }
  uint64_t resumed() const { return resumed_; }  // answers on connections that resumed a session
  const Histogram& latencies() const { return latencies_; }
  const LoadOptions& options() const { return options_; }

 private:
  friend class ClientConnection;

  void answered(ClientConnection& connection, int64_t started_ns);
  void failed(ClientConnection& connection);
  void send_on_idle(int64_t started_ns);
  void send_on_new(int64_t started_ns);
  double next_gap_ns();

  EventLoop& loop_;
  LoadOptions options_;
  ClientTls tls_;
  std::string batch_;  // what one write sends: `pipeline` requests
  std::vector<ClientConnection*> idle_;
  int opened_ = 0;  // with `once`
  uint64_t requests_ = 0;
  uint64_t errors_ = 0;
  uint64_t reconnects_ = 0;
  uint64_t resumed_ = 0;
  Histogram latencies_;
  double next_start_ns_ = 0;
  uint64_t random_ = 0x9e3779b97f4a7c15;
};

}  // namespace weir::bench
