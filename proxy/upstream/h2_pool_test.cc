// HTTP/2's pool against servers made by hand: who shares a connection, and when another is made.
#include "proxy/upstream/h2_pool.h"

#include <gtest/gtest.h>

#include "proxy/http/testing/h2_peer.h"
#include "proxy/upstream/testing/worker_cluster_fixture.h"

namespace weir::upstream {
namespace {

using namespace http::h2::testing;
using Outcome = Host::Outcome;

constexpr uint16_t kMaxConcurrentStreams = 3;

class H2PoolTest : public WorkerClusterFixture {
 protected:
  H2PoolTest() { config_.versions = ClusterConfig::Versions::kHttp2; }

  Peer accept(size_t listener = 0) {
    Peer peer(listeners_[listener].accept());
    peer.expect_preface();
    return peer;
  }
  // A connection on which so many streams may be open, with the first of them under way.
  Peer accept_with_limit(Asker& first, uint32_t streams) {
    EXPECT_EQ(ask(first), Outcome::kWaiting);
    Peer peer = accept();
    peer.send(settings(setting(kMaxConcurrentStreams, streams)));
    EXPECT_EQ(peer.wait_for(kHeaders).stream, 1u);
    EXPECT_TRUE(peer.sync());
    return peer;
  }
};

TEST_F(H2PoolTest, OneConnectionIsSharedByAllThatWait) {
  open({0});
  Asker* askers[3] = {&asker(), &asker(), &asker()};
  t_.run([&] {
    for (Asker* one : askers) EXPECT_EQ(one->ask(host(0)), Outcome::kWaiting);
  });
  Peer peer = accept();
  peer.send(settings());
  for (const uint32_t stream : {1u, 3u, 5u}) EXPECT_EQ(peer.wait_for(kHeaders).stream, stream);
  EXPECT_EQ(ask(asker()), Outcome::kLent);
  EXPECT_EQ(peer.wait_for(kHeaders).stream, 7u);
  peer.send(response(3, true, "204"));
  EXPECT_TRUE(until([&] { return askers[1]->done; }));
  EXPECT_FALSE(askers[0]->lent.reused);
  EXPECT_TRUE(askers[1]->lent.reused);
  EXPECT_EQ(counter("upstream_cx_total"), 1u);
  EXPECT_EQ(counter("upstream_cx_http2_total"), 1u);
  EXPECT_EQ(counter("upstream_cx_http1_total"), 0u);
}

TEST_F(H2PoolTest, AnotherConnectionIsMadeWhenThePeerAllowsNoMore) {
  open({0});
  Asker& first = asker();
  Peer peer = accept_with_limit(first, 1);
  Asker& second = asker();
  EXPECT_EQ(ask(second), Outcome::kWaiting);
  Peer other = accept();
  other.send(settings());
  EXPECT_EQ(other.wait_for(kHeaders).stream, 1u);
  peer.send(response(1, true, "204"));
  EXPECT_TRUE(until([&] { return first.done; }));
  Asker& third = asker();
  EXPECT_EQ(ask(third), Outcome::kLent);
  EXPECT_EQ(third.lent.connection_id, first.lent.connection_id) << "it has room again";
  EXPECT_EQ(counter("upstream_cx_total"), 2u);
}

TEST_F(H2PoolTest, WhereNoMoreConnectionsMayBeOthersWaitForRoom) {
  config_.thresholds[0].max_connections = 1;
  open({0});
  Asker& first = asker();
  Peer peer = accept_with_limit(first, 1);
  Asker& second = asker();
  EXPECT_EQ(ask(second), Outcome::kWaiting);
  peer.send(response(1, true, "204"));
  EXPECT_EQ(peer.wait_for(kHeaders).stream, 3u);
  EXPECT_EQ(counter("upstream_cx_total"), 1u);
}

TEST_F(H2PoolTest, AFailedConnectionIsToldToAllThatWait) {
  open({-1});
  Asker* askers[2] = {&asker(), &asker()};
  t_.run([&] {
    for (Asker* one : askers) one->ask(host(0));
  });
  EXPECT_TRUE(until([&] { return !askers[0]->failure.empty() && !askers[1]->failure.empty(); }));
  EXPECT_EQ(askers[1]->failure, "connection_refused");
  EXPECT_EQ(counter("upstream_cx_connect_fail"), 1u);
  EXPECT_TRUE(until([&] { return host(0).unused(); }));
}

TEST_F(H2PoolTest, AfterGoawayOthersGetAConnectionOfTheirOwn) {
  open({0});
  Asker& first = asker();
  Peer peer = accept_with_limit(first, 100);
  peer.send(goaway(1, 0));
  EXPECT_TRUE(peer.sync());
  Asker& second = asker();
  EXPECT_EQ(ask(second), Outcome::kWaiting);
  Peer other = accept();
  other.send(settings());
  EXPECT_EQ(other.wait_for(kHeaders).stream, 1u);
  peer.send(response(1, true, "204"));
  EXPECT_TRUE(until([&] { return first.done; })) << "it ends as ever";
  EXPECT_TRUE(peer.closes());
}

TEST_F(H2PoolTest, AConnectionEndsAfterItsLastRequest) {
  config_.max_requests_per_connection = 2;
  open({0});
  Asker& first = asker();
  Peer peer = accept_with_limit(first, 100);
  EXPECT_EQ(ask(asker()), Outcome::kLent);
  EXPECT_EQ(ask(asker()), Outcome::kWaiting) << "the third is not for this connection";
  Peer other = accept();
  peer.send(response(1, true, "204") + response(3, true, "204"));
  EXPECT_TRUE(peer.closes());
  EXPECT_EQ(counter("upstream_cx_max_requests"), 1u);
}

TEST_F(H2PoolTest, IdleConnectionsEnd) {
  config_.idle_timeout_ms = 30;
  open({0});
  Asker& first = asker();
  Peer peer = accept_with_limit(first, 100);
  EXPECT_FALSE(peer.closes(100)) << "while a stream is under way it is not idle";
  peer.send(response(1, true, "204"));
  EXPECT_TRUE(peer.closes());
  EXPECT_EQ(counter("upstream_cx_idle_timeout"), 1u);
  EXPECT_TRUE(until([&] { return host(0).unused(); }));
}

TEST_F(H2PoolTest, AConnectionThatIsOldTakesNoMoreAndEndsWithWhatItCarries) {
  config_.max_connection_duration_ms = 60;
  open({0});
  Asker& first = asker();
  Peer peer = accept_with_limit(first, 100);
  EXPECT_TRUE(
      until([&] { return registry_.value("cluster.c.upstream_cx_max_duration_reached") == 1; }));
  Asker& second = asker();
  EXPECT_EQ(ask(second), Outcome::kWaiting) << "a connection of its own";
  Peer other = accept();
  peer.send(response(1, true, "204"));
  EXPECT_TRUE(until([&] { return first.done; }));
  EXPECT_TRUE(peer.closes());
}

TEST_F(H2PoolTest, AnIdleConnectionEndsWhenItIsOld) {
  config_.max_connection_duration_ms = 60;
  config_.idle_timeout_ms = 3'600'000;
  open({0});
  Asker& first = asker();
  Peer peer = accept_with_limit(first, 100);
  peer.send(response(1, true, "204"));
  EXPECT_TRUE(peer.closes());
  EXPECT_EQ(counter("upstream_cx_max_duration_reached"), 1u);
  EXPECT_EQ(counter("upstream_cx_idle_timeout"), 0u);
}

TEST_F(H2PoolTest, AnOldConnectionIsNotLentBeforeItsTimerComes) {
  config_.max_connection_duration_ms = 200;
  open({0});
  Asker& first = asker();
  Peer peer = accept_with_limit(first, 100);
  Asker& second = asker();
  t_.run([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(220));
    EXPECT_EQ(second.ask(host(0)), Outcome::kWaiting);
  });
}

TEST_F(H2PoolTest, DrainLeavesAConnectionThatIsBeingMadeToThoseWhoWait) {
  open({0});
  Asker& first = asker();
  t_.run([&] {
    EXPECT_EQ(first.ask(host(0)), Outcome::kWaiting);
    cluster_->drain();
  });
  Peer peer = accept();
  peer.send(settings());
  EXPECT_EQ(peer.wait_for(kHeaders).stream, 1u);
  EXPECT_EQ(counter("upstream_cx_total"), 1u);
  peer.send(response(1, true, "204"));
  EXPECT_TRUE(until([&] { return first.done; }));
  EXPECT_TRUE(peer.closes()) << "nobody else gets it";
}

TEST_F(H2PoolTest, DrainEndsWhatIsIdleAndLetsTheRestFinish) {
  open({0, 1});
  Asker& idle = asker();
  Peer peer = accept_with_limit(idle, 100);
  peer.send(response(1, true, "204"));
  EXPECT_TRUE(until([&] { return idle.done; }));
  Asker& busy = asker();
  ask(busy, 1);
  Peer other = accept(1);
  other.send(settings());
  EXPECT_EQ(other.wait_for(kHeaders).stream, 1u);
  t_.run([&] { cluster_->drain(); });
  EXPECT_TRUE(peer.closes());
  other.send(response(1, true, "204"));
  EXPECT_TRUE(until([&] { return busy.done; }));
  EXPECT_TRUE(other.closes());
}

TEST_F(H2PoolTest, WhatTheClientSpeaksIsSpokenWhereTheClusterFollows) {
  config_.versions = ClusterConfig::Versions::kDownstream;
  open({0});
  Asker& first = asker();
  ask(first);
  net::RawSocket plain = listeners_[0].accept();
  EXPECT_TRUE(plain.receive_some().starts_with("GET / HTTP/1.1"));
  Asker& second = asker();
  ask(second, 0, false, {.downstream = http::Protocol::kHttp2});
  Peer peer = accept();
  EXPECT_EQ(peer.wait_for(kHeaders).stream, 1u);
  EXPECT_EQ(counter("upstream_cx_http1_total"), 1u);
  EXPECT_EQ(counter("upstream_cx_http2_total"), 1u);
}

}  // namespace
}  // namespace weir::upstream
