// How long HTTP/1's pool keeps its connections.
#include "proxy/upstream/h1_pool.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "proxy/upstream/testing/worker_cluster_fixture.h"

namespace weir::upstream {
namespace {

using net::RawSocket;
using Outcome = Host::Outcome;
using std::chrono::milliseconds;

class H1PoolTest : public WorkerClusterFixture {
 protected:
  // A connection that has carried one exchange, and is idle.
  RawSocket idle_connection() {
    Asker& first = asker();
    EXPECT_EQ(ask(first), Outcome::kWaiting);
    RawSocket upstream = listeners_[0].accept();
    answer(upstream);
    EXPECT_TRUE(until([&] { return first.done; }));
    return upstream;
  }
};

TEST_F(H1PoolTest, AnIdleConnectionEndsWhenItIsOld) {
  config_.max_connection_duration_ms = 60;
  config_.idle_timeout_ms = 3'600'000;
  open({0});
  RawSocket upstream = idle_connection();
  EXPECT_EQ(upstream.receive_some(), "") << "closed";
  EXPECT_EQ(counter("upstream_cx_max_duration_reached"), 1u);
  EXPECT_EQ(counter("upstream_cx_idle_timeout"), 0u);
  EXPECT_TRUE(until([&] { return host(0).unused(); }));
}

TEST_F(H1PoolTest, TheIdleTimeMayBeOverFirst) {
  config_.max_connection_duration_ms = 3'600'000;
  config_.idle_timeout_ms = 30;
  open({0});
  RawSocket upstream = idle_connection();
  EXPECT_EQ(upstream.receive_some(), "") << "closed";
  EXPECT_EQ(counter("upstream_cx_max_duration_reached"), 0u);
  EXPECT_EQ(counter("upstream_cx_idle_timeout"), 1u);
}

TEST_F(H1PoolTest, AnOldConnectionEndsWithItsExchange) {
  config_.max_connection_duration_ms = 200;
  open({0});
  RawSocket upstream = idle_connection();
  Asker& second = asker();
  ASSERT_EQ(ask(second), Outcome::kLent);
  std::this_thread::sleep_for(milliseconds(220));
  EXPECT_EQ(t_.run([&] { return host(0).connections(); }), 1u);
  answer(upstream);
  EXPECT_EQ(upstream.receive_some(), "") << "closed";
  EXPECT_TRUE(until([&] { return second.done; }));
  EXPECT_EQ(counter("upstream_cx_max_duration_reached"), 1u);
}

TEST_F(H1PoolTest, AnOldConnectionIsNotLentBeforeItsTimerComes) {
  config_.max_connection_duration_ms = 200;
  open({0});
  RawSocket upstream = idle_connection();
  Asker& second = asker();
  t_.run([&] {
    std::this_thread::sleep_for(milliseconds(220));
    EXPECT_EQ(second.ask(host(0)), Outcome::kWaiting);
  });
  EXPECT_EQ(upstream.receive_some(), "") << "closed";
  RawSocket other = listeners_[0].accept();
  answer(other);
  EXPECT_TRUE(until([&] { return second.done; }));
  EXPECT_EQ(counter("upstream_cx_max_duration_reached"), 1u);
}

}  // namespace
}  // namespace weir::upstream
