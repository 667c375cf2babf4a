// Health checks over real sockets. The other ends are written by hand, one answer at a time.
#include "proxy/upstream/cluster_health.h"

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <thread>

#include "proxy/http/grpc_frame.h"
#include "proxy/http/testing/h2_peer.h"
#include "proxy/net/testing/loop_thread.h"
#include "proxy/net/testing/raw_socket.h"
#include "proxy/upstream/health_check_config.h"

namespace weir::upstream {
namespace {

using net::RawSocket;
namespace h2 = http::h2::testing;

class ClusterHealthTest : public testing::Test {
 protected:
  ClusterHealthTest() {
    config_.name = config_.stat_name = "c";
    check_.path = "/ready";
    check_.timeout_ms = 5'000;
    check_.interval_ms = check_.unhealthy_interval_ms = check_.unhealthy_edge_interval_ms =
        check_.healthy_edge_interval_ms = check_.no_traffic_interval_ms =
            check_.no_traffic_healthy_interval_ms = 20;
    for (int i = 0; i < 3; ++i) listeners_.push_back(RawSocket::listen());
  }
  void TearDown() override {
    t_.run([&] { health_.reset(); });
  }

  Endpoint endpoint(size_t listener) const {
    Endpoint out;
    out.address = listeners_[listener].address();
    out.address_text = out.address.text();
    return out;
  }
  HostSet set_of(const std::vector<size_t>& listeners) const {
    HostSet set;
    set.localities.push_back({});
    for (const size_t i : listeners) set.endpoints.push_back(endpoint(i));
    return set;
  }
  static void change(HostSet& set, size_t i, const std::function<void(Endpoint&)>& edit) {
    Endpoint endpoint = set.endpoints[i];
    edit(endpoint);
    set.endpoints.replace(i, std::move(endpoint));
  }
  void open(HostSet set) {
    config_.health_check = std::make_shared<const HealthCheckConfig>(check_);
    ClusterHealth::Events events;
    events.ready = [this] { ++ready_; };
    events.changed = [this](const auto& failed) {
      ++changed_;
      failed_.insert(failed_.end(), failed.begin(), failed.end());
    };
    t_.run([&] {
      health_ = ClusterHealth::make(t_.loop(), registry_,
                                    std::make_shared<const ClusterConfig>(config_), events);
    });
    give(std::move(set));
  }
  void open(const std::vector<size_t>& listeners) { open(set_of(listeners)); }
  void give(HostSet set) {
    t_.run([&] { health_->set_hosts(std::make_shared<const HostSet>(std::move(set))); });
  }

  // What comes next on that connection is answered so.
  static std::string answer(RawSocket& peer, const std::string& status,
                            const std::string& lines = "", const std::string& body = "") {
    std::string request = peer.receive_some();
    peer.send("HTTP/1.1 " + status + "\r\ncontent-length: " + std::to_string(body.size()) + "\r\n" +
              lines + "\r\n" + body);
    return request;
  }
  // The first check's connection, answered.
  RawSocket first(size_t listener, const std::string& status, const std::string& lines = "") {
    RawSocket peer = listeners_[listener].accept();
    answer(peer, status, lines);
    return peer;
  }
  bool until(const std::function<bool()>& condition) {
    for (int i = 0; i < 2'000; ++i) {
      if (t_.run(condition)) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return false;
  }
  bool until_ready() {
    return until([&] { return ready_ == 1; });
  }
  Health health(size_t i) {
    return t_.run([&] { return health_->hosts()->endpoints[i].health; });
  }
  bool until_health(size_t i, Health wanted) {
    return until([&] {
      const auto hosts = health_->hosts();
      return i < hosts->endpoints.size() && hosts->endpoints[i].health == wanted;
    });
  }
  HealthFlags flags(size_t listener) {
    return t_.run([&] { return health_->flags(endpoint(listener)); });
  }
  uint64_t stat(const std::string& name) {
    return registry_.value("cluster.c.health_check." + name);
  }

  net::LoopThread t_;
  stats::Registry registry_;
  ClusterConfig config_;
  HealthCheckConfig check_;
  std::vector<RawSocket> listeners_;
  std::unique_ptr<ClusterHealth> health_;
  int ready_ = 0;
  int changed_ = 0;
  std::vector<net::Address> failed_;
};

TEST_F(ClusterHealthTest, NobodyWatchesWithoutAHealthCheck) {
  const auto none = t_.run([&] {
    return ClusterHealth::make(t_.loop(), registry_, std::make_shared<const ClusterConfig>(config_),
                               {});
  });
  EXPECT_EQ(none, nullptr);
}

TEST_F(ClusterHealthTest, ReadyAfterEachWasCheckedOnce) {
  check_.interval_ms = check_.no_traffic_interval_ms = check_.no_traffic_healthy_interval_ms =
      60'000;
  open({0, 1});
  EXPECT_EQ(health(0), Health::kUnhealthy);
  RawSocket good = listeners_[0].accept();
  const std::string request = answer(good, "200 OK");
  EXPECT_TRUE(request.starts_with("GET /ready HTTP/1.1\r\n")) << request;
  EXPECT_NE(request.find("\r\nhost: c\r\n"), std::string::npos) << request;
  EXPECT_NE(request.find("user-agent: Envoy/HC\r\n"), std::string::npos) << request;
  ASSERT_TRUE(until_health(0, Health::kHealthy));
  EXPECT_EQ(t_.run([&] { return ready_; }), 0);
  RawSocket bad = first(1, "503 Service Unavailable");
  ASSERT_TRUE(until_ready());
  EXPECT_EQ(health(1), Health::kUnhealthy);
  EXPECT_TRUE(flags(1).failed_active);
  EXPECT_FALSE(flags(1).timed_out);
  EXPECT_EQ(stat("attempt"), 2u);
  EXPECT_EQ(stat("success"), 1u);
  EXPECT_EQ(stat("failure"), 1u);
  EXPECT_EQ(stat("network_failure"), 0u);
  EXPECT_EQ(stat("healthy"), 1u);
}

TEST_F(ClusterHealthTest, ACloseRefusalAndATimeout) {
  check_.timeout_ms = 50;
  check_.no_traffic_interval_ms = 60'000;
  const net::Address nobody = listeners_[2].address();
  listeners_[2].close();
  HostSet set = set_of({0, 1});
  Endpoint dead;
  dead.address = nobody;
  dead.address_text = nobody.text();
  set.endpoints.push_back(dead);
  open(std::move(set));
  listeners_[0].accept().close();
  RawSocket silent = listeners_[1].accept();
  ASSERT_TRUE(until_ready());
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(health(i), Health::kUnhealthy);
  EXPECT_TRUE(flags(1).failed_active);
  EXPECT_EQ(stat("network_failure"), 3u);
  EXPECT_EQ(stat("healthy"), 0u);
  // What is late is not waited for.
  silent.receive_some();
  EXPECT_EQ(silent.receive_some(), "");
}

TEST_F(ClusterHealthTest, ThresholdsAfterTheFirstCheck) {
  check_.unhealthy_threshold = 2;
  check_.healthy_threshold = 2;
  check_.retriable_statuses = {{500, 501}};
  open({0});
  RawSocket peer = first(0, "200 OK");
  ASSERT_TRUE(until_health(0, Health::kHealthy));
  answer(peer, "500 Oops");
  answer(peer, "200 OK");
  answer(peer, "500 Oops");
  EXPECT_EQ(health(0), Health::kHealthy);
  answer(peer, "500 Oops");
  ASSERT_TRUE(until_health(0, Health::kUnhealthy));
  ASSERT_TRUE(until([&] { return failed_.size() == 1; }));
  EXPECT_EQ(failed_[0], listeners_[0].address());
  answer(peer, "200 OK");
  answer(peer, "500 Oops");
  answer(peer, "200 OK");
  EXPECT_EQ(health(0), Health::kUnhealthy);
  answer(peer, "200 OK");
  ASSERT_TRUE(until_health(0, Health::kHealthy));
}

TEST_F(ClusterHealthTest, DegradedAndExcludedByItsOwnWord) {
  open({0});
  RawSocket peer = first(0, "200 OK", "x-envoy-degraded: 1\r\n");
  ASSERT_TRUE(until_health(0, Health::kDegraded));
  EXPECT_EQ(stat("degraded"), 1u);
  answer(peer, "503 No", "x-envoy-immediate-health-check-fail: true\r\n");
  ASSERT_TRUE(until_health(0, Health::kExcluded));
  EXPECT_TRUE(flags(0).excluded);
  answer(peer, "200 OK");
  ASSERT_TRUE(until_health(0, Health::kHealthy));
  EXPECT_FALSE(flags(0).excluded);
}

TEST_F(ClusterHealthTest, AResponseToARequestMayFailIt) {
  check_.no_traffic_healthy_interval_ms = 60'000;
  open({0});
  RawSocket peer = first(0, "200 OK");
  ASSERT_TRUE(until_health(0, Health::kHealthy));
  const auto feedback = t_.run([&] { return health_->hosts()->endpoints[0].feedback; });
  feedback->on_immediate_failure();
  ASSERT_TRUE(until_health(0, Health::kExcluded));
  EXPECT_EQ(stat("passive_failure"), 1u);
  // Nobody is there any more who would hear it.
  t_.run([&] { health_.reset(); });
  feedback->on_immediate_failure();
  t_.run([] {});
}

TEST_F(ClusterHealthTest, TheBodyAndTheServiceAreCompared) {
  check_.receive = {"all", "well"};
  check_.service_name = http::StringMatch(http::StringMatch::Kind::kPrefix, "app", false);
  open({0});
  const std::string is_app = "x-envoy-upstream-healthchecked-cluster: app-1\r\n";
  RawSocket peer = listeners_[0].accept();
  answer(peer, "200 OK", is_app, "all is well");
  ASSERT_TRUE(until_health(0, Health::kHealthy));
  answer(peer, "200 OK", is_app, "well, that is all");
  ASSERT_TRUE(until_health(0, Health::kUnhealthy));
  answer(peer, "200 OK", is_app, "all is well");
  ASSERT_TRUE(until_health(0, Health::kHealthy));
  answer(peer, "200 OK", "", "all is well");
  ASSERT_TRUE(until_health(0, Health::kUnhealthy));
  EXPECT_EQ(stat("verify_cluster"), 3u);
}

TEST_F(ClusterHealthTest, AnEndpointSaysHowItIsChecked) {
  check_.host = "config.test";
  HostSet set = set_of({0, 1});
  auto own = std::make_shared<EndpointCheck>();
  own->hostname = "own.test";
  own->port = listeners_[2].address().port();
  change(set, 0, [&](Endpoint& endpoint) { endpoint.check = own; });
  auto none = std::make_shared<EndpointCheck>();
  none->disabled = true;
  change(set, 1, [&](Endpoint& endpoint) { endpoint.check = none; });
  open(std::move(set));
  EXPECT_EQ(health(1), Health::kHealthy);
  RawSocket peer = listeners_[2].accept();
  const std::string request = answer(peer, "200 OK");
  EXPECT_NE(request.find("\r\nhost: own.test\r\n"), std::string::npos) << request;
  ASSERT_TRUE(until_ready());
  EXPECT_EQ(health(0), Health::kHealthy);
}

TEST_F(ClusterHealthTest, ABodyIsSentWhereOneIsConfigured) {
  check_.method = "POST";
  check_.send = "ping";
  check_.reuse_connection = false;
  open({0});
  RawSocket peer = listeners_[0].accept();
  const std::string request = answer(peer, "200 OK");
  EXPECT_TRUE(request.starts_with("POST /ready")) << request;
  EXPECT_NE(request.find("content-length: 4\r\n"), std::string::npos) << request;
  EXPECT_TRUE(request.ends_with("\r\n\r\nping")) << request;
  EXPECT_EQ(peer.receive_some(), "");
  first(0, "200 OK");
  EXPECT_TRUE(until_health(0, Health::kHealthy));
}

// ---- endpoints come and go ----

TEST_F(ClusterHealthTest, WhoStaysKeepsItsStateAndWhoComesIsCheckedFirst) {
  open({0});
  RawSocket peer = first(0, "200 OK");
  ASSERT_TRUE(until_health(0, Health::kHealthy));
  give(set_of({0, 1}));
  EXPECT_EQ(health(0), Health::kHealthy);
  EXPECT_EQ(health(1), Health::kUnhealthy);
  RawSocket other = first(1, "200 OK");
  EXPECT_TRUE(until_health(1, Health::kHealthy));
  EXPECT_TRUE(until([&] { return changed_ > 0; }));
}

TEST_F(ClusterHealthTest, OnesThatWaitAreNotCounted) {
  config_.ignores_new_hosts = true;
  open({0});
  EXPECT_EQ(health(0), Health::kExcluded);
  EXPECT_TRUE(flags(0).waits_for_check);
  RawSocket peer = first(0, "503 No");
  EXPECT_TRUE(until_health(0, Health::kUnhealthy));
  EXPECT_FALSE(flags(0).waits_for_check);
}

TEST_F(ClusterHealthTest, AHealthyOneThatIsForgottenStaysUntilItFails) {
  open({0, 1});
  RawSocket kept = first(0, "200 OK");
  RawSocket bad = first(1, "503 No");
  ASSERT_TRUE(until_ready());
  HostSet next = set_of({2});
  next.localities[0].priority = 1;
  change(next, 0, [](Endpoint& endpoint) { endpoint.priority = 1; });
  give(std::move(next));
  const auto hosts = t_.run([&] { return health_->hosts(); });
  ASSERT_EQ(hosts->endpoints.size(), 2u);
  EXPECT_EQ(hosts->endpoints[1].address, listeners_[0].address());
  EXPECT_EQ(hosts->endpoints[1].health, Health::kHealthy);
  EXPECT_EQ(hosts->localities[hosts->endpoints[1].locality].priority, 0u);
  EXPECT_TRUE(flags(0).awaits_removal);
  answer(kept, "503 No");
  EXPECT_TRUE(until([&] { return health_->hosts()->endpoints.size() == 1; }));
}

TEST_F(ClusterHealthTest, UnlessTheClusterSaysThatItGoes) {
  config_.removes_regardless_of_health = true;
  open({0});
  RawSocket peer = first(0, "200 OK");
  ASSERT_TRUE(until_ready());
  give(set_of({}));
  EXPECT_EQ(t_.run([&] { return health_->hosts()->endpoints.size(); }), 0u);
  peer.receive_some(50);
  EXPECT_EQ(peer.receive_some(), "");
}

TEST_F(ClusterHealthTest, NobodyToCheckIsReady) {
  open(std::vector<size_t>{});
  EXPECT_TRUE(until_ready());
}

// ---- TCP ----

TEST_F(ClusterHealthTest, CheckersOfOneNameAreCountedTogether) {
  check_.no_traffic_interval_ms = check_.no_traffic_healthy_interval_ms = 60'000;
  open({0});
  const RawSocket peer = first(0, "200 OK");
  ASSERT_TRUE(until_ready());
  std::unique_ptr<ClusterHealth> other;
  t_.run([&] {
    other =
        ClusterHealth::make(t_.loop(), registry_, std::make_shared<const ClusterConfig>(config_),
                            {.ready = [] {}, .changed = [](const auto&) {}});
    other->set_hosts(std::make_shared<const HostSet>(set_of({1})));
  });
  const RawSocket other_peer = first(1, "200 OK");
  EXPECT_TRUE(until([&] { return stat("healthy") == 2; }));
  t_.run([&] { other.reset(); });
  EXPECT_EQ(stat("healthy"), 1u);
}

TEST_F(ClusterHealthTest, TcpIsHealthyWhereAConnectionStands) {
  check_.kind = HealthCheckConfig::Kind::kTcp;
  check_.no_traffic_healthy_interval_ms = 60'000;
  open({0});
  RawSocket peer = listeners_[0].accept();
  ASSERT_TRUE(until_ready());
  EXPECT_EQ(health(0), Health::kHealthy);
  EXPECT_EQ(peer.receive_some(), "");
}

TEST_F(ClusterHealthTest, TcpMayWaitForAnAnswer) {
  check_.kind = HealthCheckConfig::Kind::kTcp;
  check_.send = "PING";
  check_.receive = {"PO", "NG"};
  check_.timeout_ms = 200;
  open({0});
  RawSocket peer = listeners_[0].accept();
  EXPECT_EQ(peer.receive(4), "PING");
  peer.send("+P");
  peer.send("O..");
  peer.send("NG");
  ASSERT_TRUE(until_ready());
  EXPECT_EQ(health(0), Health::kHealthy);
  // Over the same connection, a wrong answer is none.
  EXPECT_EQ(peer.receive(4), "PING");
  peer.send("-ERR");
  EXPECT_TRUE(until_health(0, Health::kUnhealthy));
  EXPECT_TRUE(flags(0).timed_out);
  RawSocket next = listeners_[0].accept();
  EXPECT_EQ(next.receive(4), "PING");
  next.send("PONG");
  EXPECT_TRUE(until_health(0, Health::kHealthy));
  next.close();
  EXPECT_TRUE(until_health(0, Health::kUnhealthy));
}

// ---- HTTP/2 and gRPC ----

class OverHttp2 : public ClusterHealthTest {
 protected:
  void respond(h2::Peer& peer, uint32_t stream, const std::string& message,
               const std::string& code) {
    std::string framed;
    http::append_grpc_frame(message, framed);
    peer.send(h2::frame(h2::kHeaders, h2::kEndHeaders, stream,
                        h2::section({{":status", "200"}, {"content-type", "application/grpc"}})) +
              h2::frame(h2::kData, 0, stream, framed) +
              h2::frame(h2::kHeaders, h2::kEndHeaders | h2::kEndStream, stream,
                        h2::section({{"grpc-status", code}})));
  }
};

TEST_F(OverHttp2, GrpcAsksForItsService) {
  check_.kind = HealthCheckConfig::Kind::kGrpc;
  check_.http2 = true;
  check_.service = "my.Service";
  open({0});
  h2::Peer peer(listeners_[0].accept());
  peer.expect_preface();
  peer.send(h2::settings());
  std::string asked;
  http::append_grpc_frame("\x0a\x0amy.Service", asked);
  EXPECT_EQ(peer.body(1), asked);
  respond(peer, 1, std::string("\x08\x01", 2), "0");
  ASSERT_TRUE(until_ready());
  EXPECT_EQ(health(0), Health::kHealthy);
  peer.body(3);
  respond(peer, 3, std::string("\x08\x02", 2), "0");
  ASSERT_TRUE(until_health(0, Health::kUnhealthy));
  peer.body(5);
  respond(peer, 5, std::string("\x08\x01", 2), "0");
  ASSERT_TRUE(until_health(0, Health::kHealthy));
  peer.body(7);
  respond(peer, 7, std::string("\x08\x01", 2), "12");
  ASSERT_TRUE(until_health(0, Health::kUnhealthy));
}

TEST_F(OverHttp2, HttpOverHttp2) {
  check_.http2 = true;
  open({0});
  h2::Peer peer(listeners_[0].accept());
  peer.expect_preface();
  peer.send(h2::settings());
  peer.wait_for(h2::kHeaders, 1u);
  peer.send(h2::frame(h2::kHeaders, h2::kEndHeaders | h2::kEndStream, 1,
                      h2::section({{":status", "200"}})));
  ASSERT_TRUE(until_ready());
  EXPECT_EQ(health(0), Health::kHealthy);
  // The end of the connection breaks the next check off, and the one after that makes another.
  peer.wait_for(h2::kHeaders, 3u);
  peer.socket().close();
  EXPECT_TRUE(until_health(0, Health::kUnhealthy));
  h2::Peer next(listeners_[0].accept());
  next.expect_preface();
  next.send(h2::settings());
  next.wait_for(h2::kHeaders, 1u);
  next.send(h2::frame(h2::kHeaders, h2::kEndHeaders | h2::kEndStream, 1,
                      h2::section({{":status", "200"}})));
  EXPECT_TRUE(until_health(0, Health::kHealthy));
}

}  // namespace
}  // namespace weir::upstream
