#include "proxy/http/filter_chain.h"

#include <atomic>
#include <utility>

#include "proxy/net/loop.h"

namespace weir::http {

struct Resumption::Ticket {
  net::Loop* loop;
  FilterChain* chain;  // null once the request is over; the loop's thread only
  uint32_t position;
  uint32_t response;  // that was passing: another one's holds are not this ticket's; 0: none was
  std::atomic<bool> used{false};
};

void Resumption::resume(std::function<Verdict()> then) const {
  if (ticket_ == nullptr || ticket_->used.exchange(true)) return;
  ticket_->loop->post([ticket = ticket_, then = std::move(then)] {
    if (ticket->chain != nullptr) ticket->chain->resume(*ticket, then);
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
  chain_->request_lane_.collects = true;
  chain_->request_lane_.collect_limit = limit_bytes;
  return Verdict::kWait;
}

Verdict FilterContext::collect_response() {
  chain_->response_lane_.collects = true;
  chain_->response_lane_.collect_limit = 0;
  return Verdict::kWait;
}

void FilterContext::append_body(std::string_view bytes) {
  chain_->appended_ = bytes;
  chain_->appends_ = true;
}

size_t FilterContext::buffer_limit() const {
  return chain_->buffer_limit_;
}

std::optional<ClusterMembers> FilterContext::cluster_members(std::string_view cluster) const {
  return chain_->owner_.cluster_members(cluster);
}

Resumption FilterContext::resumption() {
  auto ticket = std::make_shared<Resumption::Ticket>();
  ticket->loop = loop_;
  ticket->chain = chain_;
  ticket->position = position_;
  ticket->response = chain_->response_lane_.message;
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
  static void body_wanted(FilterChainOwner& o) { o.request_body_wanted(); }
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
  static void body_wanted(FilterChainOwner&) {}
  static void head_passed(FilterChainOwner& o, bool end) { o.response_head_passed(end); }
  static void body_passed(FilterChainOwner& o, const BodyPiece& p) {
    o.response_body_passed(p.bytes, p.end);
  }
  static void trailers_passed(FilterChainOwner& o, HeaderMap& t) { o.response_trailers_passed(t); }
  static void pause(FilterChainOwner& o, bool pause) { o.pause_response(pause); }
};

// ---- what passes, from `step` on ----

// What was under way on this side ends here. On the response's way the answer takes its place: that
// it is another message tells whoever called.
template <class Side>
void FilterChain::answer() {
  appends_ = false;
  Side::lane(*this).over = true;
  owner_.respond(reply_);
}

template <class Side>
void FilterChain::run_head(int step, bool end) {
  FilterLane& lane = Side::lane(*this);
  for (; step < count_; ++step) {
    const int at = Side::position(*this, step);
    lane.collects = false;
    const Verdict verdict = Side::head(*filters_[at], contexts_[at], end);
    if (verdict == Verdict::kRespond) return answer<Side>();
    if (std::exchange(appends_, false)) return append_to_head<Side>(step + 1, end);
    if (verdict == Verdict::kContinue) continue;
    FilterHold& hold = add_hold<Side>(step);
    hold.head_held = true;
    hold.head_end = end;
    if (hold.shows_body) Side::body_wanted(owner_);
    return;
  }
  Side::head_passed(owner_, end);
}

// The head goes on without its end, which comes with the body that a filter gave it.
template <class Side>
void FilterChain::append_to_head(int step, bool end) {
  const std::string_view body = appended_;
  const FilterLane& lane = Side::lane(*this);
  const uint32_t message = lane.message;
  run_head<Side>(step, /*end=*/false);
  if (lane.passes(message)) run_body<Side>(step, {body, end});
}

// Up to a filter that waits the piece passes as usual; there it is held.
template <class Side>
void FilterChain::run_body(int step, BodyPiece piece) {
  FilterLane& lane = Side::lane(*this);
  for (; step < count_ && !lane.over; ++step) {
    const int at = Side::position(*this, step);
    FilterHold* hold = lane.find(step);
    if (hold != nullptr && !hold->shows_body) return hold_body<Side>(*hold, piece);
    lane.collects = false;
    const Verdict verdict = Side::body(*filters_[at], contexts_[at], piece);
    if (verdict == Verdict::kRespond) return answer<Side>();
    if (hold == nullptr && verdict == Verdict::kContinue) continue;
    if (hold == nullptr) {
      hold = &add_hold<Side>(step);
      hold->shows_body = true;
    }
    hold_body<Side>(*hold, piece);
    if (!lane.over) release<Side>(*hold, verdict);
    return;
  }
  if (!lane.over) Side::body_passed(owner_, piece);
}

template <class Side>
void FilterChain::run_trailers(int step, HeaderMap& trailers) {
  FilterLane& lane = Side::lane(*this);
  const uint32_t message = lane.message;
  for (; step < count_ && lane.passes(message); ++step) {
    const int at = Side::position(*this, step);
    FilterHold* hold = lane.find(step);
    if (hold != nullptr) hold->trailers = &trailers;
    if (hold != nullptr && !hold->shows_body) return;
    lane.collects = false;
    const Verdict verdict = Side::trailers(*filters_[at], contexts_[at], trailers);
    if (verdict == Verdict::kRespond) return answer<Side>();
    if (std::exchange(appends_, false)) {
      if (hold != nullptr) {
        hold->body.append(appended_);
      } else {
        run_body<Side>(step + 1, {appended_, false});
      }
    }
    if (hold != nullptr) return release<Side>(*hold, verdict);
    if (verdict == Verdict::kContinue) continue;
    hold = &add_hold<Side>(step);
    hold->shows_body = true;
    hold->trailers = &trailers;
    return;
  }
  if (!lane.passes(message)) return;
  if (trailers.empty()) return Side::body_passed(owner_, {{}, true});
  Side::trailers_passed(owner_, trailers);
}

// ---- what waits ----

FilterHold* FilterLane::find(int step) const {
  FilterHold* hold = holds;
  while (hold != nullptr && hold->step != step) hold = hold->next;
  return hold;
}

void FilterLane::drop() {
  for (FilterHold* hold = holds; hold != nullptr; hold = hold->next) hold->body.clear();
  holds = nullptr;
}

template <class Side>
void FilterChain::drop() {
  FilterLane& lane = Side::lane(*this);
  lane.drop();
  if (std::exchange(lane.paused, false)) Side::pause(owner_, false);
}

template <class Side>
FilterHold& FilterChain::add_hold(int step) {
  FilterLane& lane = Side::lane(*this);
  FilterHold* hold = free_holds_;
  if (hold != nullptr) {
    free_holds_ = hold->next;
  } else {
    hold = new (contexts_[0].arena().allocate(sizeof(FilterHold), alignof(FilterHold)))
        FilterHold(blocks_);
  }
  hold->step = step;
  hold->shows_body = lane.collects;
  hold->limit = lane.collects ? lane.collect_limit : 0;
  hold->next = std::exchange(lane.holds, hold);
  return *hold;
}

bool FilterChain::holds_much(const FilterLane& lane) const {
  for (const FilterHold* hold = lane.holds; hold != nullptr; hold = hold->next)
    if (hold->limit == 0 && hold->body.size() > buffer_limit_) return true;
  return false;
}

template <class Side>
void FilterChain::hold_body(FilterHold& hold, const BodyPiece& piece) {
  FilterLane& lane = Side::lane(*this);
  if (hold.limit != 0 && hold.body.size() + piece.bytes.size() > hold.limit) return too_large();
  hold.body.append(piece.bytes);
  hold.end_held = piece.end;
  if (lane.paused || !holds_much(lane)) return;
  lane.paused = true;
  Side::pause(owner_, true);
}

// The filter lets go: the head if it was held, the held body, then the held trailers. What it has
// not seen yet of them it sees now.
template <class Side>
void FilterChain::release(FilterHold& hold, Verdict verdict) {
  FilterLane& lane = Side::lane(*this);
  if (verdict == Verdict::kWait) return;
  if (verdict == Verdict::kRespond) return answer<Side>();
  const uint32_t message = lane.message;
  FilterHold** link = &lane.holds;
  while (*link != &hold) link = &(*link)->next;
  *link = hold.next;

  const int behind = hold.step + 1;
  const int next = hold.shows_body ? behind : hold.step;
  const bool head_held = std::exchange(hold.head_held, false);
  const bool end = std::exchange(hold.end_held, false);
  HeaderMap* trailers = std::exchange(hold.trailers, nullptr);
  Buffer body(std::move(hold.body));
  hold.next = std::exchange(free_holds_, &hold);

  if (head_held) run_head<Side>(behind, hold.head_end);
  if (lane.passes(message)) flush_body<Side>(next, std::move(body), end);
  if (lane.passes(message) && trailers != nullptr) run_trailers<Side>(next, *trailers);
  if (!lane.passes(message) || !lane.paused || holds_much(lane)) return;
  lane.paused = false;
  Side::pause(owner_, false);
}

template <class Side>
void FilterChain::flush_body(int step, Buffer&& body, bool end) {
  const FilterLane& lane = Side::lane(*this);
  const uint32_t message = lane.message;
  if (body.empty()) {
    if (end) run_body<Side>(step, {{}, true});
    return;
  }
  // Views of these bytes stay valid until the loop flushes: they live to the end of the turn.
  net::Loop& loop = contexts_[0].loop();
  auto kept = std::make_unique<Buffer>(std::move(body));
  size_t left = kept->size();
  kept->for_each([&](std::string_view run) {
    left -= run.size();
    if (lane.passes(message)) run_body<Side>(step, {run, end && left == 0});
  });
  loop.retire(std::move(kept));
}

void FilterChain::resume(const Resumption::Ticket& ticket, const std::function<Verdict()>& then) {
  const int at = static_cast<int>(ticket.position);
  const bool other = ticket.response != 0 && ticket.response != response_lane_.message;
  FilterHold* const in_request = request_lane_.over ? nullptr : request_lane_.find(at);
  FilterHold* const in_response =
      response_lane_.over || other ? nullptr : response_lane_.find(count_ - 1 - at);
  if (in_request == nullptr && in_response == nullptr) return;
  const Verdict verdict = then();
  if (in_request != nullptr) {
    release<RequestSide>(*in_request, verdict);
  } else {
    release<ResponseSide>(*in_response, verdict);
  }
}

void FilterChain::too_large() {
  request_lane_.over = true;
  LocalReply reply;
  reply.status = 413;
  reply.body = "Payload Too Large";
  reply.details = "request_payload_too_large";
  owner_.respond(reply);
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
    if (filter.type != nullptr && entry.type != filter.type) continue;
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

void FilterChain::request_head(bool end) {
  run_head<RequestSide>(0, end);
}

void FilterChain::request_body(std::string_view bytes, bool end) {
  run_body<RequestSide>(0, {bytes, end});
}

void FilterChain::request_trailers(HeaderMap& trailers) {
  run_trailers<RequestSide>(0, trailers);
}

void FilterChain::response_head(ResponseHead& head, bool end) {
  for (int i = 0; i < count_; ++i) contexts_[i].response_ = &head;
  drop<ResponseSide>();
  response_lane_.over = false;
  ++response_lane_.message;
  run_head<ResponseSide>(0, end);
}

void FilterChain::response_body(std::string_view bytes, bool end) {
  run_body<ResponseSide>(0, {bytes, end});
}

void FilterChain::response_trailers(HeaderMap& trailers) {
  run_trailers<ResponseSide>(0, trailers);
}

void FilterChain::stop_request() {
  request_lane_.over = true;
  drop<RequestSide>();
}

void FilterChain::stop() {
  request_lane_.over = true;
  request_lane_.drop();
  response_lane_.over = true;
  response_lane_.drop();
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
  request_lane_.drop();
  response_lane_.drop();
  request_lane_ = response_lane_ = FilterLane();
  appends_ = false;
  free_holds_ = nullptr;
}

}  // namespace weir::http
