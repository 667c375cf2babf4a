#include "proxy/net/timer_wheel.h"

#include <algorithm>

namespace weir::net {

void Timer::unlink() {
  if (link_ == nullptr) return;
  *link_ = next_;
  if (next_ != nullptr) next_->link_ = link_;
  link_ = nullptr;
  next_ = nullptr;
}

void Timer::set(TimerWheel& wheel, int64_t deadline_ms) {
  deadline_ms_ = deadline_ms;
  // Already looked at early enough: the wheel will put it further then.
  if (link_ != nullptr && slot_ms_ <= deadline_ms) return;
  unlink();
  wheel.insert(*this, deadline_ms);
}

void TimerWheel::insert(Timer& timer, int64_t at_ms) {
  const int64_t tick = std::max((at_ms + kTickMs - 1) / kTickMs, tick_ + 1);
  const int64_t capped = std::min<int64_t>(tick, tick_ + kSlots - 1);
  timer.slot_ms_ = capped * kTickMs;
  Timer*& head = slots_[static_cast<size_t>(capped % kSlots)];
  timer.next_ = head;
  timer.link_ = &head;
  if (head != nullptr) head->link_ = &timer.next_;
  head = &timer;
  if (timer.slot_ms_ >= wake_ms_) return;
  wake_ms_ = timer.slot_ms_;
  wake_changed_ = true;
}

void TimerWheel::run_slot(int slot, int64_t now_ms) {
  // A private list: what fires may set, cancel or destroy any timer, this one included.
  Timer* list = slots_[static_cast<size_t>(slot)];
  slots_[static_cast<size_t>(slot)] = nullptr;
  if (list != nullptr) list->link_ = &list;
  while (list != nullptr) {
    Timer& timer = *list;
    timer.unlink();
    if (timer.deadline_ms_ == Timer::kNever) continue;
    if (timer.deadline_ms_ > now_ms) {
      insert(timer, timer.deadline_ms_);
      continue;
    }
    timer.deadline_ms_ = Timer::kNever;
    timer.owner_->on_timer(timer);
  }
}

// An idle loop sleeps until the first slot that holds anything.
void TimerWheel::find_next() {
  wake_ms_ = INT64_MAX;
  wake_changed_ = true;
  for (int64_t tick = tick_ + 1; tick < tick_ + kSlots; ++tick) {
    if (slots_[static_cast<size_t>(tick % kSlots)] == nullptr) continue;
    wake_ms_ = tick * kTickMs;
    return;
  }
}

void TimerWheel::advance(int64_t now_ms) {
  const int64_t target = now_ms / kTickMs;
  // After a long stall one round visits every slot; more would visit them again for nothing.
  if (target - tick_ > kSlots) tick_ = target - kSlots;
  while (tick_ < target) {
    ++tick_;
    run_slot(static_cast<int>(tick_ % kSlots), now_ms);
  }
  find_next();
}

}  // namespace weir::net
