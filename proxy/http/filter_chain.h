#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/base/buffer.h"
#include "proxy/http/filter.h"
#include "proxy/http/route.h"

namespace weir::http {

// One filter of a configured chain, in order; without the terminal router.
struct ConfiguredFilter {
  std::string name;  // several may have the same: per-route configs under it are for each of them
  std::shared_ptr<const FilterConfig> config;
  bool disabled = false;  // unless a route enables it
  // Only per-route configs of this type override it: others of its name are another filter's, or
  // for what a control plane sent before. Null: all that have its name do.
  const FilterType* type = nullptr;
};
using FilterList = std::vector<ConfiguredFilter>;

// Whoever runs a chain: gets what passed all filters.
class FilterChainOwner {
 public:
  virtual ~FilterChainOwner() = default;
  // A filter that holds the head collects the body: who waits to be told to send it must be told.
  virtual void request_body_wanted() {}
  virtual void request_head_passed(bool end) = 0;
  virtual void request_body_passed(std::string_view bytes, bool end) = 0;
  virtual void request_trailers_passed(HeaderMap& trailers) = 0;
  virtual void response_head_passed(bool end) = 0;
  virtual void response_body_passed(std::string_view bytes, bool end) = 0;
  virtual void response_trailers_passed(HeaderMap& trailers) = 0;
  // A filter answered. The owner makes the response and sends it through start_response.
  virtual void respond(const LocalReply& reply) = 0;
  // A filter holds as much as it may: stop, or go on with, what feeds it.
  virtual void pause_request(bool pause) = 0;
  virtual void pause_response(bool pause) = 0;
  // As FilterContext::cluster_members.
  virtual std::optional<ClusterMembers> cluster_members(std::string_view cluster) = 0;
};

// What one filter holds of a message while it waits. In the request's arena.
struct FilterHold {
  explicit FilterHold(BlockPool& blocks) : body(blocks) {}

  FilterHold* next = nullptr;
  int step = 0;             // of the filter, counted in the direction of travel
  bool head_held = false;   // the head has not passed the filter
  bool head_end = false;    // the head came with the end of the message
  bool shows_body = false;  // the filter sees body pieces while it waits
  bool end_held = false;    // the held body is complete
  size_t limit = 0;         // of `body`; 0: the chain's
  Buffer body;
  HeaderMap* trailers = nullptr;
};

// One direction of a message through the filters.
struct FilterLane {
  FilterHold* holds = nullptr;  // of the filters that wait; seldom one, hardly ever two
  bool collects = false;        // the filter that was called last asked for the body
  size_t collect_limit = 0;
  bool paused = false;
  bool over = false;     // nothing more passes
  uint32_t message = 0;  // counts those that pass: an answer takes a response's place

  bool passes(uint32_t which) const { return !over && message == which; }
  FilterHold* find(int step) const;
  void drop();  // what is held, and then forgotten
};

// The filters at work on one request. One worker; lives in its request.
class FilterChain {
 public:
  struct Start {
    const FilterList& filters;
    const Route* route;  // may be null
    RequestHead& request;
    StreamInfo& info;
    net::Loop& loop;
    stats::Shard& stats;
    uint32_t worker;
    size_t buffer_limit;
    const RouteFilters* cluster_filters;  // of the weighted cluster; may be null
  };

  FilterChain(FilterChainOwner& owner, BlockPool& blocks) : owner_(owner), blocks_(blocks) {}
  ~FilterChain() { finish(); }
  FilterChain(const FilterChain&) = delete;
  FilterChain& operator=(const FilterChain&) = delete;

  // Makes the filters, in the request's arena.
  void start(const Start& start);
  bool empty() const { return count_ == 0; }

  void request_head(bool end);
  void request_body(std::string_view bytes, bool end);
  // Trailers live as long as the request.
  void request_trailers(HeaderMap& trailers);
  // A head that comes while a filter holds an earlier one (an answer instead of a response that
  // broke) takes its place.
  void response_head(ResponseHead& head, bool end);
  void response_body(std::string_view bytes, bool end);
  void response_trailers(HeaderMap& trailers);

  // Nothing of the request goes further: an answer is on its way.
  void stop_request();
  // Nothing goes further in either direction.
  void stop();
  bool route_stale() const;
  // Calls on_done and destroys the filters. Once; the chain may be started again afterwards.
  void finish();

 private:
  friend class FilterContext;
  friend class Resumption;
  struct RequestSide;
  struct ResponseSide;

  template <class Side>
  void run_head(int step, bool end);
  template <class Side>
  void run_body(int step, BodyPiece piece);
  template <class Side>
  void run_trailers(int step, HeaderMap& trailers);
  template <class Side>
  FilterHold& add_hold(int step);
  template <class Side>
  void hold_body(FilterHold& hold, const BodyPiece& piece);
  template <class Side>
  void release(FilterHold& hold, Verdict verdict);
  template <class Side>
  void flush_body(int step, Buffer&& body, bool end);
  template <class Side>
  void append_to_head(int step, bool end);
  template <class Side>
  void answer();
  template <class Side>
  void drop();

  bool holds_much(const FilterLane& lane) const;
  void resume(const Resumption::Ticket& ticket, const std::function<Verdict()>& then);
  void too_large();

  FilterChainOwner& owner_;
  BlockPool& blocks_;
  Filter** filters_ = nullptr;
  FilterContext* contexts_ = nullptr;
  int count_ = 0;
  size_t buffer_limit_ = 0;
  FilterLane request_lane_;
  FilterLane response_lane_;
  FilterHold* free_holds_ = nullptr;
  LocalReply reply_;
  std::string_view appended_;  // by the filter that was called last
  bool appends_ = false;
  std::vector<std::shared_ptr<Resumption::Ticket>> tickets_;
};

}  // namespace weir::http
