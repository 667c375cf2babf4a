#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "proxy/base/arena.h"
#include "proxy/http/stream.h"
#include "proxy/net/timer_wheel.h"
#include "proxy/upstream/cluster_call.h"
#include "proxy/upstream/worker_cluster.h"

namespace weir::upstream {

// What a call answers.
struct HttpReply {
  uint16_t status = 0;  // 0: there was no response
  std::string body;
  std::string error;  // why there was none
};

// One POST with its whole body, over the same pools as requests: HTTP/1 or HTTP/2, as the cluster
// says. It has no time of its own: destroying it gives it up, and no reply comes then. One loop.
class HttpCall : private http::ClientStreamEvents,
                 private ConnectionWaiter,
                 private net::Timer::Owner {
 public:
  // Once, in a later turn of the loop than post(). May destroy the call.
  using Done = std::function<void(const HttpReply& reply)>;

  // Cluster and loop outlive the call. A longer response than `max_body_bytes` is none.
  HttpCall(WorkerCluster& cluster, net::Loop& loop, size_t max_body_bytes, Done done);
  ~HttpCall() override;
  HttpCall(const HttpCall&) = delete;
  HttpCall& operator=(const HttpCall&) = delete;

  // Once. The Host is the cluster's name.
  void post(std::string_view path, std::string_view content_type, std::string body);

 private:
  // ConnectionWaiter
  http::ClientStreamEvents& stream_events() override { return *this; }
  void on_connection(const Lent& lent) override;
  void on_no_connection(http::ResetReason reason, std::string_view details) override;
  // ClientStreamEvents
  http::ResponseHead& fresh_response_head() override;
  Arena& trailer_arena() override { return arena_; }
  void on_informational() override {}
  void on_response_head(bool end) override;
  void on_response_body(std::string_view bytes, bool end) override;
  void on_response_trailers(http::HeaderMap& /*trailers*/) override { succeed(); }
  void on_stream_over() override { call_.on_stream_over(); }
  void on_upstream_reset(http::ResetReason reason, std::string_view details) override;
  void on_upstream_full(bool /*full*/) override {}
  void on_timer(net::Timer& timer) override;

  void connect();
  void succeed();
  void fail(std::string error);
  // The same, a turn later: the caller of post() is still at work.
  void fail_soon(std::string error);
  void tell();

  ClusterCall call_;
  net::Loop& loop_;
  size_t max_body_bytes_;
  Done done_;
  Arena arena_;
  http::RequestHead head_;
  http::ResponseHead response_;
  std::string body_;  // of the request, until it is sent
  HttpReply reply_;
  net::Timer timer_;
};

}  // namespace weir::upstream
