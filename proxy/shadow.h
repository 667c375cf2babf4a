#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "proxy/base/arena.h"
#include "proxy/base/buffer.h"
#include "proxy/http/route.h"
#include "proxy/http/stream.h"
#include "proxy/net/timer_wheel.h"
#include "proxy/upstream/cluster_call.h"
#include "proxy/upstream/worker_cluster.h"

namespace weir {

class Request;
class Worker;

// A copy of a request that is sent to another cluster and whose response nobody reads
// (RouteAction.request_mirror_policies). It gathers the body while the request streams and starts
// when that is whole; one that grows past `body_limit_bytes` is not sent. Owned by its
// worker; ends itself. One loop.
class Shadow : private http::ClientStreamEvents,
               private upstream::ConnectionWaiter,
               private net::Timer::Owner {
 public:
  Shadow(Worker& worker, upstream::WorkerCluster& cluster, const http::RequestHead& original,
         bool suffix_host, int64_t timeout_ms, uint64_t body_limit_bytes);
  ~Shadow() override;

  // From the request, as its body comes; `end` starts the exchange.
  void add_body(std::string_view bytes, bool end);
  // The request ended before its body did.
  void abandon();

  uint32_t slot = 0;  // the worker's

 private:
  http::ClientStreamEvents& stream_events() override { return *this; }
  void on_connection(const upstream::Lent& lent) override;
  void on_no_connection(http::ResetReason reason, std::string_view details) override;
  http::ResponseHead& fresh_response_head() override;
  Arena& trailer_arena() override { return arena_; }
  void on_informational() override {}
  void on_response_head(bool end) override;
  void on_response_body(std::string_view bytes, bool end) override;
  void on_response_trailers(http::HeaderMap& trailers) override;
  void on_stream_over() override { call_.on_stream_over(); }
  void on_upstream_reset(http::ResetReason reason, std::string_view details) override;
  void on_upstream_full(bool /*full*/) override {}
  void on_timer(net::Timer& timer) override;

  void start();
  void finish();

  Worker& worker_;
  upstream::ClusterCall call_;
  Arena arena_;
  http::RequestHead head_;
  http::ResponseHead response_;
  Buffer body_;
  net::Timer timer_;
  int64_t timeout_ms_;
  uint64_t body_limit_bytes_;
  bool too_large_ = false;
  bool finished_ = false;
};

// The copies of one request, until its body is whole. Part of a Forward. One loop.
class Shadows {
 public:
  // Makes those that the route asks for; beyond the fourth there is none. `end`: no body follows.
  void start(Request& request, const http::ForwardAction& action, int64_t timeout_ms, bool end);
  bool empty() const { return count_ == 0; }
  void feed(std::string_view bytes, bool end);
  // The request ended before its body did.
  void drop();

 private:
  static constexpr size_t kMost = 4;
  Shadow* shadows_[kMost];
  uint32_t count_ = 0;
};

}  // namespace weir
