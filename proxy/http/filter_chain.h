#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/base/buffer.h"
#include "proxy/http/filter.h"
#include "proxy/http/route.h"

namespace weir::http {

// One filter of a configured chain, in order; without the terminal router.
struct ConfiguredFilter {
  std::string name;
  std::shared_ptr<const FilterConfig> config;
  bool disabled = false;  // unless a route enables it
};
using FilterList = std::vector<ConfiguredFilter>;

// Whoever runs a chain: gets what passed all filters.
class FilterChainOwner {
 public:
  virtual ~FilterChainOwner() = default;
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
};

// One direction of a message through the filters: where it stands and what is held there.
struct FilterLane {
  explicit FilterLane(BlockPool& blocks) : held(blocks) {}

  static constexpr int kNobody = -1;
  int holder = kNobody;      // the filter that waits, by position
  bool head_held = false;    // the head has not passed the holder
  bool shows_body = false;   // the holder sees body pieces while it waits
  bool end_held = false;     // the held body is complete
  bool head_end = false;     // the head came with the end of the message
  bool paused = false;
  bool over = false;         // nothing more passes
  size_t limit = 0;          // of `held`; 0: the chain's
  Buffer held;
  HeaderMap* trailers_held = nullptr;
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

  FilterChain(FilterChainOwner& owner, BlockPool& blocks)
      : owner_(owner), request_lane_(blocks), response_lane_(blocks) {}
  ~FilterChain() { finish(); }
  FilterChain(const FilterChain&) = delete;
  FilterChain& operator=(const FilterChain&) = delete;

  // Makes the filters, in the request's arena.
  void start(const Start& start);
  bool empty() const { return count_ == 0; }

  void request_head(bool end);
  void request_body(std::string_view bytes, bool end);
  void request_trailers(HeaderMap& trailers);
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
  void deliver_body(int step, BodyPiece piece);
  template <class Side>
  void deliver_trailers(int step, HeaderMap& trailers);
  template <class Side>
  void hold_body(std::string_view bytes, bool end);
  template <class Side>
  void release(Verdict verdict);
  template <class Side>
  void flush_held(int step);

  void resume(uint32_t position, const std::function<Verdict()>& then);
  void too_large();

  FilterChainOwner& owner_;
  Filter** filters_ = nullptr;
  FilterContext* contexts_ = nullptr;
  int count_ = 0;
  size_t buffer_limit_ = 0;
  FilterLane request_lane_;
  FilterLane response_lane_;
  LocalReply reply_;
  std::vector<std::shared_ptr<Resumption::Ticket>> tickets_;
};

}  // namespace weir::http
