// Health checks that a server orders, over real sockets whose other ends are written by hand.
#include "proxy/ordered_checks.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <thread>

#include "config/message_check.h"
#include "envoy/service/health/v3/hds.pb.h"
#include "proxy/base/log.h"
#include "proxy/net/testing/loop_thread.h"
#include "proxy/net/testing/raw_socket.h"
#include "proxy/stats/log_writers.h"
#include "proxy/tls/secrets.h"
#include "proxy/tls/testing/certificates.h"
#include "proxy/tls/testing/sessions.h"
#include "proxy/tls/testing/tls_peer.h"

namespace weir {
namespace {

using envoy::service::health::v3::EndpointHealthResponse;
using envoy::service::health::v3::HealthCheckSpecifier;
using net::RawSocket;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::StartsWith;
using tls::testing::TlsPeer;

HealthCheckSpecifier specifier(const std::string& text) {
  HealthCheckSpecifier out;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &out)) << text;
  return out;
}

// A check that is made once unless it says otherwise.
std::string check(const std::string& how, const std::string& more = "") {
  return "health_checks { timeout { seconds: 60 } interval { seconds: 60 } unhealthy_threshold { "
         "value: 1 } healthy_threshold { value: 1 } " +
         how + " " + more + " } ";
}
const std::string kHttp = "http_health_check { path: '/up' }";
const std::string kAgainSoon = "no_traffic_interval { nanos: 20000000 }";

std::string cluster(const std::string& name, const std::string& rest) {
  return "cluster_health_checks { cluster_name: '" + name + "' " + rest + " } ";
}
std::string address(const std::string& ip, int port) {
  return "address { socket_address { address: '" + ip + "' port_value: " + std::to_string(port) +
         " } } ";
}
std::string endpoint(const RawSocket& socket, const std::string& more = "") {
  return "endpoints { " + address("127.0.0.1", socket.address().port()) + more + " } ";
}
std::string group(const std::string& zone, const std::string& endpoints) {
  return "locality_endpoints { locality { region: 'r' zone: '" + zone + "' } " + endpoints + " } ";
}

class OrderedChecksTest : public testing::Test {
 protected:
  OrderedChecksTest() {
    log_.set_level(LogLevel::kOff);
    for (int i = 0; i < 3; ++i) listeners_.push_back(RawSocket::listen());
    t_.run([&] {
      checks_ = std::make_unique<OrderedChecks>(
          OrderedChecks::Needs{t_.loop(), stats_, reader_, {&secrets_, &stats_, &logs_}});
    });
  }
  ~OrderedChecksTest() override {
    t_.run([&] { checks_.reset(); });
  }

  // What is wrong with it.
  std::string set(const std::string& text) {
    return t_.run([&] { return checks_->set(specifier(text)); });
  }
  // "app/zone#0 HEALTHY", with the index of the endpoint's listener.
  std::vector<std::string> told() {
    EndpointHealthResponse response;
    t_.run([&] { checks_->tell(response); });
    std::vector<std::string> out;
    for (const auto& cluster : response.cluster_endpoints_health())
      for (const auto& group : cluster.locality_endpoints_health())
        for (const auto& one : group.endpoints_health())
          out.push_back(cluster.cluster_name() + "/" + group.locality().zone() +
                        name_of(one.endpoint().address()) + " " +
                        envoy::config::core::v3::HealthStatus_Name(one.health_status()));
    return out;
  }
  bool until_told(const std::string& wanted) {
    for (int i = 0; i < 2'000; ++i) {
      const std::vector<std::string> all = told();
      if (std::find(all.begin(), all.end(), wanted) != all.end()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return false;
  }
  // The next connection's check is answered so.
  RawSocket answer(size_t listener, const std::string& status, const std::string& lines = "") {
    RawSocket peer = listeners_[listener].accept();
    last_request_ = peer.receive_some();
    peer.send("HTTP/1.1 " + status + "\r\ncontent-length: 0\r\n" + lines + "\r\n");
    return peer;
  }

  net::LoopThread t_;
  Logger log_;
  stats::Registry stats_;
  stats::LogWriters logs_{{}, stats_};
  config::MessageCheck message_check_{config::default_support()};
  ResourceReader reader_{message_check_, false, stats_, log_};
  tls::Secrets secrets_{stats_, log_};
  std::vector<RawSocket> listeners_;
  std::unique_ptr<OrderedChecks> checks_;
  std::string last_request_;

 private:
  std::string name_of(const envoy::config::core::v3::Address& address) const {
    if (address.has_pipe()) return "@" + address.pipe().path();
    for (size_t i = 0; i < listeners_.size(); ++i)
      if (address.socket_address().port_value() == listeners_[i].address().port())
        return "#" + std::to_string(i);
    return "?";
  }
};

TEST_F(OrderedChecksTest, TellsOfEachByClusterAndLocality) {
  ASSERT_EQ(set(cluster("app", check(kHttp) + group("a", endpoint(listeners_[0])) +
                                   group("b", endpoint(listeners_[1]) + endpoint(listeners_[2]))) +
                cluster("other", check(kHttp) + group("a", endpoint(listeners_[0])))),
            "");
  EXPECT_THAT(told(), ElementsAre("app/a#0 UNHEALTHY", "app/b#1 UNHEALTHY", "app/b#2 UNHEALTHY",
                                  "other/a#0 UNHEALTHY"))
      << "unhealthy until they were checked";
  const RawSocket healthy = answer(1, "200 OK");
  EXPECT_THAT(last_request_, StartsWith("GET /up HTTP/1.1\r\nhost: app\r\n"));
  const RawSocket degraded = answer(2, "200 OK", "x-envoy-degraded: \r\n");
  EXPECT_TRUE(until_told("app/b#1 HEALTHY"));
  EXPECT_TRUE(until_told("app/b#2 DEGRADED"));
  EXPECT_THAT(told(), ElementsAre("app/a#0 UNHEALTHY", "app/b#1 HEALTHY", "app/b#2 DEGRADED",
                                  "other/a#0 UNHEALTHY"));
  EXPECT_EQ(stats_.value("cluster.app.health_check.healthy"), 2u);
  ASSERT_EQ(set(""), "");
  EXPECT_THAT(told(), IsEmpty());
}

TEST_F(OrderedChecksTest, FollowsWhatChecksFind) {
  ASSERT_EQ(set(cluster("app", check(kHttp, kAgainSoon) + group("", endpoint(listeners_[0])))), "");
  RawSocket peer = answer(0, "200 OK");
  ASSERT_TRUE(until_told("app/#0 HEALTHY"));
  peer.receive_some();
  peer.send("HTTP/1.1 503 no\r\ncontent-length: 0\r\n\r\n");
  ASSERT_TRUE(until_told("app/#0 UNHEALTHY"));
  peer.receive_some();
  peer.send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
  EXPECT_TRUE(until_told("app/#0 HEALTHY"));
}

TEST_F(OrderedChecksTest, WhoDoesNotAnswerTimesOut) {
  HealthCheckSpecifier order =
      specifier(cluster("app", check(kHttp) + group("", endpoint(listeners_[0]))));
  auto& timeout = *order.mutable_cluster_health_checks(0)->mutable_health_checks(0);
  timeout.mutable_timeout()->set_seconds(0);
  timeout.mutable_timeout()->set_nanos(50'000'000);
  EXPECT_EQ(t_.run([&] { return checks_->set(order); }), "");
  EXPECT_TRUE(until_told("app/#0 TIMEOUT"));
}

TEST_F(OrderedChecksTest, WhoStaysKeepsItsStateAndItsConnection) {
  ASSERT_EQ(set(cluster("app", check(kHttp) + group("", endpoint(listeners_[0])))), "");
  RawSocket peer = answer(0, "200 OK");
  ASSERT_TRUE(until_told("app/#0 HEALTHY"));
  ASSERT_EQ(set(cluster("app", check(kHttp) +
                                   group("z", endpoint(listeners_[1]) + endpoint(listeners_[0]))) +
                cluster("new", check(kHttp) + group("", endpoint(listeners_[2])))),
            "");
  EXPECT_THAT(told(), ElementsAre("app/z#1 UNHEALTHY", "app/z#0 HEALTHY", "new/#2 UNHEALTHY"));
  const RawSocket other = answer(1, "200 OK");
  EXPECT_TRUE(until_told("app/z#1 HEALTHY"));
  EXPECT_EQ(peer.receive_some(50), "") << "it is not checked again, nor closed";
  EXPECT_EQ(stats_.value("cluster.app.health_check.attempt"), 2u);
  // Who goes is not asked again, and nobody remembers it.
  ASSERT_EQ(set(cluster("app", check(kHttp) + group("", endpoint(listeners_[1])))), "");
  EXPECT_EQ(peer.receive_some(), "");
  EXPECT_EQ(peer.last_error(), 0) << "its connection ends";
  EXPECT_EQ(stats_.value("cluster.app.health_check.healthy"), 1u);
  ASSERT_EQ(set(cluster("app", check(kHttp) + group("", endpoint(listeners_[0])))), "");
  EXPECT_THAT(told(), ElementsAre("app/#0 UNHEALTHY"));
}

TEST_F(OrderedChecksTest, AnotherCheckBeginsFromWhatWasKnown) {
  const std::string where = group("", endpoint(listeners_[0]) + endpoint(listeners_[1]));
  ASSERT_EQ(set(cluster("app", check(kHttp) + where)), "");
  const RawSocket first = answer(0, "200 OK");
  ASSERT_TRUE(until_told("app/#0 HEALTHY"));
  const RawSocket silent = listeners_[1].accept();
  const auto ask = [&](const std::string& path) {
    return set(cluster("app", check("http_health_check { path: '" + path + "' }") + where));
  };
  ASSERT_EQ(ask("/a"), "");
  EXPECT_THAT(told(), ElementsAre("app/#0 HEALTHY", "app/#1 UNHEALTHY"));
  RawSocket unanswered = listeners_[0].accept();
  EXPECT_THAT(unanswered.receive_some(), StartsWith("GET /a "));
  ASSERT_EQ(ask("/b"), "");
  EXPECT_THAT(told(), ElementsAre("app/#0 HEALTHY", "app/#1 UNHEALTHY"));
  const RawSocket last = answer(0, "404 no");
  EXPECT_THAT(last_request_, StartsWith("GET /b "));
  EXPECT_TRUE(until_told("app/#0 UNHEALTHY"));
}

TEST_F(OrderedChecksTest, AnEndpointSaysHowItIsChecked) {
  ASSERT_EQ(
      set(cluster(
          "app", check(kHttp) +
                     group("", endpoint(listeners_[0],
                                        "health_check_config { hostname: 'h.test' "
                                        "port_value: " +
                                            std::to_string(listeners_[1].address().port()) + " }") +
                                   endpoint(listeners_[2],
                                            "health_check_config { "
                                            "disable_active_health_check: true }")))),
      "");
  const RawSocket peer = answer(1, "200 OK");
  EXPECT_THAT(last_request_, StartsWith("GET /up HTTP/1.1\r\nhost: h.test\r\n"));
  EXPECT_TRUE(until_told("app/#0 HEALTHY")) << "under its own address";
  EXPECT_THAT(told(), ElementsAre("app/#0 HEALTHY", "app/#2 UNKNOWN"));
}

TEST_F(OrderedChecksTest, ByTcpAndByGrpc) {
  ASSERT_EQ(set(cluster("tcp", check("tcp_health_check { }") + group("", endpoint(listeners_[0]))) +
                cluster("grpc", check("grpc_health_check { service_name: 's' }") +
                                    group("", endpoint(listeners_[1])))),
            "");
  EXPECT_TRUE(until_told("tcp/#0 HEALTHY"));
  RawSocket peer = listeners_[1].accept();
  EXPECT_THAT(peer.receive(24), StartsWith("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
}

TEST_F(OrderedChecksTest, UnixSocketsAreToldOfByPath) {
  ASSERT_EQ(
      set(cluster("app", check("tcp_health_check { }") +
                             group("", "endpoints { address { pipe { path: '/no/where' } } }"))),
      "");
  EXPECT_THAT(told(), ElementsAre("app/@/no/where UNHEALTHY"));
}

TEST_F(OrderedChecksTest, OverTheTlsThatTheCheckChooses) {
  const tls::testing::Certificate root = tls::testing::make_root();
  const auto server = tls::testing::bare_server(root.issue({.dns = {"a.test"}}));
  const std::string socket =
      "name: 't' typed_config { "
      "[type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext] { "
      "sni: 'a.test' } }";
  const auto label = [](const std::string& value) {
    return "{ fields { key: 'way' value { string_value: '" + value + "' } } }";
  };
  ASSERT_EQ(set(cluster("app", check("tcp_health_check { }",
                                     "transport_socket_match_criteria " + label("tls")) +
                                   "transport_socket_matches { name: 'x' match " + label("tls") +
                                   " transport_socket { " + socket + " } } " +
                                   group("", endpoint(listeners_[0])))),
            "");
  TlsPeer peer(listeners_[0].accept(), *server);
  ASSERT_TRUE(peer.shake_hands());
  EXPECT_EQ(peer.session().sni(), "a.test");
  EXPECT_TRUE(until_told("app/#0 HEALTHY"));
}

TEST_F(OrderedChecksTest, WhatIsWrongIsNamedWithItsPlaceAndChangesNothing) {
  ASSERT_EQ(set(cluster("app", check(kHttp) + group("", endpoint(listeners_[0])))), "");
  const RawSocket peer = answer(0, "200 OK");
  ASSERT_TRUE(until_told("app/#0 HEALTHY"));
  const std::string where = group("", endpoint(listeners_[1]));
  const auto at = [](const std::string& ip) {
    return group("", "endpoints { " + address(ip, 1) + "}");
  };
  const std::pair<std::string, std::string> wrong[] = {
      {where, "cluster_health_checks[0].health_checks: it is not said how"},
      {check(kHttp) + check(kHttp) + where, "cluster_health_checks[0].health_checks[1]: Weir"},
      {check("") + where, "cluster_health_checks[0].health_checks[0]"},
      {"health_checks { timeout { } tcp_health_check { } } " + where,
       "cluster_health_checks[0].health_checks[0].timeout: "},
      {check("custom_health_check { name: 'envoy.health_checkers.redis' }") + where,
       "cluster_health_checks[0].health_checks[0].custom_health_check: "},
      {check(kHttp) + at("app.test"),
       "cluster_health_checks[0].locality_endpoints[0].endpoints[0].address.socket_address.address:"
       " "},
      {check(kHttp) +
           "transport_socket_matches { name: 'x' transport_socket { name: 't' "
           "typed_config { type_url: 'type.googleapis.com/no.Type' } } } " +
           where,
       "cluster_health_checks[0].transport_socket_matches[0].transport_socket.typed_config"},
      {check(kHttp) + "upstream_bind_config { freebind { value: true } } " + where,
       "cluster_health_checks[0].upstream_bind_config.freebind: "},
  };
  for (const auto& [text, error] : wrong) {
    EXPECT_THAT(set(cluster("new", text)), StartsWith(error)) << text;
    EXPECT_THAT(told(), ElementsAre("app/#0 HEALTHY")) << text;
  }
  EXPECT_THAT(set(cluster("x", check(kHttp)) + cluster("x", check(kHttp))),
              StartsWith("cluster_health_checks[1].cluster_name: "));
  EXPECT_EQ(stats_.value("cluster.app.health_check.attempt"), 1u);
}

}  // namespace
}  // namespace weir
