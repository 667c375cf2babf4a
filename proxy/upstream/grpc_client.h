#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/base/arena.h"
#include "proxy/base/buffer.h"
#include "proxy/http/grpc.h"
#include "proxy/http/grpc_frame.h"
#include "proxy/http/stream.h"
#include "proxy/upstream/cluster_call.h"
#include "proxy/upstream/worker_cluster.h"

// The one gRPC client of the house: for xDS, ext_authz, rate limits and access log services. It
// sends over the same pools as requests do, always in HTTP/2.
namespace weir::upstream {

// Initial metadata: names in lower case; the values of "-bin" names are base64 already.
using GrpcMetadata = std::vector<std::pair<std::string, std::string>>;

// What is called and how. Read by start() alone.
struct GrpcMethod {
  std::string_view service;    // "envoy.service.auth.v3.Authorization"
  std::string_view method;     // "Check"
  std::string_view authority;  // empty: the cluster's name
  const GrpcMetadata* metadata = nullptr;
  int64_t timeout_ms = 0;  // of the whole call; told to the server; 0: none
  size_t max_message_bytes = 4 * 1024 * 1024;
};

// How a call ended. `code` is a number of http::GrpcStatus, or another one that the server chose.
struct GrpcOutcome {
  uint32_t code = 0;
  std::string message;  // decoded
  bool ok() const { return code == 0; }
};

// What a call tells. From all of these the stream may be cancelled or destroyed.
class GrpcStreamEvents {
 public:
  virtual ~GrpcStreamEvents() = default;
  // The server's initial metadata; not for a call that ends at once.
  virtual void on_headers(const http::HeaderMap& /*headers*/) {}
  // Valid during the call.
  virtual void on_message(std::string_view message) = 0;
  // full() has become false.
  virtual void on_writable() {}
  // Once, last. `trailers` is null when the server sent none.
  virtual void on_closed(const GrpcOutcome& outcome, const http::HeaderMap* trailers) = 0;
};

// One call with any number of messages in each direction. Destroying it cancels it. One loop.
class GrpcStream : private http::ClientStreamEvents,
                   private ConnectionWaiter,
                   private net::Timer::Owner {
 public:
  // All three outlive the stream.
  GrpcStream(WorkerCluster& cluster, net::Loop& loop, GrpcStreamEvents& events);
  ~GrpcStream() override;
  GrpcStream(const GrpcStream&) = delete;
  GrpcStream& operator=(const GrpcStream&) = delete;

  // Once. Whatever fails is told by on_closed, in a later turn of the loop.
  void start(const GrpcMethod& method);
  // A serialized message; `end`: the last one. Before a connection stands it waits here. Ignored
  // when the call is over.
  void send(std::string_view message, bool end);
  // No further message. Once, instead of `end`.
  void finish_sending();
  // More waits than should: better send nothing until on_writable.
  bool full() const;
  // Back-pressure: what has come already is still told.
  void pause_reading(bool pause);
  // Gives the call up; no event follows.
  void cancel();
  bool over() const { return over_; }

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
  void on_response_trailers(http::HeaderMap& trailers) override;
  void on_stream_over() override { call_.on_stream_over(); }
  void on_upstream_reset(http::ResetReason reason, std::string_view details) override;
  void on_upstream_full(bool full) override;
  void on_timer(net::Timer& timer) override;

  void write_head(const GrpcMethod& method);
  void connect();
  void write(std::string frame, bool end);
  // Hands messages out; false: the stream is no more, or over.
  bool deliver(std::string_view bytes);
  void end_of_response(const http::HeaderMap* trailers);
  void fail(http::GrpcStatus status, std::string message);
  // The same, a turn later: the caller of start() or send() is still at work.
  void fail_soon(http::GrpcStatus status, std::string message);
  void close(GrpcOutcome outcome, const http::HeaderMap* trailers);
  void let_go();

  ClusterCall call_;
  net::Loop& loop_;
  GrpcStreamEvents& events_;
  Arena arena_;
  http::RequestHead head_;
  http::ResponseHead response_;
  Buffer waiting_;  // until a connection stands
  http::GrpcFrameReader reader_{0};
  net::Timer timer_;
  GrpcOutcome soon_;  // told by the timer
  size_t max_message_bytes_ = 0;
  bool* gone_ = nullptr;  // set by the destructor while messages are handed out
  bool started_ = false;
  bool end_wanted_ = false;  // no further message of ours
  bool full_ = false;
  bool paused_ = false;
  bool fails_soon_ = false;
  bool over_ = false;
};

// A call with one message in each direction. Destroying it cancels it. One loop.
class GrpcUnaryCall : private GrpcStreamEvents {
 public:
  // The reply's message is empty unless the outcome is fine. May destroy the call.
  using Done = std::function<void(const GrpcOutcome& outcome, std::string_view reply)>;

  GrpcUnaryCall(WorkerCluster& cluster, net::Loop& loop, Done done)
      : stream_(cluster, loop, *this), done_(std::move(done)) {}

  // Once. `done` comes in a later turn of the loop.
  void start(const GrpcMethod& method, std::string_view message);
  void cancel() { stream_.cancel(); }

 private:
  void on_message(std::string_view message) override;
  void on_closed(const GrpcOutcome& outcome, const http::HeaderMap* trailers) override;

  GrpcStream stream_;
  Done done_;
  std::string reply_;
  uint32_t replies_ = 0;
};

}  // namespace weir::upstream
