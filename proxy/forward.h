#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "proxy/base/buffer.h"
#include "proxy/http/route.h"
#include "proxy/http/stream.h"
#include "proxy/net/tls_session.h"
#include "proxy/shadow.h"
#include "proxy/upstream/worker_cluster.h"
#include "proxy/upstream_policy.h"

namespace weir {

class Request;

// A request's dealings with its upstream: cluster, host, connection, attempts, and the body that
// waits or may have to be sent again. Part of a Request. One loop.
class Forward : private http::ClientStreamEvents, private upstream::ConnectionWaiter {
 public:
  explicit Forward(Request& request, BlockPool& blocks);

  // Chooses the cluster and starts the first attempt. `end`: the request has no body.
  void start(const http::ForwardAction& action, bool end);
  void send_body(std::string_view bytes, bool end);
  void send_trailers(http::HeaderMap& trailers);
  // Gives up whatever is under way, without telling the request.
  void cancel();
  void recycle();

  bool active() const { return stream_ != nullptr || waiting() || backing_off_; }
  void pause_upstream(bool pause);
  // The earliest of its deadlines, and what to do when it has passed. INT64_MAX: none.
  int64_t next_deadline_ms() const;
  void check_deadlines(int64_t now_ms);
  // The request is complete: the route's timeout counts from now.
  void on_request_complete(int64_t now_ms);

  const http::ForwardAction* action() const { return action_; }
  // The limit of the whole stream, kNoLimit when there is none.
  int64_t max_duration_ms() const { return policy_.max_duration_ms; }
  const http::WeightedCluster* weighted() const { return weighted_; }
  upstream::Host* host() const { return host_; }

 private:
  // ConnectionWaiter
  http::ClientStreamEvents& stream_events() override { return *this; }
  void on_connection(const upstream::Lent& lent) override;
  void on_no_connection(http::ResetReason reason, std::string_view details) override;
  // ClientStreamEvents
  http::ResponseHead& fresh_response_head() override;
  Arena& trailer_arena() override;
  void on_informational() override;
  void on_response_head(bool end) override;
  void on_response_body(std::string_view bytes, bool end) override;
  void on_response_trailers(http::HeaderMap& trailers) override;
  void on_stream_over() override {
    stream_ = nullptr;
    detach();
  }
  void on_upstream_reset(http::ResetReason reason, std::string_view details) override;
  void on_upstream_full(bool full) override;

  std::string_view choose_cluster();
  upstream::Host* original_destination();
  void attempt();
  bool take_host();
  void show_host();
  void show_connection(const upstream::Lent& lent);
  void send_request(const upstream::Lent& lent);
  void detach();
  void release_upstream();
  void release_host();
  void remember_host();
  void forget_tried();
  void release_slots();
  bool retry(std::optional<int64_t> asked_wait_ms = std::nullopt);
  int64_t back_off_ms() const;
  bool may_replay() const;
  void fail(http::ResetReason reason, std::string_view details);
  void try_timed_out(bool idle);
  void timed_out(std::string_view details);
  void begin_try_timeout(int64_t now_ms);
  void show_pressure();
  void note_response(bool end);
  void count_answer(uint16_t status);
  void answer_for_upstream(const http::LocalReply& answer);
  void give_feedback();
  void note_broken();
  void note_late();
  void note_outcome(const http::HeaderMap* trailers);
  size_t replay_limit() const;
  void keep_for_replay(std::string_view bytes);

  Request& request_;
  const http::ForwardAction* action_ = nullptr;
  const http::WeightedCluster* weighted_ = nullptr;
  Shadows shadows_;
  upstream::WorkerCluster* cluster_ = nullptr;
  upstream::Host* host_ = nullptr;
  upstream::Host* shown_ = nullptr;  // to logs: remembered until the request is over
  http::ClientStream* stream_ = nullptr;
  Buffer body_;  // not sent yet, or kept to be sent again
  http::HeaderMap* trailers_ = nullptr;
  std::string_view new_cookie_;  // for Set-Cookie, of a hash policy
  static constexpr size_t kMaxTried = 8;
  upstream::Host* tried_[kMaxTried];
  uint32_t tried_count_ = 0;
  // Of its own, because the log may be written when host and connection are gone.
  net::Address remote_;
  net::Address local_;
  net::TlsShare tls_;  // null in the clear

  int64_t deadline_ms_ = INT64_MAX;  // the route's timeout
  int64_t try_deadline_ms_ = INT64_MAX;
  int64_t retry_at_ms_ = INT64_MAX;
  int64_t try_idle_ms_ = 0;  // per_try_idle_timeout; 0: none
  int64_t sent_ms_ = 0;
  int64_t complete_ms_ = 0;  // the request was; 0: not yet
  int64_t activity_ms_ = 0;  // of the present attempt
  UpstreamPolicy policy_;
  int64_t started_ms_ = 0;
  size_t replay_limit_ = 0;  // of `body_` once it is sent; 0: it is not kept
  uint32_t retries_left_ = 0;
  uint32_t retries_done_ = 0;
  bool high_ : 1 = false;
  bool end_seen_ : 1 = false;   // the whole request has come from the client
  bool body_lost_ : 1 = false;  // too much was sent to keep: no retry any more
  bool keeps_body_ : 1 = false;
  bool backing_off_ : 1 = false;
  bool response_begun_ : 1 = false;
  bool reused_ : 1 = false;
  bool attached_ : 1 = false;  // a stream carries it: one of the cluster's requests
  bool holds_retry_slot_ : 1 = false;
  // Why the client is not to send more of the body, and whether it was told.
  bool body_waits_ : 1 = false;     // much, for a connection
  bool upstream_full_ : 1 = false;  // its connection
  bool client_paused_ : 1 = false;
  bool automatic_retry_used_ : 1 = false;
  bool outcome_open_ : 1 = false;  // a gRPC response's trailers will tell whether it succeeded
};

}  // namespace weir
