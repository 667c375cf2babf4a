#include "proxy/process_stats.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

class ProcessStatsTest : public testing::Test {
 protected:
  std::shared_ptr<upstream::ClusterConfig> config(uint32_t max_requests) {
    auto out = std::make_shared<upstream::ClusterConfig>();
    out->name = out->stat_name = "app";
    out->thresholds[0].max_requests = max_requests;
    out->thresholds[0].track_remaining = true;
    return out;
  }
  int64_t value(const std::string& name) const {
    return static_cast<int64_t>(registry_.value(name));
  }
  int64_t breaker(const std::string& name) const {
    return value("cluster.app.circuit_breakers." + name);
  }
  bool used(const std::string& name) const {
    bool out = false;
    registry_.for_each([&](const stats::Sample& sample) {
      if (sample.name == "cluster.app.circuit_breakers." + name) out = sample.used;
    });
    return out;
  }

  stats::Registry registry_;
  ProcessStats stats_{registry_};
};

TEST_F(ProcessStatsTest, TheProcess) {
  admin::ServerFacts facts;
  facts.uptime_s = 7;
  facts.concurrency = 3;
  facts.restart_epoch = 2;
  stats_.look_at(facts);
  EXPECT_EQ(value("server.live"), 1);
  EXPECT_EQ(value("server.state"), 0);
  EXPECT_EQ(value("server.uptime"), 7);
  EXPECT_EQ(value("server.concurrency"), 3);
  EXPECT_EQ(value("server.hot_restart_epoch"), 2);
  EXPECT_GT(value("server.memory_physical_size"), 100'000);
  facts.state = admin::ServerState::kDraining;
  stats_.look_at(facts);
  EXPECT_EQ(value("server.live"), 0);
  EXPECT_EQ(value("server.state"), 1);
}

TEST_F(ProcessStatsTest, BreakersOpenAndClose) {
  upstream::Cluster cluster(config(2), registry_, 1);
  upstream::Lease lease(cluster.limits[0].requests);
  stats_.look_at({&cluster});
  EXPECT_EQ(breaker("default.rq_open"), 0);
  EXPECT_FALSE(used("default.rq_open")) << "not in the way of who asks for what is used";
  EXPECT_EQ(breaker("default.remaining_rq"), 2);
  ASSERT_TRUE(lease.try_acquire());
  stats_.look_at({&cluster});
  EXPECT_EQ(breaker("default.rq_open"), 0);
  EXPECT_EQ(breaker("default.remaining_rq"), 1);
  ASSERT_TRUE(lease.try_acquire());
  stats_.look_at({&cluster});
  EXPECT_EQ(breaker("default.rq_open"), 1);
  EXPECT_EQ(breaker("default.remaining_rq"), 0);
  EXPECT_EQ(breaker("default.cx_open"), 0);
  EXPECT_EQ(breaker("high.rq_open"), 0);
  EXPECT_EQ(breaker("high.remaining_rq"), 0) << "without track_remaining";
  lease.release();
  stats_.look_at({&cluster});
  EXPECT_EQ(breaker("default.rq_open"), 0);
}

TEST_F(ProcessStatsTest, AtRestAllOfALimitRemains) {
  upstream::Cluster cluster(config(1024), registry_, 1);
  upstream::Lease lease(cluster.limits[0].requests);
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(lease.try_acquire());
  stats_.look_at({&cluster});
  EXPECT_EQ(breaker("default.remaining_rq"), 924);
  for (int i = 0; i < 100; ++i) lease.release();
  stats_.look_at({&cluster});
  EXPECT_EQ(breaker("default.remaining_rq"), 1024);
}

TEST_F(ProcessStatsTest, OtherVersionsBeginAnew) {
  upstream::Cluster cluster(config(0), registry_, 1);
  stats_.look_at({&cluster});
  EXPECT_EQ(breaker("default.rq_open"), 1) << "a limit of 0 is always reached";
  auto next = config(5);
  next->thresholds[0].track_remaining = false;
  upstream::Cluster other(next, registry_, 1);
  stats_.look_at({&other});
  EXPECT_EQ(breaker("default.rq_open"), 0);
  stats_.look_at({&cluster});
  EXPECT_EQ(breaker("default.rq_open"), 1);
  stats_.look_at(std::vector<const upstream::Cluster*>());
  EXPECT_EQ(breaker("default.rq_open"), 0) << "a cluster that is gone";
}

TEST_F(ProcessStatsTest, ARetryBudgetIsNoLimit) {
  auto with_budget = config(5);
  with_budget->thresholds[0].retry_budget_percent = 20;
  with_budget->thresholds[0].max_retries = 0;
  upstream::Cluster cluster(with_budget, registry_, 1);
  stats_.look_at({&cluster});
  EXPECT_EQ(breaker("default.rq_retry_open"), 0);
}

}  // namespace
}  // namespace weir
