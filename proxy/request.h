#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "proxy/base/arena.h"
#include "proxy/forward.h"
#include "proxy/hcm_config.h"
#include "proxy/http/filter_chain.h"
#include "proxy/http/server_connection.h"
#include "proxy/http/stream.h"
#include "proxy/net/timer_wheel.h"

namespace weir {

class Worker;

// One request from its first byte to its last: the only place where the stages stand in their
// order. Recycled by its worker. One loop.
//
//   head parsed -> made canonical -> route -> filters -> upstream -> filters -> client -> log
class Request : public http::ServerStreamEvents,
                public http::FilterChainOwner,
                private net::Timer::Owner {
 public:
  explicit Request(Worker& worker);

  // Begins on a stream of a client's connection. `hcm` outlives the request.
  void begin(http::ServerConnection& connection, http::ServerStream& stream, const HcmConfig& hcm);
  // Makes it ready for the next one.
  void recycle();

  Worker& worker() { return worker_; }
  const HcmConfig& hcm() const { return *hcm_; }
  Arena& arena() { return arena_; }
  http::RequestHead& head() { return head_; }
  http::ResponseHead& response() { return response_; }
  http::StreamInfo& info() { return info_; }
  const http::Route* route() const { return route_; }
  // Of a route with weighted clusters, the one that this request goes to.
  const http::WeightedCluster* picked() const { return picked_; }
  bool is_upgrade() const {
    return !head_.upgrade.empty() || head_.method == http::Method::kConnect;
  }
  // It came as a gRPC call; what filters make of it does not count.
  bool is_grpc() const { return grpc_; }
  bool request_complete() const { return request_complete_; }
  http::RuntimeLookup runtime() const;
  int64_t started_ms() const { return started_ms_; }

  // ---- from the upstream's side (Forward) ----
  void on_informational_response(http::ResponseHead& head);
  void on_response_head(bool end);
  void on_response_body(std::string_view bytes, bool end);
  void on_response_trailers(http::HeaderMap& trailers);
  // The response broke off after its head was passed on.
  void on_response_broken(http::ResetReason reason);
  void pause_client(bool pause);
  // In digits, which stay until another time is asked for: most requests tell the same one, so it
  // is kept from one request of this object to the next.
  std::string_view timeout_text(int64_t ms) {
    if (ms != text_ms_) write_timeout(ms);
    return {timeout_text_, timeout_text_size_};
  }
  // Answers by ourselves: once, before a response head was sent; afterwards it breaks the stream.
  void reply(const http::LocalReply& reply);
  void touch() { last_activity_ms_ = now_ms(); }
  // Where the client's connection was headed before it was redirected here; of kind kNone when it
  // was not.
  net::Address original_destination() const;
  // What a client that is not trusted said in x-envoy-original-dst-host, which nobody gets to see.
  std::string_view wished_destination() const { return wished_destination_; }
  void wish_for_destination(std::string_view address) {
    if (wished_destination_.empty()) wished_destination_ = address;
  }
  // For a connection that is to say for whom it speaks: the client's, as a relay in front says.
  void say_for_whom(upstream::Wish& wish) const;
  // Looks at all deadlines again.
  void arm_timer();

  // ---- ServerStreamEvents ----
  http::RequestHead& request_head() override { return head_; }
  void on_request_head(bool end) override;
  void on_bad_request(uint16_t status, std::string_view details) override;
  void on_request_body(std::string_view bytes, bool end) override;
  void on_request_trailers(http::HeaderMap& trailers) override;
  void on_downstream_reset(http::ResetReason reason, std::string_view details) override;
  void on_downstream_full(bool full) override;

 private:
  // ---- FilterChainOwner ----
  void request_body_wanted() override;
  void request_head_passed(bool end) override;
  void request_body_passed(std::string_view bytes, bool end) override;
  void request_trailers_passed(http::HeaderMap& trailers) override;
  void response_head_passed(bool end) override;
  void response_body_passed(std::string_view bytes, bool end) override;
  void response_trailers_passed(http::HeaderMap& trailers) override;
  void respond(const http::LocalReply& reply) override;
  void pause_request(bool pause) override { pause_client(pause); }
  void pause_response(bool pause) override { forward_.pause_upstream(pause); }
  std::optional<http::ClusterMembers> cluster_members(std::string_view cluster) override;

  void on_timer(net::Timer& timer) override;
  int64_t now_ms();
  int64_t idle_timeout_ms() const;
  int64_t max_duration_ms() const;
  void write_timeout(int64_t ms);
  void note_start();
  bool refuse_overloaded();
  void find_route();
  const http::RouteTable* find_scope() const;
  uint64_t weighted_choice(const http::ForwardAction& action);
  void pick_weighted(const http::ForwardAction& action);
  const HcmConfig::Upgrade* allowed_upgrade() const;
  bool check_upgrade();
  void send_continue();
  void start_filters();
  void act(const http::ForwardAction& action, bool end);
  void act(const http::RedirectAction& action, bool end);
  void act(const http::DirectAction& action, bool end);
  void note_request_complete();
  void dress(std::string_view& body, std::string_view& content_type);
  void begin_reply(const http::LocalReply& answer);
  void frame_reply(const http::LocalReply& answer, std::string_view& body,
                   std::string_view content_type);
  http::FormatInput format_input() const;
  void log();
  void count_response();
  void response_over();
  void end();

  Worker& worker_;
  Arena arena_;
  http::RequestHead head_;
  http::ResponseHead response_;
  http::StreamInfo info_;
  http::FilterChain chain_;
  Forward forward_;
  net::Timer timer_;
  http::ServerConnection* connection_ = nullptr;
  http::ServerStream* stream_ = nullptr;
  const HcmConfig* hcm_ = nullptr;
  RouteUse* routes_ = nullptr;       // where `route_` was found; null before
  FilterUse* filter_use_ = nullptr;  // what `chain_` was made of, by ECDS
  const http::Route* route_ = nullptr;
  const http::WeightedCluster* picked_ = nullptr;
  const http::HeaderMap* response_trailers_ = nullptr;
  net::Address client_;  // after x-forwarded-for, when that differs from the peer
  std::string_view local_reply_body_;
  std::string_view wished_destination_;
  int64_t started_ms_ = 0;
  int64_t last_activity_ms_ = 0;
  int64_t text_ms_ = -1;
  char timeout_text_[20];
  uint8_t timeout_text_size_ = 0;
  uint8_t pauses_ = 0;
  bool request_complete_ : 1 = false;
  bool in_head_ : 1 = false;           // on_request_head is at work
  bool response_started_ : 1 = false;  // its head was handed to the chain
  bool response_sent_ : 1 = false;     // its head was handed to the codec
  bool replied_ : 1 = false;
  bool forwarding_ : 1 = false;
  bool ended_ : 1 = false;
  bool counted_ : 1 = false;
  bool grpc_ : 1 = false;
  bool upgrade_counted_ : 1 = false;  // as one that is allowed
};

}  // namespace weir
