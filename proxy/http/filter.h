#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <initializer_list>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "proxy/base/arena.h"
#include "proxy/http/message.h"
#include "proxy/http/stream_info.h"
#include "proxy/stats/registry.h"

namespace weir::net {
class Loop;
}

// The filter contract. A filter's author needs: FilterConfig::make, the Filter calls that matter,
// and of FilterContext what the filter does. Everything runs on one worker.
namespace weir::http {

struct Route;
class FilterChain;
class FilterConfig;

// What a filter says of a step:
//   kContinue  go on; whatever was held for this filter moves to the next one
//   kWait      hold the message here; Resumption::resume() ends it, or a later body call that
//              returns kContinue
//   kRespond   an answer was given by FilterContext::respond(); the request goes no further
enum class Verdict : uint8_t { kContinue, kWait, kRespond };

// The few header lines that an answer adds. They need no heap; more than kMax is a filter's bug.
class ReplyHeaders {
 public:
  using Line = std::pair<std::string_view, std::string_view>;
  static constexpr size_t kMax = 24;

  ReplyHeaders() = default;
  ReplyHeaders(std::initializer_list<Line> lines) {
    for (const auto& [name, value] : lines) emplace_back(name, value);
  }
  // `name` in lower case.
  void emplace_back(std::string_view name, std::string_view value) {
    if (count_ == kMax) std::abort();
    lines_[count_++] = {name, value};
  }
  const Line* begin() const { return lines_.data(); }
  const Line* end() const { return lines_.data() + count_; }

 private:
  std::array<Line, kMax> lines_{};
  size_t count_ = 0;
};

// An answer made by the proxy itself. Views must outlive the request (literals, or its arena).
struct LocalReply {
  uint16_t status = 500;
  std::string_view body;
  std::string_view details;  // %RESPONSE_CODE_DETAILS%: stable, snake_case
  uint32_t flags = 0;        // ResponseFlag bits to set
  std::string_view content_type = "text/plain";
  ReplyHeaders headers;  // added to the response's
  int grpc_status = -1;  // of the answer to a gRPC request; negative: what `status` maps to
};

// One piece of a body on its way. A filter may point `bytes` at memory of its own that stays valid
// until its next call (or use the arena).
struct BodyPiece {
  std::string_view bytes;
  bool end = false;  // nothing follows, not even trailers
};

// Lets a filter that waits go on, from a callback of its own or from another thread. Safe when the
// request has ended meanwhile: then nothing happens. Copyable.
class Resumption {
 public:
  Resumption() = default;
  // Runs `then` on the worker (it may call FilterContext::respond and returns the verdict), unless
  // the request is over. Any thread. At most one of all copies has an effect.
  void resume(std::function<Verdict()> then) const;
  void resume() const;  // kContinue

 private:
  friend class FilterChain;
  friend class FilterContext;
  struct Ticket;
  explicit Resumption(std::shared_ptr<Ticket> ticket) : ticket_(std::move(ticket)) {}
  std::shared_ptr<Ticket> ticket_;
};

// The endpoints of a cluster, as its worker knows them at this moment.
struct ClusterMembers {
  size_t total = 0;
  size_t fit = 0;  // healthy or degraded
};

// What a filter may see and do of the request that it works for.
class FilterContext {
 public:
  RequestHead& request() { return *request_; }
  // Null before the response's head.
  ResponseHead* response() { return response_; }
  StreamInfo& info() { return *info_; }
  Arena& arena() { return request_->headers.arena(); }
  net::Loop& loop() { return *loop_; }
  stats::Shard& stats() { return *stats_; }
  uint32_t worker() const { return worker_; }
  // The matched route; null when none matched.
  const Route* route() const { return route_; }

  // The config in force for this filter on this request: the most specific of route, virtual host
  // and route table, else the filter's own.
  template <class Config>
  const Config& config() const {
    return static_cast<const Config&>(*config_);
  }
  // Per-route configs alone, least specific first.
  std::span<const FilterConfig* const> route_configs() const { return route_configs_; }

  // Answers the request instead of the upstream: `return context.respond({...});`
  Verdict respond(const LocalReply& reply);

  // Holds the head and shows the body as it comes: `return context.collect_body(limit);` from
  // on_request. A body that grows past `limit_bytes` is answered with 413. Nothing goes further
  // until on_request_body (or _trailers) returns kContinue.
  Verdict collect_body(size_t limit_bytes);

  // The same of the response, from on_response. What the filter leaves in the pieces is held; one
  // that takes them all (`piece.bytes = {}`) gives the message out later, in one piece.
  Verdict collect_response();

  // Lets `bytes`, valid for the rest of the present event, follow what the message has. From a call
  // that has the message's end (a head with `end`, or trailers) and returns kContinue: a head
  // without a body gets one, and trailers come after these bytes. Trailers that a filter empties
  // are none: the message then ends with its body.
  void append_body(std::string_view bytes);

  // What filters may hold of a body where nothing else is configured, in bytes.
  size_t buffer_limit() const;

  // Nothing when there is no cluster of that name.
  std::optional<ClusterMembers> cluster_members(std::string_view cluster) const;

  // From a call that returns kWait.
  Resumption resumption();

  // Looks the route up again before the upstream is chosen, because the request was changed.
  void clear_route() { route_stale_ = true; }

 private:
  friend class FilterChain;
  FilterChain* chain_ = nullptr;
  RequestHead* request_ = nullptr;
  ResponseHead* response_ = nullptr;
  StreamInfo* info_ = nullptr;
  net::Loop* loop_ = nullptr;
  stats::Shard* stats_ = nullptr;
  const Route* route_ = nullptr;
  const FilterConfig* config_ = nullptr;
  std::span<const FilterConfig* const> route_configs_;
  uint32_t worker_ = 0;
  uint32_t position_ = 0;  // of the filter in its chain
  bool route_stale_ = false;
};

// A filter at work on one request. Override what you need. Lives in the request's arena; its
// destructor runs when the request is over. Requests pass filters in the configured order,
// responses (local replies too) in the opposite one.
class Filter {
 public:
  virtual ~Filter() = default;

  virtual Verdict on_request(FilterContext&, bool /*end*/) { return Verdict::kContinue; }
  virtual Verdict on_request_body(FilterContext&, BodyPiece&) { return Verdict::kContinue; }
  virtual Verdict on_request_trailers(FilterContext&, HeaderMap&) { return Verdict::kContinue; }
  // kRespond is not possible once the response is on its way: these two say kContinue or kWait.
  virtual Verdict on_response(FilterContext&, ResponseHead&, bool /*end*/) {
    return Verdict::kContinue;
  }
  virtual Verdict on_response_body(FilterContext&, BodyPiece&) { return Verdict::kContinue; }
  virtual Verdict on_response_trailers(FilterContext&, HeaderMap&) { return Verdict::kContinue; }
  // Once, whatever happened; the response's status is in info().
  virtual void on_done(FilterContext&) {}
};

// One filter's config, parsed and checked. Immutable and shared by all workers.
class FilterConfig {
 public:
  virtual ~FilterConfig() = default;

  // Makes the filter for one request: `return context.arena().make_filter<MyFilter>(...)` is
  // spelled `place<MyFilter>(context, ...)` below. Null: this request needs no filter.
  virtual Filter* make(FilterContext& context) const = 0;
};

template <class T, class... Args>
T* place(FilterContext& context, Args&&... args) {
  return new (context.arena().allocate(sizeof(T), alignof(T))) T(std::forward<Args>(args)...);
}

}  // namespace weir::http
