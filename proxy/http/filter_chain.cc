#include "proxy/http/filter_chain.h"

#include <atomic>
#include <utility>

#include "proxy/net/loop.h"

namespace weir::http {

struct Resumption::Ticket {
  net::Loop* loop;
  FilterChain* chain;  // null once the request is over; the loop's thread only
  uint32_t position;
  std::atomic<bool> used{false};
};

void Resumption::resume(std::function<Verdict()> then) const {
  if (ticket_ == nullptr || ticket_->used.exchange(true)) return;
  ticket_->loop->post([ticket = ticket_, then = std::move(then)] {
    if (ticket->chain != nullptr) ticket->chain->resume(ticket->position, then);
  });
}

void Resumption::resume() const {
  resume([] { return Verdict::kContinue; });
}

Verdict FilterContext::respond(const LocalReply& reply) {
  chain_->reply_ = reply;
  return Verdict::kRespond;
}

Verdict FilterContext::collect_body(size_t limit_bytes) {
  chain_->request_lane_.shows_body = true;
  chain_->request_lane_.limit = limit_bytes;
  return Verdict::kWait;
}

Resumption FilterContext::resumption() {
  auto ticket = std::make_shared<Resumption::Ticket>();
  ticket->loop = loop_;
  ticket->chain = chain_;
  ticket->position = position_;
  chain_->tickets_.push_back(ticket);
  return Resumption(std::move(ticket));
}

// ---- the two directions, told apart at compile time ----

// Steps count from 0 in the direction of travel.
struct FilterChain::RequestSide {
  static FilterLane& lane(FilterChain& c) { return c.request_lane_; }
  static int position(const FilterChain&, int step) { return step; }
  static Verdict head(Filter& f, FilterContext& x, bool end) { return f.on_request(x, end); }
  static Verdict body(Filter& f, FilterContext& x, BodyPiece& p) { return f.on_request_body(x, p); }
  static Verdict trailers(Filter& f, FilterContext& x, HeaderMap& t) {
    return f.on_request_trailers(x, t);
  }
  static void head_passed(FilterChainOwner& o, bool end) { o.request_head_passed(end); }
  static void body_passed(FilterChainOwner& o, const BodyPiece& p) {
    o.request_body_passed(p.bytes, p.end);
  }
  static void trailers_passed(FilterChainOwner& o, HeaderMap& t) { o.request_trailers_passed(t); }
  static void pause(FilterChainOwner& o, bool pause) { o.pause_request(pause); }
};

struct FilterChain::ResponseSide {
  static FilterLane& lane(FilterChain& c) { return c.response_lane_; }
  static int position(const FilterChain& c, int step) { return c.count_ - 1 - step; }
  static Verdict head(Filter& f, FilterContext& x, bool end) {
    return f.on_response(x, *x.response(), end);
  }
  static Verdict body(Filter& f, FilterContext& x, BodyPiece& p) {
    return f.on_response_body(x, p);
  }
  static Verdict trailers(Filter& f, FilterContext& x, HeaderMap& t) {
    return f.on_response_trailers(x, t);
  }
  static void head_passed(FilterChainOwner& o, bool end) { o.response_head_passed(end); }
  static void body_passed(FilterChainOwner& o, const BodyPiece& p) {
    o.response_body_passed(p.bytes, p.end);
  }
  static void trailers_passed(FilterChainOwner& o, HeaderMap& t) { o.response_trailers_passed(t); }
  static void pause(FilterChainOwner& o, bool pause) { o.pause_response(pause); }
};

template <class Side>
void FilterChain::run_head(int step, bool end) {
  FilterLane& lane = Side::lane(*this);
  for (; step < count_; ++step) {
    const int at = Side::position(*this, step);
    lane.shows_body = false;
    lane.limit = 0;
    const Verdict verdict = Side::head(*filters_[at], contexts_[at], end);
    if (verdict == Verdict::kContinue) continue;
    if (verdict == Verdict::kRespond) {
      lane.over = true;
      return owner_.respond(reply_);
    }
    lane.holder = step;
    lane.head_held = true;
    lane.head_end = end;
    return;
  }
  Side::head_passed(owner_, end);
}

template <class Side>
void FilterChain::run_body(int step, BodyPiece piece) {
  FilterLane& lane = Side::lane(*this);
  for (; step < count_ && !lane.over; ++step) {
    const int at = Side::position(*this, step);
    const Verdict verdict = Side::body(*filters_[at], contexts_[at], piece);
    if (verdict == Verdict::kContinue) continue;
    if (verdict == Verdict::kRespond) {
      lane.over = true;
      return owner_.respond(reply_);
    }
    lane.holder = step;
    lane.head_held = false;
    lane.shows_body = true;
    return hold_body<Side>(piece.bytes, piece.end);
  }
  if (!lane.over) Side::body_passed(owner_, piece);
}

template <class Side>
void FilterChain::run_trailers(int step, HeaderMap& trailers) {
  FilterLane& lane = Side::lane(*this);
  for (; step < count_ && !lane.over; ++step) {
    const int at = Side::position(*this, step);
    const Verdict verdict = Side::trailers(*filters_[at], contexts_[at], trailers);
    if (verdict == Verdict::kContinue) continue;
    if (verdict == Verdict::kRespond) {
      lane.over = true;
      return owner_.respond(reply_);
    }
    lane.holder = step;
    lane.head_held = false;
    lane.shows_body = true;
    lane.trailers_held = &trailers;
    return;
  }
  if (!lane.over) Side::trailers_passed(owner_, trailers);
}

// A piece on its way from `step` on: up to the holder, if there is one, it passes as usual; there
// it waits.
template <class Side>
void FilterChain::deliver_body(int step, BodyPiece piece) {
  FilterLane& lane = Side::lane(*this);
  if (lane.over) return;
  if (lane.holder == FilterLane::kNobody) return run_body<Side>(step, piece);
  const int last = lane.shows_body ? lane.holder : lane.holder - 1;
  Verdict verdict = Verdict::kWait;
  for (; step <= last; ++step) {
    const int at = Side::position(*this, step);
    verdict = Side::body(*filters_[at], contexts_[at], piece);
    if (verdict != Verdict::kRespond) continue;
    lane.over = true;
    return owner_.respond(reply_);
  }
  const bool let_go = lane.shows_body && verdict == Verdict::kContinue;
  hold_body<Side>(piece.bytes, piece.end);
  if (let_go && !lane.over) release<Side>(Verdict::kContinue);
}

template <class Side>
void FilterChain::deliver_trailers(int step, HeaderMap& trailers) {
  FilterLane& lane = Side::lane(*this);
  if (lane.over) return;
  if (lane.holder == FilterLane::kNobody) return run_trailers<Side>(step, trailers);
  lane.trailers_held = &trailers;
  if (!lane.shows_body) return;
  const int at = Side::position(*this, lane.holder);
  const Verdict verdict = Side::trailers(*filters_[at], contexts_[at], trailers);
  release<Side>(verdict);
}

template <class Side>
void FilterChain::hold_body(std::string_view bytes, bool end) {
  FilterLane& lane = Side::lane(*this);
  if (lane.limit != 0 && lane.held.size() + bytes.size() > lane.limit) return too_large();
  lane.held.append(bytes);
  lane.end_held = end;
  if (lane.limit != 0 || lane.held.size() <= buffer_limit_ || lane.paused) return;
  lane.paused = true;
  Side::pause(owner_, true);
}

// The holder lets go: the head if it was held, the held body, then the held trailers.
template <class Side>
void FilterChain::release(Verdict verdict) {
  FilterLane& lane = Side::lane(*this);
  if (verdict == Verdict::kWait || lane.holder == FilterLane::kNobody) return;
  if (verdict == Verdict::kRespond) {
    lane.over = true;
    return owner_.respond(reply_);
  }
  const int holder = std::exchange(lane.holder, FilterLane::kNobody);
  const bool seen = lane.shows_body;
  if (std::exchange(lane.head_held, false)) run_head<Side>(holder + 1, lane.head_end);
  if (!lane.over) flush_held<Side>(seen ? holder + 1 : holder);
}

template <class Side>
void FilterChain::flush_held(int step) {
  FilterLane& lane = Side::lane(*this);
  net::Loop& loop = contexts_[0].loop();
  HeaderMap* trailers = std::exchange(lane.trailers_held, nullptr);
  const bool end = std::exchange(lane.end_held, false);
  // Views of these bytes stay valid until the loop flushes: they live to the end of the turn.
  auto held = std::make_unique<Buffer>(std::move(lane.held));
  size_t left = held->size();
  if (left == 0 && end) deliver_body<Side>(step, {{}, true});
  held->for_each([&](std::string_view run) {
    left -= run.size();
    deliver_body<Side>(step, {run, end && left == 0});
  });
  loop.retire(std::move(held));
  if (trailers != nullptr) deliver_trailers<Side>(step, *trailers);
  if (!lane.paused || lane.over || lane.holder != FilterLane::kNobody) return;
  lane.paused = false;
  Side::pause(owner_, false);
}

void FilterChain::too_large() {
  request_lane_.over = true;
  LocalReply reply;
  reply.status = 413;
  reply.body = "Payload Too Large";
  reply.details = "request_payload_too_large";
  owner_.respond(reply);
}

void FilterChain::resume(uint32_t position, const std::function<Verdict()>& then) {
  const int at = static_cast<int>(position);
  const bool in_request =
      request_lane_.holder == at && !request_lane_.over;
  const bool in_response =
      response_lane_.holder == count_ - 1 - at && !response_lane_.over;
  if (!in_request && !in_response) return;
  const Verdict verdict = then();
  if (in_request) {
    release<RequestSide>(verdict);
  } else {
    release<ResponseSide>(verdict);
  }
}

// ---- life ----

namespace {

// The config in force for one filter on one route, and all of its per-route ones.
struct Overrides {
  const FilterConfig* most_specific = nullptr;
  bool disabled = false;
  uint32_t count = 0;
};

void add_overrides(const RouteFilters& level, const ConfiguredFilter& filter,
                   const FilterConfig** out, Overrides& found) {
  for (const RouteFilter& entry : level) {
    if (entry.name != filter.name) continue;
    found.disabled = entry.disabled;
    if (entry.config == nullptr) continue;
    found.most_specific = entry.config.get();
    out[found.count++] = entry.config.get();
  }
}

}  // namespace

void FilterChain::start(const Start& start) {
  Arena& arena = start.request.headers.arena();
  const size_t configured = start.filters.size();
  filters_ = arena.array<Filter*>(configured);
  contexts_ = arena.array<FilterContext>(configured);
  count_ = 0;
  buffer_limit_ = start.buffer_limit;
  const bool by_cluster = start.cluster_filters != nullptr && !start.cluster_filters->empty();
  const size_t levels = start.route != nullptr ? start.route->filters.size() : 0;
  for (const ConfiguredFilter& filter : start.filters) {
    FilterContext context;
    const FilterConfig* config = filter.config.get();
    bool disabled = filter.disabled;
    if (levels > 0 || by_cluster) {
      auto** configs = arena.array<const FilterConfig*>(levels + 1);
      Overrides found;
      found.disabled = filter.disabled;
      for (size_t i = 0; i < levels; ++i)
        add_overrides(*start.route->filters[i], filter, configs, found);
      if (by_cluster) add_overrides(*start.cluster_filters, filter, configs, found);
      if (found.most_specific != nullptr) config = found.most_specific;
      disabled = found.disabled;
      context.route_configs_ = {configs, found.count};
    }
    if (disabled || filter.config == nullptr) continue;
    context.chain_ = this;
    context.request_ = &start.request;
    context.info_ = &start.info;
    context.loop_ = &start.loop;
    context.stats_ = &start.stats;
    context.route_ = start.route;
    context.config_ = config;
    context.worker_ = start.worker;
    context.position_ = static_cast<uint32_t>(count_);
    new (&contexts_[count_]) FilterContext(context);
    Filter* made = filter.config->make(contexts_[count_]);
    if (made != nullptr) filters_[count_++] = made;
  }
}

void FilterChain::request_head(bool end) { run_head<RequestSide>(0, end); }

void FilterChain::request_body(std::string_view bytes, bool end) {
  deliver_body<RequestSide>(0, {bytes, end});
}

void FilterChain::request_trailers(HeaderMap& trailers) {
  deliver_trailers<RequestSide>(0, trailers);
}

void FilterChain::response_head(ResponseHead& head, bool end) {
  for (int i = 0; i < count_; ++i) contexts_[i].response_ = &head;
  run_head<ResponseSide>(0, end);
}

void FilterChain::response_body(std::string_view bytes, bool end) {
  deliver_body<ResponseSide>(0, {bytes, end});
}

void FilterChain::response_trailers(HeaderMap& trailers) {
  deliver_trailers<ResponseSide>(0, trailers);
}

void FilterChain::stop_request() {
  request_lane_.over = true;
  request_lane_.held.clear();
}

void FilterChain::stop() {
  stop_request();
  response_lane_.over = true;
  response_lane_.held.clear();
}

bool FilterChain::route_stale() const {
  for (int i = 0; i < count_; ++i)
    if (contexts_[i].route_stale_) return true;
  return false;
}

void FilterChain::finish() {
  for (const auto& ticket : tickets_) ticket->chain = nullptr;
  tickets_.clear();
  for (int i = 0; i < count_; ++i) filters_[i]->on_done(contexts_[i]);
  for (int i = count_ - 1; i >= 0; --i) filters_[i]->~Filter();
  count_ = 0;
  const auto empty = [](FilterLane& lane) {
    lane.held.clear();
    lane.trailers_held = nullptr;
    lane.holder = FilterLane::kNobody;
    lane.head_held = lane.shows_body = lane.end_held = lane.head_end = false;
    lane.paused = lane.over = false;
    lane.limit = 0;
  };
  empty(request_lane_);
  empty(response_lane_);
}

}  // namespace weir::http
