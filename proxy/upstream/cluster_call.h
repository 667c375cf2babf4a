#pragma once

#include <cstdint>
#include <string_view>

#include "proxy/http/stream.h"
#include "proxy/upstream/worker_cluster.h"

namespace weir::upstream {

// What a call that is not a client's request takes of a cluster: a place among its requests, a
// host, and a stream. Counts it, and tells those who judge the host how it did. One loop.
class ClusterCall {
 public:
  enum class Start : uint8_t { kLent, kWaiting, kDropped, kNoHost, kOverflow };

  // The cluster outlives the call; `waiter` is who makes it.
  ClusterCall(WorkerCluster& cluster, ConnectionWaiter& waiter)
      : cluster_(cluster), waiter_(waiter) {}
  ClusterCall(const ClusterCall&) = delete;
  ClusterCall& operator=(const ClusterCall&) = delete;

  // kLent: `lent` has a stream; kWaiting: the waiter will be told of one. Otherwise there is none;
  // `why_not` says why.
  Start start(const Wish& wish, Lent& lent);
  static std::string_view why_not(Start outcome);

  // What the waiter and the stream are told of.
  void on_connection(const Lent& lent);
  void on_no_connection(http::ResetReason reason);
  // `judged`: the status that the host is judged by, where it is another.
  void on_response_head(uint16_t status, uint16_t judged);
  void on_reset();
  void on_stream_over();
  // How it ended, for the host's own counters.
  void note_outcome(bool succeeded);

  // Gives back what it has. A stream that still stands is reset: the peer may have answered before
  // it read the request.
  void let_go();

  WorkerCluster& cluster() const { return cluster_; }
  http::ClientStream* stream() const { return stream_; }

 private:
  void detach();

  WorkerCluster& cluster_;
  ConnectionWaiter& waiter_;
  Host* host_ = nullptr;
  http::ClientStream* stream_ = nullptr;
  bool attached_ = false;
};

}  // namespace weir::upstream
