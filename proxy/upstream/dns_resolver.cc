#include "proxy/upstream/dns_resolver.h"

#include <ares.h>

#include <algorithm>
#include <utility>

#include "proxy/upstream/dns_lookup.h"

namespace weir::upstream {
namespace {

// When one address family is known, the other is waited for no longer than this: some servers never
// answer questions for IPv6.
constexpr int64_t kOtherFamilyMs = 1'000;

}  // namespace

DnsResolver::DnsResolver(net::Loop& loop, size_t max_running)
    : loop_(loop), max_running_(std::max<size_t>(1, max_running)) {
  ares_library_init(ARES_LIB_INIT_ALL);
}

DnsResolver::~DnsResolver() {
  ares_library_cleanup();
}

void DnsResolver::run_waiting() {
  // A query that is answered at once comes back here: the loop goes on instead of nesting.
  if (std::exchange(starting_, true)) return;
  while (running_ < max_running_ && !waiting_.empty()) {
    DnsQuery* query = waiting_.front();
    waiting_.pop_front();
    query->run();
  }
  starting_ = false;
}

DnsQuery::DnsQuery(DnsResolver& resolver, DnsSettings settings, Callback callback)
    : resolver_(resolver),
      settings_(std::move(settings)),
      callback_(std::move(callback)),
      timer_(*this) {}

DnsQuery::~DnsQuery() {
  cancel();
}

void DnsQuery::start(std::string name, DnsFamily family) {
  name_ = std::move(name);
  family_ = family;
  state_ = State::kWaiting;
  resolver_.waiting_.push_back(this);
  resolver_.run_waiting();
}

void DnsQuery::cancel() {
  if (state_ == State::kIdle) return;
  const bool was_running = std::exchange(state_, State::kIdle) == State::kRunning;
  if (!was_running) {
    std::erase(resolver_.waiting_, this);
    return;
  }
  stop_lookup();
  resolver_.run_waiting();
}

void DnsQuery::run() {
  state_ = State::kRunning;
  ++resolver_.running_;
  deadline_ms_ = resolver_.loop_.now_ms() + settings_.deadline_ms;
  lookup_ = std::make_unique<DnsLookup>(resolver_.loop_, settings_, *this);
  lookup_->ask(name_, family_);
  on_progress();
}

// Something may have been answered: either that is all, or the timer is set anew.
void DnsQuery::on_progress() {
  const int64_t now_ms = resolver_.loop_.now_ms();
  if (lookup_->half_found()) deadline_ms_ = std::min(deadline_ms_, now_ms + kOtherFamilyMs);
  if (lookup_->done() || now_ms >= deadline_ms_)
    return finish(lookup_->answer(family_, "no answer in time"));
  timer_.set(resolver_.loop_.timers(), now_ms + lookup_->next_timeout_ms(deadline_ms_ - now_ms));
}

void DnsQuery::on_timer(net::Timer& /*timer*/) {
  lookup_->run_timeouts();
  on_progress();
}

void DnsQuery::stop_lookup() {
  timer_.cancel();
  lookup_->detach();
  resolver_.loop_.retire(std::move(lookup_));
  --resolver_.running_;
}

void DnsQuery::finish(const DnsAnswer& answer) {
  stop_lookup();
  state_ = State::kIdle;
  callback_(answer);
  resolver_.run_waiting();
}

}  // namespace weir::upstream
