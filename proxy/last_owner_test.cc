#include "proxy/last_owner.h"

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <thread>

#include "proxy/net/testing/loop_thread.h"

namespace weir {
namespace {

// Notes on which thread it ends.
struct Traced {
  std::thread::id* ended_on;
  ~Traced() { *ended_on = std::this_thread::get_id(); }
};

TEST(LastOwner, FreesOnItsOwnThreadWhatNobodyElseHas) {
  net::LoopThread t;
  std::optional<LastOwner> owner;
  std::thread::id ended_on;
  auto object = std::make_shared<const Traced>(Traced{&ended_on});
  ended_on = {};  // of the one that was copied
  const std::thread::id main = t.run([&] {
    owner.emplace(t.loop());
    owner->keep(object);
    owner->keep(object);  // twice is once
    owner->keep(nullptr);
    return std::this_thread::get_id();
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(150));
  EXPECT_EQ(t.run([&] { return owner->size(); }), 1u) << "it is still used here";
  EXPECT_EQ(ended_on, std::thread::id());
  object.reset();
  for (int i = 0; i < 1000 && t.run([&] { return owner->size(); }) > 0; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_EQ(ended_on, main);
  t.run([&] { owner.reset(); });
}

}  // namespace
}  // namespace weir
