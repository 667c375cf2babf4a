// A worker's pools against plain listening sockets: who gets a connection, who waits, who is told
// that there is none.
#include "proxy/upstream/worker_cluster.h"

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <thread>
#include <utility>
#include <vector>

#include "proxy/upstream/balancer_plan.h"
#include "proxy/upstream/testing/worker_cluster_fixture.h"

namespace weir::upstream {
namespace {

using net::RawSocket;
using Outcome = Host::Outcome;
using std::chrono::milliseconds;

class WorkerClusterTest : public WorkerClusterFixture {};

TEST_F(WorkerClusterTest, AConnectionIsUsedAgain) {
  open({0});
  Asker& first = asker();
  EXPECT_EQ(ask(first), Outcome::kWaiting);
  RawSocket upstream = listeners_[0].accept();
  answer(upstream);
  EXPECT_TRUE(until([&] { return first.done; }));
  EXPECT_FALSE(first.lent.reused);
  Asker& second = asker();
  EXPECT_EQ(ask(second), Outcome::kLent);
  EXPECT_TRUE(second.lent.reused);
  EXPECT_EQ(second.lent.connection_id, first.lent.connection_id);
  answer(upstream);
  EXPECT_TRUE(until([&] { return second.done; }));
  EXPECT_EQ(counter("upstream_cx_total"), 1u);
  EXPECT_EQ(t_.run([&] { return host(0).connections(); }), 1u);
}

TEST_F(WorkerClusterTest, TheMostRecentlyUsedConnectionIsLentFirst) {
  open({0});
  Asker* askers[2] = {&asker(), &asker()};
  t_.run([&] {
    for (Asker* one : askers) one->ask(host(0));
  });
  RawSocket upstreams[2] = {listeners_[0].accept(), listeners_[0].accept()};
  answer(upstreams[0]);
  EXPECT_TRUE(until([&] { return askers[0]->done || askers[1]->done; }));
  answer(upstreams[1]);
  EXPECT_TRUE(until([&] { return askers[0]->done && askers[1]->done; }));
  ask(asker());
  EXPECT_EQ(upstreams[1].receive_some().substr(0, 3), "GET");
}

TEST_F(WorkerClusterTest, TheConnectionLimitMakesOthersWait) {
  config_.thresholds[0].max_connections = 1;
  open({0});
  Asker& first = asker();
  Asker& second = asker();
  t_.run([&] {
    first.ask(host(0));
    EXPECT_EQ(second.ask(host(0)), Outcome::kWaiting);
  });
  RawSocket upstream = listeners_[0].accept();
  EXPECT_TRUE(until([&] { return first.lent.stream != nullptr; }));
  EXPECT_TRUE(t_.run([&] { return second.waiting(); }));
  answer(upstream);
  EXPECT_TRUE(until([&] { return second.lent.stream != nullptr; }));
  EXPECT_TRUE(second.lent.reused);
  EXPECT_EQ(counter("upstream_cx_total"), 1u);
  EXPECT_EQ(counter("upstream_cx_overflow"), 1u);
}

TEST_F(WorkerClusterTest, AWaiterGetsTheSlotOfAConnectionThatEnds) {
  config_.thresholds[0].max_connections = 1;
  open({0});
  Asker& first = asker();
  Asker& second = asker();
  t_.run([&] {
    first.ask(host(0));
    second.ask(host(0));
  });
  RawSocket upstream = listeners_[0].accept();
  answer(upstream, "Connection: close\r\n");
  RawSocket another = listeners_[0].accept();
  answer(another);
  EXPECT_TRUE(until([&] { return second.done; }));
  EXPECT_FALSE(second.lent.reused);
}

TEST_F(WorkerClusterTest, ACancelledWaiterLeavesItsConnectionToTheNext) {
  open({0});
  Asker& first = asker();
  Asker& second = asker();
  Asker& third = asker();
  t_.run([&] {
    for (Asker* one : {&first, &second, &third}) one->ask(host(0));
    second.give_up();
  });
  std::vector<RawSocket> upstreams;
  for (int i = 0; i < 3; ++i) upstreams.push_back(listeners_[0].accept());
  EXPECT_TRUE(until([&] { return first.lent.stream != nullptr && third.lent.stream != nullptr; }));
  EXPECT_EQ(second.lent.stream, nullptr);
  t_.run([&] { EXPECT_EQ(cluster_->pending(false).in_use(), 0u); });
  Asker& fourth = asker();
  EXPECT_TRUE(until([&] { return host(0).connections() == 3; }));
  std::this_thread::sleep_for(milliseconds(20));
  EXPECT_EQ(ask(fourth), Outcome::kLent) << "the third connection was left over";
  EXPECT_FALSE(fourth.lent.reused);
}

TEST_F(WorkerClusterTest, ConnectFailureIsToldToOneWaiterEach) {
  open({-1});
  Asker& first = asker();
  Asker& second = asker();
  t_.run([&] {
    first.ask(host(0));
    second.ask(host(0));
  });
  EXPECT_TRUE(until([&] { return !first.failure.empty() && !second.failure.empty(); }));
  EXPECT_EQ(first.failure, "connection_refused");
  EXPECT_EQ(first.failure_reason, http::ResetReason::kConnectFailure);
  EXPECT_EQ(counter("upstream_cx_connect_fail"), 2u);
  EXPECT_EQ(counter("upstream_rq_pending_failure_eject"), 2u);
  EXPECT_TRUE(until([&] { return host(0).unused(); }));
}

TEST_F(WorkerClusterTest, WhatCannotEvenBeTriedIsToldLater) {
  config_.bind_address = net::Address::ip("192.0.2.1", 0).take();
  open({0});
  Asker& first = asker();
  EXPECT_EQ(ask(first), Outcome::kWaiting) << "the waiter is not called from within";
  EXPECT_TRUE(until([&] { return !first.failure.empty(); }));
  EXPECT_EQ(first.failure, "connection_failure");
}

TEST_F(WorkerClusterTest, ConnectTimeout) {
  // A listener whose queue is full does not answer.
  RawSocket full(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_storage any;
  const socklen_t length = net::Address::ip("127.0.0.1", 0).take().to_sockaddr(any);
  ASSERT_EQ(bind(full.fd(), reinterpret_cast<sockaddr*>(&any), length), 0);
  ASSERT_EQ(::listen(full.fd(), 0), 0);
  RawSocket filler = RawSocket::connect(full.address());
  std::swap(listeners_[0], full);
  config_.connect_timeout_ms = 50;
  open({0});
  Asker& first = asker();
  ask(first);
  EXPECT_TRUE(until([&] { return !first.failure.empty(); }));
  EXPECT_EQ(first.failure_reason, http::ResetReason::kConnectTimeout);
  EXPECT_EQ(counter("upstream_cx_connect_timeout"), 1u);
}

TEST_F(WorkerClusterTest, ConnectionsEndAfterTheirLastRequest) {
  config_.max_requests_per_connection = 2;
  open({0});
  Asker& first = asker();
  ask(first);
  RawSocket upstream = listeners_[0].accept();
  answer(upstream);
  EXPECT_TRUE(until([&] { return first.done; }));
  Asker& second = asker();
  EXPECT_EQ(ask(second), Outcome::kLent);
  answer(upstream);
  EXPECT_EQ(upstream.receive_some(), "") << "closed";
  EXPECT_EQ(counter("upstream_cx_max_requests"), 1u);
}

// A request whose body is more than the sockets take.
class Uploader : public Asker {
 public:
  void on_connection(const Lent& given) override {
    lent = given;
    http::RequestHead request(arena);
    request.method_text = "POST";
    request.method = http::Method::kPost;
    request.path = "/";
    request.authority = "a";
    request.content_length = static_cast<int64_t>(body_.size());
    lent.stream->send_head(request, false);
    lent.stream->send_body(body_, true);
  }

 private:
  const std::string body_ = std::string(32 << 20, 'u');
};

TEST_F(WorkerClusterTest, AConnectionThatDidNotTakeTheWholeRequestIsNotUsedAgain) {
  open({0});
  askers_.push_back(std::make_unique<Uploader>());
  Asker& first = *askers_.back();
  EXPECT_EQ(ask(first), Outcome::kWaiting);
  RawSocket upstream = listeners_[0].accept();
  answer(upstream);
  EXPECT_TRUE(until([&] { return first.done; }));
  EXPECT_EQ(t_.run([&] { return host(0).connections(); }), 0u);
  EXPECT_EQ(ask(asker()), Outcome::kWaiting) << "a new connection";
}

TEST_F(WorkerClusterTest, IdleConnectionsEnd) {
  config_.idle_timeout_ms = 30;
  open({0});
  Asker& first = asker();
  ask(first);
  RawSocket upstream = listeners_[0].accept();
  answer(upstream);
  EXPECT_EQ(upstream.receive_some(), "") << "closed";
  EXPECT_EQ(counter("upstream_cx_idle_timeout"), 1u);
  EXPECT_TRUE(until([&] { return host(0).unused(); }));
}

TEST_F(WorkerClusterTest, AnIdleConnectionThatTheUpstreamClosesIsForgotten) {
  open({0});
  Asker& first = asker();
  ask(first);
  RawSocket upstream = listeners_[0].accept();
  answer(upstream);
  EXPECT_TRUE(until([&] { return first.done; }));
  upstream.close();
  EXPECT_TRUE(until([&] { return host(0).connections() == 0; }));
  Asker& second = asker();
  EXPECT_EQ(ask(second), Outcome::kWaiting) << "a new connection";
}

// ---- host sets ----

TEST_F(WorkerClusterTest, UpdatesKeepHostsThatStay) {
  open({0, 1});
  Asker& first = asker();
  ask(first, 1);
  RawSocket upstream = listeners_[1].accept();
  answer(upstream);
  EXPECT_TRUE(until([&] { return first.done; }));
  const Host* const kept = t_.run([&] { return &host(1); });
  update({2, 1, 0});
  t_.run([&] {
    ASSERT_EQ(cluster_->worker_hosts().size(), 3u);
    EXPECT_EQ(&host(1), kept);
    for (uint32_t i = 0; i < 3; ++i) EXPECT_EQ(host(i).index, i);
  });
  EXPECT_EQ(ask(asker(), 1), Outcome::kLent) << "with its connections";
}

TEST_F(WorkerClusterTest, AHostsNameStaysWhereItIs) {
  const auto named = [&](const std::string& name) {
    HostSet set;
    set.localities.push_back({});
    Endpoint endpoint;
    endpoint.address = listeners_[0].address();
    endpoint.address_text = endpoint.address.text();
    endpoint.hostname = name;
    set.endpoints.push_back(endpoint);
    return std::make_shared<const HostSet>(std::move(set));
  };
  const auto apply = [&](const std::shared_ptr<const HostSet>& hosts) {
    t_.run([&] { cluster_->update(plan_balancing(config_.balancing, hosts), hosts); });
  };
  open(std::make_shared<const ClusterConfig>(config_), named("one.test"));
  Host& shown = t_.run([&]() -> std::reference_wrapper<Host> { return host(0); });
  const std::string* const name = t_.run([&] { return &shown.hostname(); });
  t_.run([&] { cluster_->remember(shown); });
  EXPECT_EQ(*name, "one.test");
  apply(named("a name that is longer than what a string holds within itself"));
  EXPECT_EQ(t_.run([&] { return &shown.hostname(); }), name);
  EXPECT_EQ(*name, "a name that is longer than what a string holds within itself");
  apply(host_set({1}));
  EXPECT_EQ(*name, "a name that is longer than what a string holds within itself")
      << "though it left";
  t_.run([&] { cluster_->forget(shown); });
  EXPECT_TRUE(t_.run([&] { return cluster_->unused(); }));
}

TEST_F(WorkerClusterTest, ARemovedHostEndsWhatIsIdleAndFinishesWhatIsNot) {
  open({0, 1});
  Asker& idle = asker();
  Asker& busy = asker();
  ask(idle);
  RawSocket first = listeners_[0].accept();
  ask(busy);
  RawSocket second = listeners_[0].accept();
  EXPECT_TRUE(until([&] { return idle.lent.stream != nullptr && busy.lent.stream != nullptr; }));
  answer(first);
  EXPECT_TRUE(until([&] { return idle.done; }));
  t_.run([&] { cluster_->begin(host(0)); });
  Host& removed = t_.run([&]() -> std::reference_wrapper<Host> { return host(0); });
  update({1});
  EXPECT_EQ(first.receive_some(), "") << "closed";
  EXPECT_FALSE(t_.run([&] { return cluster_->unused(); }));
  answer(second);
  EXPECT_TRUE(until([&] { return busy.done; }));
  EXPECT_EQ(second.receive_some(), "") << "closed after its exchange";
  t_.run([&] { cluster_->end(removed); });
  EXPECT_TRUE(t_.run([&] { return cluster_->unused(); }));
}

TEST_F(WorkerClusterTest, AHostThatComesBackKeepsConnectionsAgain) {
  open({0});
  Asker& first = asker();
  ask(first);
  RawSocket upstream = listeners_[0].accept();
  EXPECT_TRUE(until([&] { return first.lent.stream != nullptr; }));
  t_.run([&] { cluster_->begin(host(0)); });
  Host& same = t_.run([&]() -> std::reference_wrapper<Host> { return host(0); });
  update({1});
  update({0});
  EXPECT_EQ(t_.run([&] { return &host(0); }), &same);
  answer(upstream);
  EXPECT_TRUE(until([&] { return first.done; }));
  t_.run([&] { cluster_->end(same); });
  EXPECT_EQ(ask(asker()), Outcome::kLent);
}

TEST_F(WorkerClusterTest, TheSameAddressTwice) {
  open({0, 0});
  Asker& first = asker();
  Asker& second = asker();
  ask(first, 0);
  ask(second, 1);
  RawSocket upstreams[2] = {listeners_[0].accept(), listeners_[0].accept()};
  EXPECT_TRUE(until([&] { return first.lent.stream != nullptr && second.lent.stream != nullptr; }));
  update({0, 0});
  update({0});
  for (RawSocket& upstream : upstreams) answer(upstream);
  EXPECT_TRUE(until([&] { return first.done && second.done; }));
  EXPECT_EQ(t_.run([&] { return cluster_->worker_hosts().size(); }), 1u);
}

TEST_F(WorkerClusterTest, HostsToAvoidMayHaveLeft) {
  open({0, 1});
  Host* const tried[] = {t_.run([&] { return &host(0); })};
  t_.run([&] { cluster_->remember(*tried[0]); });
  for (int i = 0; i < 20; ++i)
    EXPECT_EQ(t_.run([&] { return cluster_->pick({}, tried)->index; }), 1u);
  update({1});
  EXPECT_EQ(t_.run([&] { return cluster_->pick({}, tried); }), t_.run([&] { return &host(0); }));
  EXPECT_FALSE(t_.run([&] { return cluster_->unused(); })) << "it is remembered";
  t_.run([&] { cluster_->forget(*tried[0]); });
  EXPECT_TRUE(t_.run([&] { return cluster_->unused(); }));
}

TEST_F(WorkerClusterTest, HostsAreMadeWhenTheyAreNeeded) {
  open({0, 1, 2});
  t_.run([&] {
    for (const auto& host : cluster_->worker_hosts()) EXPECT_EQ(host, nullptr);
    Host* const picked = cluster_->pick({}, {});
    ASSERT_NE(picked, nullptr);
    EXPECT_EQ(cluster_->worker_hosts()[picked->index].get(), picked);
  });
}

TEST_F(WorkerClusterTest, AWorkerFollowsThePlanThatWasMadeForTheNext) {
  open({0, 1});
  const Host* const kept = t_.run([&] { return &host(1); });
  const auto first = plan_balancing(config_.balancing, host_set({0, 1}));
  const auto second = plan_balancing(config_.balancing, host_set({1, 2}), first);
  t_.run([&] {
    cluster_->update(first, first->shared_hosts());
    EXPECT_EQ(&host(1), kept);
    cluster_->update(second, second->shared_hosts());
    EXPECT_EQ(&host(0), kept);
    EXPECT_EQ(kept->index, 0u);
    EXPECT_EQ(&kept->endpoint(), &second->hosts().endpoints[0]);
  });
}

// Moves are between two plans: another one must not be followed by them.
TEST_F(WorkerClusterTest, AWorkerThatMissedAPlanFindsItsHostsByAddress) {
  open({0, 1});
  const Host* const kept = t_.run([&] { return &host(1); });
  const auto missed = plan_balancing(config_.balancing, host_set({1}));
  const auto next = plan_balancing(config_.balancing, host_set({2, 1}), missed);
  t_.run([&] {
    cluster_->update(next, next->shared_hosts());
    EXPECT_EQ(&host(1), kept);
    EXPECT_EQ(cluster_->worker_hosts().size(), 2u);
  });
}

TEST_F(WorkerClusterTest, RequestsUnderWayMoveWithTheirHost) {
  config_.balancing.kind = LoadBalancing::Kind::kLeastRequest;
  config_.balancing.full_scan = true;
  open({0, 1});
  t_.run([&] { cluster_->begin(host(1)); });
  update({1, 2, 0});
  t_.run([&] {
    for (int i = 0; i < 20; ++i) EXPECT_NE(cluster_->pick({}, {})->index, 0u);
    cluster_->end(host(0));
  });
}

TEST_F(WorkerClusterTest, ThousandsThatLeaveAtOnceGoBitByBit) {
  constexpr int kMany = 2000;
  HostSet many;
  for (int i = 0; i < kMany; ++i) {
    Endpoint endpoint;
    endpoint.address = net::Address::ip("127.0.0.1", static_cast<uint16_t>(1000 + i)).take();
    many.endpoints.push_back(endpoint);
  }
  open(std::make_shared<const ClusterConfig>(config_), std::make_shared<const HostSet>(many));
  t_.run([&] {
    for (int i = 0; i < kMany; ++i) host(static_cast<size_t>(i));
  });
  update({0});
  EXPECT_FALSE(t_.run([&] { return cluster_->unused(); })) << "they were all destroyed in one turn";
  EXPECT_TRUE(until([&] { return cluster_->unused(); }));
}

TEST_F(WorkerClusterTest, WithoutHostsThereIsNothingToPick) {
  open({});
  EXPECT_EQ(t_.run([&] { return cluster_->pick({}, {}); }), nullptr);
  EXPECT_TRUE(t_.run([&] { return cluster_->unused(); }));
}

TEST_F(WorkerClusterTest, DrainEndsIdleConnectionsAndTheOthersWithTheirExchange) {
  open({0});
  Asker& first = asker();
  ask(first);
  RawSocket upstream = listeners_[0].accept();
  EXPECT_TRUE(until([&] { return first.lent.stream != nullptr; }));
  t_.run([&] { cluster_->drain(); });
  EXPECT_FALSE(t_.run([&] { return cluster_->unused(); }));
  answer(upstream);
  EXPECT_EQ(upstream.receive_some(), "") << "closed";
  EXPECT_TRUE(until([&] { return cluster_->unused(); }));
  EXPECT_TRUE(first.done);
}

TEST_F(WorkerClusterTest, OriginalDestinationsAreMadeWhenNeeded) {
  config_.discovery = ClusterConfig::Discovery::kOriginalDst;
  open({});
  const net::Address to = listeners_[0].address();
  t_.run([&] {
    Host* made = cluster_->host_for(to);
    EXPECT_EQ(made->endpoint().address, to);
    EXPECT_EQ(cluster_->host_for(to), made);
    EXPECT_EQ(cluster_->worker_hosts().size(), 1u);
  });
  Asker& first = asker();
  ask(first);
  RawSocket upstream = listeners_[0].accept();
  answer(upstream);
  EXPECT_TRUE(until([&] { return first.done; }));
}

// The categories and their shares.
std::shared_ptr<const HostSet> dropping(const std::vector<std::pair<std::string, double>>& what) {
  auto drops = std::make_shared<DropPolicy>();
  for (const auto& [category, share] : what) drops->add(category, share);
  HostSet set;
  set.drops = std::move(drops);
  return std::make_shared<const HostSet>(std::move(set));
}

std::string text(const DropCounts* counts) {
  std::string out;
  if (counts == nullptr) return "none";
  for (const auto& one : counts->counts())
    out += one.category + ":" + std::to_string(one.requests) + " ";
  return out;
}

TEST_F(WorkerClusterTest, DropsRequestsAndCountsThem) {
  open({0});
  t_.run([&] {
    EXPECT_EQ(cluster_->drop_request(), Drop::kNo);
    EXPECT_EQ(text(cluster_->drop_counts()), "none");
    const auto some = dropping({{"a", 0.5}});
    cluster_->update(plan_balancing(config_.balancing, some), some);
    int dropped = 0;
    for (int i = 0; i < 10'000; ++i) dropped += cluster_->drop_request() == Drop::kSome;
    EXPECT_NEAR(dropped, 5'000, 300);
    EXPECT_EQ(text(cluster_->drop_counts()), "a:" + std::to_string(dropped) + " ");
    EXPECT_EQ(registry_.value("cluster.c.upstream_rq_drop_overload"), dropped);
    const auto all = dropping({{"b", 1}});
    cluster_->update(plan_balancing(config_.balancing, all), all);
    EXPECT_EQ(cluster_->drop_request(), Drop::kAll);
    EXPECT_EQ(text(cluster_->drop_counts()), "a:" + std::to_string(dropped) + " b:1 ");
    EXPECT_EQ(registry_.value("cluster.c.upstream_rq_5xx"), dropped + 1);
    limit_->set_percent(0);
    EXPECT_EQ(cluster_->drop_request(), Drop::kNo);
  });
  update({0});
  limit_->set_percent(100);
  EXPECT_EQ(t_.run([&] { return cluster_->drop_request(); }), Drop::kNo) << "none are left";
}

TEST_F(WorkerClusterTest, TheNextVersionGoesOnCounting) {
  const auto config = std::make_shared<const ClusterConfig>(config_);
  open(config, dropping({{"a", 1}}));
  const auto before = t_.run([&] {
    cluster_->drop_request();
    return std::move(cluster_);
  });
  open(config, dropping({{"b", 1}, {"a", 1}}));
  t_.run([&] {
    const DropCounts* counts = before->drop_counts();
    cluster_->take_drop_counts(*before);
    EXPECT_EQ(cluster_->drop_counts(), counts) << "who reads them knows them by their place";
    EXPECT_EQ(cluster_->drop_request(), Drop::kAll);
    EXPECT_EQ(text(cluster_->drop_counts()), "a:1 b:1 ");
    // Who still holds the old one may ask it.
    EXPECT_EQ(before->drop_request(), Drop::kAll);
    EXPECT_EQ(text(cluster_->drop_counts()), "a:1 b:1 ");
  });
}

}  // namespace
}  // namespace weir::upstream
