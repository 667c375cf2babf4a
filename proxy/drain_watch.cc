#include "proxy/drain_watch.h"

namespace weir {

DrainWatch::DrainWatch(net::Loop& loop, Workers& workers, int64_t time_ms,
                       std::function<bool()> awaits, std::function<void()> done)
    : loop_(loop),
      workers_(workers),
      awaits_(std::move(awaits)),
      done_(std::move(done)),
      timer_(*this),
      deadline_ms_(loop.now_ms() + time_ms) {
  poll();
}

void DrainWatch::poll() {
  timer_.set(loop_.timers(), loop_.now_ms() + kPollMs);
  open_.store(0);
  answers_.store(0);
  workers_.each([this](Worker& worker) {
    open_ += worker.connections();
    ++answers_;
  });
}

void DrainWatch::on_timer(net::Timer& /*timer*/) {
  const bool all_answered = answers_.load() == workers_.size();
  const bool empty = all_answered && open_.load() == 0;
  if (empty && !(awaits_ && awaits_())) return done_();
  if (loop_.now_ms() >= deadline_ms_) {
    workers_.each([](Worker& worker) { worker.close_connections(); });
    return done_();
  }
  if (all_answered) return poll();
  timer_.set(loop_.timers(), loop_.now_ms() + kPollMs);
}

}  // namespace weir
