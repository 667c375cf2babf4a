#include "proxy/net/timer_wheel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <vector>

namespace weir::net {
namespace {

constexpr int64_t kStartMs = 1'000'003;  // not on a tick
constexpr int64_t kRoundMs = TimerWheel::kTickMs * TimerWheel::kSlots;

// A timer that notes when it fired.
class Alarm : private Timer::Owner {
 public:
  Alarm(TimerWheel& wheel, const int64_t& now_ms) : wheel_(wheel), now_ms_(now_ms), timer_(*this) {}

  void set(int64_t after_ms) { timer_.set(wheel_, now_ms_ + after_ms); }
  void cancel() { timer_.cancel(); }
  bool armed() const { return timer_.armed(); }

  std::vector<int64_t> fired;  // after kStartMs
  std::function<void()> then;

 private:
  void on_timer(Timer& timer) override {
    EXPECT_EQ(&timer, &timer_);
    EXPECT_FALSE(timer.armed());
    fired.push_back(now_ms_ - kStartMs);
    if (then) then();
  }

  TimerWheel& wheel_;
  const int64_t& now_ms_;
  Timer timer_;
};

class TimerWheelTest : public testing::Test {
 protected:
  TimerWheelTest() { wheel_.start(now_ms_); }

  std::unique_ptr<Alarm> alarm() { return std::make_unique<Alarm>(wheel_, now_ms_); }

  // Lets time pass by small steps, as the loop's tick does.
  void pass(int64_t ms, int64_t step_ms = 1) {
    for (const int64_t end = now_ms_ + ms; now_ms_ < end;) {
      now_ms_ = std::min(now_ms_ + step_ms, end);
      wheel_.advance(now_ms_);
    }
  }
  void jump(int64_t ms) { pass(ms, ms); }

  TimerWheel wheel_;
  int64_t now_ms_ = kStartMs;
};

// The one time it fired, which is neither early nor more than a tick late.
void expect_fired_near(const Alarm& alarm, int64_t at_ms) {
  ASSERT_EQ(alarm.fired.size(), 1u) << "for " << at_ms;
  EXPECT_GE(alarm.fired[0], at_ms);
  EXPECT_LT(alarm.fired[0], at_ms + TimerWheel::kTickMs + 1);
}

TEST_F(TimerWheelTest, FiresOnceAndNeverEarly) {
  for (const int64_t after : {0, 1, 7, 8, 9, 16, 100, 999}) {
    const auto a = alarm();
    const int64_t base = now_ms_ - kStartMs;
    a->set(after);
    EXPECT_TRUE(a->armed());
    pass(1200);
    EXPECT_FALSE(a->armed());
    expect_fired_near(*a, base + after);
  }
}

TEST_F(TimerWheelTest, ADeadlineInThePastFiresAtTheNextTick) {
  const auto a = alarm();
  a->set(-500);
  pass(TimerWheel::kTickMs);
  EXPECT_EQ(a->fired.size(), 1u);
}

TEST_F(TimerWheelTest, SettingItLaterMovesIt) {
  const auto a = alarm();
  a->set(50);
  for (int i = 0; i < 40; ++i) {
    pass(10);
    a->set(50);
  }
  EXPECT_TRUE(a->fired.empty());
  pass(100);
  expect_fired_near(*a, 450);
}

TEST_F(TimerWheelTest, SettingItEarlierMovesIt) {
  const auto a = alarm();
  a->set(10'000);
  pass(20);
  a->set(30);
  pass(11'000);
  expect_fired_near(*a, 50);
}

TEST_F(TimerWheelTest, CancelledItDoesNotFire) {
  const auto a = alarm();
  a->set(20);
  a->cancel();
  EXPECT_FALSE(a->armed());
  pass(100);
  EXPECT_TRUE(a->fired.empty());
  // Set again while it still stands in the wheel, and when it does not any more.
  a->set(20);
  a->cancel();
  a->set(40);
  pass(100);
  expect_fired_near(*a, 140);
  a->fired.clear();
  a->set(5);
  pass(100);
  expect_fired_near(*a, 205);
}

TEST_F(TimerWheelTest, FarDeadlines) {
  const auto one = alarm();
  const auto two = alarm();
  const auto exact = alarm();
  one->set(3'600'000);
  two->set(2 * kRoundMs + 5);
  exact->set(kRoundMs);
  pass(3'600'100, 8);
  expect_fired_near(*one, 3'600'000);
  expect_fired_near(*two, 2 * kRoundMs + 5);
  expect_fired_near(*exact, kRoundMs);
}

TEST_F(TimerWheelTest, ALongStallLosesNothing) {
  std::vector<std::unique_ptr<Alarm>> alarms;
  for (int64_t after = 0; after < 3 * kRoundMs; after += 1009) {
    alarms.push_back(alarm());
    alarms.back()->set(after);
  }
  jump(10 * kRoundMs + 3);
  for (const auto& a : alarms) EXPECT_EQ(a->fired.size(), 1u);
  const auto after_stall = alarm();
  after_stall->set(100);
  pass(200);
  expect_fired_near(*after_stall, 10 * kRoundMs + 103);
}

TEST_F(TimerWheelTest, AStallOfHalfARoundIsNotEarly) {
  const auto a = alarm();
  a->set(kRoundMs / 2 + 100);
  jump(kRoundMs / 2);
  EXPECT_TRUE(a->fired.empty());
  pass(200);
  expect_fired_near(*a, kRoundMs / 2 + 100);
}

TEST_F(TimerWheelTest, ACallbackMaySetItAgain) {
  const auto a = alarm();
  a->then = [&] {
    if (a->fired.size() < 5) a->set(100);
  };
  a->set(100);
  pass(2000);
  ASSERT_EQ(a->fired.size(), 5u);
  for (size_t i = 1; i < 5; ++i) EXPECT_GE(a->fired[i], a->fired[i - 1] + 100);
}

TEST_F(TimerWheelTest, ACallbackMayDestroyItself) {
  auto a = alarm();
  bool fired = false;
  a->then = [&] {
    fired = true;
    a.reset();
  };
  a->set(10);
  pass(50);
  EXPECT_TRUE(fired);
}

// All due in one slot: each callback destroys or cancels its neighbours.
TEST_F(TimerWheelTest, ACallbackMayDestroyAndCancelOthers) {
  std::vector<std::unique_ptr<Alarm>> alarms;
  for (int i = 0; i < 9; ++i) alarms.push_back(alarm());
  int fired = 0;
  for (size_t i = 0; i < alarms.size(); ++i) {
    alarms[i]->set(16);
    alarms[i]->then = [&, i] {
      ++fired;
      for (size_t k = 0; k < alarms.size(); ++k) {
        if (k == i || alarms[k] == nullptr) continue;
        if (k % 2 == 0) {
          alarms[k].reset();
        } else {
          alarms[k]->cancel();
        }
      }
    };
  }
  pass(100);
  EXPECT_EQ(fired, 1);
}

TEST_F(TimerWheelTest, DestroyedItLeavesTheWheel) {
  auto first = alarm();
  auto second = alarm();
  auto third = alarm();
  for (const auto& a : {&first, &second, &third}) (*a)->set(20);
  second.reset();
  pass(10);
  first.reset();
  pass(50);
  expect_fired_near(*third, 20);
}

TEST_F(TimerWheelTest, ManyAtRandomTimes) {
  std::vector<std::unique_ptr<Alarm>> alarms;
  std::vector<int64_t> due;
  uint64_t random = 42;
  for (int i = 0; i < 2000; ++i) {
    random = random * 6364136223846793005u + 1442695040888963407u;
    const auto after = static_cast<int64_t>((random >> 33) % 40'000);
    alarms.push_back(alarm());
    alarms.back()->set(after);
    due.push_back(now_ms_ - kStartMs + after);
    pass(random % 5);
  }
  pass(50'000, 3);
  for (size_t i = 0; i < alarms.size(); ++i) {
    ASSERT_EQ(alarms[i]->fired.size(), 1u);
    EXPECT_GE(alarms[i]->fired[0], due[i]);
    EXPECT_LT(alarms[i]->fired[0], due[i] + TimerWheel::kTickMs + 5);
  }
}

}  // namespace
}  // namespace weir::net
