#include "proxy/net/loop.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "proxy/net/testing/loop_thread.h"

namespace weir::net {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

TEST(LoopTest, PostedTasksRunInOrder) {
  LoopThread t;
  std::vector<int> order;
  for (int i = 0; i < 100; ++i) t.loop().post([&order, i] { order.push_back(i); });
  t.run([] {});
  ASSERT_EQ(order.size(), 100u);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(order[static_cast<size_t>(i)], i);
}

TEST(LoopTest, ATaskMayPostAnother) {
  LoopThread t;
  std::atomic<int> steps{0};
  std::function<void()> step = [&] {
    if (++steps < 50) t.loop().post(step);
  };
  t.loop().post(step);
  while (steps < 50) std::this_thread::yield();
  t.run([] {});
  EXPECT_EQ(steps, 50);
}

TEST(LoopTest, PostsFromManyThreads) {
  constexpr int kThreads = 4;
  constexpr int kPosts = 2000;
  LoopThread t;
  int sum = 0;  // of the loop's thread alone
  std::vector<std::vector<int>> seen(kThreads);
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i)
    threads.emplace_back([&, i] {
      for (int n = 0; n < kPosts; ++n)
        t.loop().post([&, i, n] {
          ++sum;
          seen[static_cast<size_t>(i)].push_back(n);
        });
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(t.run([&] { return sum; }), kThreads * kPosts);
  for (const auto& one : seen) EXPECT_TRUE(std::is_sorted(one.begin(), one.end()));
}

TEST(LoopTest, StopEndsRun) {
  LoopThread t;
  t.stop();
  LoopThread another;
  EXPECT_EQ(another.run([] { return 1; }), 1);
}

// Notes in a list when it is destroyed.
struct Noted {
  std::vector<std::string>& notes;
  std::string name;
  std::function<void()> at_end;
  ~Noted() {
    notes.push_back(name);
    if (at_end) at_end();
  }
};

TEST(LoopTest, RetiredObjectsOutliveTheEvent) {
  LoopThread t;
  std::vector<std::string> notes;
  t.run([&] {
    t.loop().retire(std::make_unique<Noted>(notes, "first"));
    t.loop().retire(std::make_unique<Noted>(notes, "second", [&] {
      t.loop().retire(std::make_unique<Noted>(notes, "from the second's end"));
    }));
    notes.push_back("event");
  });
  t.run([] {});
  EXPECT_EQ(notes, (std::vector<std::string>{"event", "first", "second", "from the second's end"}));
}

TEST(LoopTest, DeferredCallsComeAfterTheEvent) {
  LoopThread t;
  int calls = 0;
  t.run([&] {
    t.loop().defer(&calls, [](void* object) { ++*static_cast<int*>(object); });
    EXPECT_EQ(calls, 0);
  });
  EXPECT_EQ(t.run([&] { return calls; }), 1);
}

TEST(LoopTest, WhatIsLeftAtTheEndIsDestroyed) {
  std::vector<std::string> notes;
  {
    Loop never_run;
    never_run.retire(std::make_unique<Noted>(notes, "left"));
  }
  EXPECT_EQ(notes.size(), 1u);
}

TEST(LoopTest, TheClockStandsStillWithinATurn) {
  LoopThread t;
  const int64_t first = t.run([&] {
    const int64_t at = t.loop().now_ns();
    std::this_thread::sleep_for(milliseconds(5));
    EXPECT_EQ(t.loop().now_ns(), at);
    return at;
  });
  EXPECT_GE(t.run([&] { return t.loop().now_ns(); }), first + 5'000'000);
}

TEST(LoopTest, WallClock) {
  LoopThread t;
  const auto now_us = [] {
    return std::chrono::duration_cast<std::chrono::microseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
  };
  const int64_t before = now_us();
  const int64_t wall = t.run([&] { return t.loop().wall_us(); });
  EXPECT_GE(wall, before - 100'000);
  EXPECT_LE(wall, now_us() + 100'000);
}

TEST(LoopTest, BuffersAreUsedAgain) {
  Loop loop;
  std::unique_ptr<Buffer> buffer = loop.take_buffer();
  const Buffer* const first = buffer.get();
  buffer->append("left in it");
  loop.give_buffer(std::move(buffer));
  EXPECT_EQ(loop.blocks().blocks_in_use(), 0u);
  buffer = loop.take_buffer();
  EXPECT_EQ(buffer.get(), first);
  EXPECT_TRUE(buffer->empty());
  EXPECT_NE(loop.take_buffer().get(), first);
}

TEST(LoopTest, RandomNumbersDiffer) {
  Loop one;
  Loop two;
  std::set<uint64_t> seen;
  for (int i = 0; i < 1000; ++i) {
    seen.insert(one.random());
    seen.insert(two.random());
  }
  EXPECT_EQ(seen.size(), 2000u);
}

class Alarm : private Timer::Owner {
 public:
  explicit Alarm(Loop& loop) : loop_(loop), timer_(*this) {}
  void set(int64_t after_ms) { timer_.set(loop_.timers(), loop_.now_ms() + after_ms); }
  int64_t fired_ms = 0;

 private:
  void on_timer(Timer&) override { fired_ms = loop_.now_ms(); }
  Loop& loop_;
  Timer timer_;
};

TEST(LoopTest, TimersFireOnTheLoop) {
  LoopThread t;
  auto alarm = std::make_unique<Alarm>(t.loop());
  const int64_t set_ms = t.run([&] {
    alarm->set(40);
    return t.loop().now_ms();
  });
  int64_t fired_ms = 0;
  const auto limit = steady_clock::now() + milliseconds(10'000);
  while (fired_ms == 0 && steady_clock::now() < limit) {
    std::this_thread::sleep_for(milliseconds(5));
    fired_ms = t.run([&] { return alarm->fired_ms; });
  }
  EXPECT_GE(fired_ms, set_ms + 40);
  t.run([&] { alarm.reset(); });
}

// Readiness of an eventfd-like descriptor: a pipe.
class Reader : public Watch::Owner {
 public:
  explicit Reader(int fd) : fd_(fd) {}
  void on_ready(uint8_t ready) override {
    EXPECT_NE(ready & kReadable, 0);
    ++calls;
    char c;
    if (read(fd_, &c, 1) == 1) text += c;
  }
  int calls = 0;
  std::string text;
  Watch watch;

 private:
  int fd_;
};

TEST(LoopTest, ALevelTriggeredWatchComesAgain) {
  LoopThread t;
  int fds[2];
  ASSERT_EQ(pipe(fds), 0);
  Reader reader(fds[0]);
  t.run([&] { reader.watch.start_level(t.loop(), fds[0], reader); });
  ASSERT_EQ(write(fds[1], "abc", 3), 3);
  const auto limit = steady_clock::now() + milliseconds(10'000);
  while (t.run([&] { return reader.text; }) != "abc" && steady_clock::now() < limit) {
  }
  EXPECT_EQ(reader.calls, 3) << "one byte was read at a time";
  t.run([&] { reader.watch.stop(); });
  ASSERT_EQ(write(fds[1], "d", 1), 1);
  std::this_thread::sleep_for(milliseconds(20));
  EXPECT_EQ(t.run([&] { return reader.calls; }), 3);
  close(fds[0]);
  close(fds[1]);
}

}  // namespace
}  // namespace weir::net
