#pragma once

#include <array>
#include <cstdint>
#include <utility>

namespace weir::net {

class TimerWheel;

// A deadline that its owner moves often and that seldom passes. Setting it later only stores the
// new time; the wheel notices when it comes to the old one. No heap, no system call. Intrusive:
// lives in its owner; one loop. May fire up to one tick (kTickMs) late, never early.
class Timer {
 public:
  class Owner {
   public:
    virtual ~Owner() = default;
    virtual void on_timer(Timer& timer) = 0;
  };

  explicit Timer(Owner& owner) : owner_(&owner) {}
  ~Timer() { unlink(); }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  // Fires once at `deadline_ms` of the loop's clock; replaces what was set before.
  void set(TimerWheel& wheel, int64_t deadline_ms);
  void cancel() { deadline_ms_ = kNever; }  // stays in the wheel until its slot comes
  bool armed() const { return deadline_ms_ != kNever; }
  int64_t deadline_ms() const { return deadline_ms_; }

 private:
  friend class TimerWheel;
  static constexpr int64_t kNever = INT64_MAX;

  void unlink();

  Owner* owner_;
  Timer* next_ = nullptr;
  Timer** link_ = nullptr;  // what points at this one; null when not in the wheel
  int64_t deadline_ms_ = kNever;
  int64_t slot_ms_ = kNever;  // when the wheel will look at it
};

// A hashed wheel: a far deadline is looked at once per round and put back.
class TimerWheel {
 public:
  static constexpr int64_t kTickMs = 8;
  static constexpr int kSlots = 2048;  // one round is 16 s

  // Fires everything due at `now_ms`. Called by the loop, about every tick.
  void advance(int64_t now_ms);
  void start(int64_t now_ms) { tick_ = now_ms / kTickMs; }

  // When advance() has to be called next; INT64_MAX: nothing is set. `changed` tells since the last
  // time this was asked.
  int64_t wake_ms() const { return wake_ms_; }
  bool take_wake_changed() { return std::exchange(wake_changed_, false); }

 private:
  friend class Timer;
  void insert(Timer& timer, int64_t at_ms);
  void run_slot(int slot, int64_t now_ms);
  void find_next();

  std::array<Timer*, kSlots> slots_{};
  int64_t tick_ = 0;
  int64_t wake_ms_ = INT64_MAX;
  bool wake_changed_ = false;
};

}  // namespace weir::net
