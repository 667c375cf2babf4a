// A cluster's limits: who may have a connection, who may wait for one, and how many one may carry.
#include <gtest/gtest.h>

#include "proxy/upstream/testing/worker_cluster_fixture.h"

namespace weir::upstream {
namespace {

using net::RawSocket;
using Outcome = Host::Outcome;

class WorkerClusterLimitsTest : public WorkerClusterFixture {};

TEST_F(WorkerClusterLimitsTest, AHostMayHaveOneConnectionWhateverOthersHave) {
  config_.thresholds[0].max_connections = 1;
  open({0, 1});
  Asker& first = asker();
  Asker& second = asker();
  Asker& third = asker();
  t_.run([&] {
    EXPECT_EQ(first.ask(host(0)), Outcome::kWaiting);
    EXPECT_EQ(second.ask(host(1)), Outcome::kWaiting);
    EXPECT_EQ(third.ask(host(1)), Outcome::kWaiting);
    EXPECT_EQ(host(1).connections(), 1u) << "one, and no more";
    EXPECT_EQ(cluster_->connections(false).in_use(), 2u);
  });
  RawSocket one = listeners_[0].accept();
  RawSocket other = listeners_[1].accept();
  answer(other);
  EXPECT_TRUE(until([&] { return second.done && third.lent.stream != nullptr; }));
  EXPECT_EQ(counter("upstream_cx_overflow"), 2u);
  // The slot beyond the limit is given back as well, and is nobody else's.
  answer(other, "Connection: close\r\n");
  EXPECT_TRUE(until([&] { return host(1).connections() == 0; }));
  t_.run([&] {
    EXPECT_EQ(cluster_->connections(false).in_use(), 1u);
    EXPECT_FALSE(cluster_->connections(false).try_acquire());
  });
}

TEST_F(WorkerClusterLimitsTest, AHostWhoseLastConnectionEndsMayHaveAnother) {
  config_.thresholds[0].max_connections = 1;
  open({0, 1});
  Asker& elsewhere = asker();
  Asker& first = asker();
  Asker& second = asker();
  t_.run([&] {
    for (Asker* one : {&first, &second}) one->ask(host(1));
    elsewhere.ask(host(0));
  });
  RawSocket upstream = listeners_[1].accept();
  answer(upstream, "Connection: close\r\n");
  RawSocket another = listeners_[1].accept();
  answer(another);
  EXPECT_TRUE(until([&] { return second.done; }));
  EXPECT_EQ(second.failure, "");
}

TEST_F(WorkerClusterLimitsTest, PendingOverflow) {
  config_.thresholds[0].max_pending_requests = 1;
  open({0});
  Asker& first = asker();
  Asker& second = asker();
  Asker& urgent = asker();
  t_.run([&] {
    EXPECT_EQ(first.ask(host(0)), Outcome::kWaiting);
    EXPECT_EQ(second.ask(host(0)), Outcome::kOverflow);
    EXPECT_EQ(urgent.ask(host(0), /*high=*/true), Outcome::kWaiting) << "limits of its own";
    first.give_up();
    EXPECT_EQ(second.ask(host(0)), Outcome::kWaiting);
  });
  EXPECT_EQ(counter("upstream_rq_pending_overflow"), 1u);
  EXPECT_EQ(counter("upstream_rq_pending_total"), 3u);
}

TEST_F(WorkerClusterLimitsTest, WhoWaitsForAConnectionIsNotUnderWay) {
  config_.thresholds[0].max_requests = 1;
  config_.thresholds[0].max_connections = 1;
  open({0});
  Asker& first = asker();
  Asker& second = asker();
  t_.run([&] {
    EXPECT_EQ(first.ask(host(0)), Outcome::kWaiting);
    EXPECT_EQ(second.ask(host(0)), Outcome::kWaiting);
    EXPECT_EQ(host(0).attached, 0u);
    EXPECT_EQ(registry_.value("cluster.c.upstream_rq_total"), 0u);
  });
  RawSocket upstream = listeners_[0].accept();
  EXPECT_TRUE(until([&] { return first.lent.stream != nullptr; }));
  EXPECT_EQ(counter("upstream_rq_total"), 1u);
  answer(upstream);
  EXPECT_TRUE(until([&] { return second.lent.stream != nullptr; })) << second.failure;
  EXPECT_EQ(counter("upstream_rq_total"), 2u);
  EXPECT_EQ(t_.run([&] { return host(0).attached; }), 1u);
}

TEST_F(WorkerClusterLimitsTest, OneRequestTooManyFailsWhereAConnectionCouldCarryIt) {
  config_.thresholds[0].max_requests = 1;
  open({0});
  Asker& first = asker();
  Asker& second = asker();
  Asker& third = asker();
  t_.run([&] {
    EXPECT_EQ(first.ask(host(0)), Outcome::kWaiting);
    EXPECT_EQ(second.ask(host(0)), Outcome::kWaiting);
  });
  EXPECT_TRUE(until([&] { return !second.failure.empty(); }));
  EXPECT_EQ(second.failure_reason, http::ResetReason::kOverflow);
  EXPECT_EQ(ask(third), Outcome::kOverflow);
  EXPECT_EQ(counter("upstream_rq_pending_overflow"), 2u);
  EXPECT_EQ(counter("upstream_rq_total"), 1u);
  t_.run([&] { first.give_up(); });
  EXPECT_EQ(ask(third), Outcome::kLent);
}

}  // namespace
}  // namespace weir::upstream
