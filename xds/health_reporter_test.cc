// HDS, without a network: a server that says what is to be checked, and what it is told.
#include "xds/health_reporter.h"

#include <gmock/gmock.h>

#include <map>
#include <vector>

#include "envoy/service/health/v3/hds.pb.h"
#include "xds/testing/fake_wire.h"

namespace weir::xds {
namespace {

using envoy::service::health::v3::Capability;
using envoy::service::health::v3::ClusterEndpointsHealth;
using envoy::service::health::v3::EndpointHealth;
using envoy::service::health::v3::EndpointHealthResponse;
using envoy::service::health::v3::HealthCheckRequestOrEndpointHealthResponse;
using envoy::service::health::v3::HealthCheckSpecifier;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
namespace core = envoy::config::core::v3;

HealthCheckSpecifier checks_of(const std::string& cluster, int interval_s = 0) {
  HealthCheckSpecifier out;
  out.add_cluster_health_checks()->set_cluster_name(cluster);
  if (interval_s != 0) out.mutable_interval()->set_seconds(interval_s);
  return out;
}

void add_endpoint(ClusterEndpointsHealth& to, const std::string& zone, uint32_t port,
                  core::HealthStatus status) {
  auto& locality = *to.add_locality_endpoints_health();
  locality.mutable_locality()->set_zone(zone);
  EndpointHealth& endpoint = *locality.add_endpoints_health();
  endpoint.mutable_endpoint()->mutable_address()->mutable_socket_address()->set_port_value(port);
  endpoint.set_health_status(status);
}

// "80 HEALTHY"
std::string text(const EndpointHealth& endpoint) {
  return std::to_string(endpoint.endpoint().address().socket_address().port_value()) + " " +
         core::HealthStatus_Name(endpoint.health_status());
}

class HealthReporterTest : public ::testing::Test {
 protected:
  HealthReporter& reporter() {
    if (reporter_ != nullptr) return *reporter_;
    HealthReporterOptions options;
    auto node = std::make_shared<core::Node>();
    node->set_id("proxy-1");
    options.node = node;
    options.apply = [this](const HealthCheckSpecifier& specifier) {
      const std::string& cluster = specifier.cluster_health_checks(0).cluster_name();
      if (cluster == "wrong") return std::string("it is wrong");
      applied.push_back(cluster);
      return std::string();
    };
    options.gather = [this](EndpointHealthResponse& response) {
      ClusterEndpointsHealth& cluster = *response.add_cluster_endpoints_health();
      cluster.set_cluster_name(applied.empty() ? "" : applied.back());
      add_endpoint(cluster, "a", 80, status);
      add_endpoint(cluster, "b", 81, core::TIMEOUT);
    };
    options.on_event = [this](HealthEvent event, const std::string& details) {
      ++events[event];
      last_details = details;
    };
    reporter_ = std::make_unique<HealthReporter>(wire, options);
    return *reporter_;
  }
  void pass(int64_t ms) {
    wire.pass(ms, [this] { reporter().tick(); });
  }
  void order(const HealthCheckSpecifier& specifier) { wire.deliver(specifier.SerializeAsString()); }
  std::vector<HealthCheckRequestOrEndpointHealthResponse> take() {
    std::vector<HealthCheckRequestOrEndpointHealthResponse> out;
    for (const auto& sent : wire.sent)
      EXPECT_TRUE(out.emplace_back().ParseFromString(sent.message));
    wire.sent.clear();
    return out;
  }
  // The cluster that each report since then is about.
  std::vector<std::string> take_reports() {
    std::vector<std::string> out;
    for (const auto& message : take()) {
      EXPECT_TRUE(message.has_endpoint_health_response());
      for (const auto& cluster : message.endpoint_health_response().cluster_endpoints_health())
        out.push_back(cluster.cluster_name());
    }
    return out;
  }
  void begin(int interval_s = 10) {
    reporter().start();
    order(checks_of("app", interval_s));
    take();
  }

  testing::FakeWire wire;
  std::vector<std::string> applied;
  core::HealthStatus status = core::HEALTHY;
  std::map<HealthEvent, int> events;
  std::string last_details;

 private:
  std::unique_ptr<HealthReporter> reporter_;
};

TEST_F(HealthReporterTest, SaysWhoItIsAndWhatItCanCheck) {
  reporter().start();
  ASSERT_EQ(wire.opened.size(), 1u);
  EXPECT_EQ(wire.opened[0].service, "envoy.service.health.v3.HealthDiscoveryService");
  EXPECT_EQ(wire.opened[0].method, "StreamHealthCheck");
  const auto messages = take();
  ASSERT_EQ(messages.size(), 1u);
  const auto& request = messages[0].health_check_request();
  EXPECT_EQ(request.node().id(), "proxy-1");
  EXPECT_THAT(request.capability().health_check_protocols(),
              ElementsAre(Capability::HTTP, Capability::TCP));
  pass(100'000);
  EXPECT_THAT(take(), IsEmpty()) << "nobody said what is to be checked";
}

TEST_F(HealthReporterTest, TellsHowEndpointsAreInEachInterval) {
  begin();
  pass(9'999);
  EXPECT_THAT(take(), IsEmpty());
  pass(1);
  auto messages = take();
  ASSERT_EQ(messages.size(), 1u);
  const EndpointHealthResponse& response = messages[0].endpoint_health_response();
  ASSERT_EQ(response.cluster_endpoints_health_size(), 1);
  const auto& cluster = response.cluster_endpoints_health(0);
  EXPECT_EQ(cluster.cluster_name(), "app");
  ASSERT_EQ(cluster.locality_endpoints_health_size(), 2);
  EXPECT_EQ(cluster.locality_endpoints_health(0).locality().zone(), "a");
  EXPECT_EQ(text(cluster.locality_endpoints_health(0).endpoints_health(0)), "80 HEALTHY");
  // The same as the flat list that older servers read.
  ASSERT_EQ(response.endpoints_health_size(), 2);
  EXPECT_EQ(text(response.endpoints_health(0)), "80 HEALTHY");
  EXPECT_EQ(text(response.endpoints_health(1)), "81 TIMEOUT");
  status = core::UNHEALTHY;
  pass(10'000);
  messages = take();
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(text(messages[0].endpoint_health_response().endpoints_health(0)), "80 UNHEALTHY");
  EXPECT_EQ(events[HealthEvent::kRequest], 1);
  EXPECT_EQ(events[HealthEvent::kUpdate], 1);
  EXPECT_EQ(events[HealthEvent::kResponse], 3) << "the first message counts, as in Envoy";
}

TEST_F(HealthReporterTest, ASecondIsTheDefaultAndThereIsALeastInterval) {
  reporter().start();
  order(checks_of("app"));
  take();
  pass(5'000);
  EXPECT_EQ(take().size(), 5u);
  for (const int64_t seconds : {int64_t{0}, int64_t{-7}}) {
    HealthCheckSpecifier none = checks_of("app");
    none.mutable_interval()->set_seconds(seconds);
    order(none);
    pass(ReportStream::kMinIntervalMs * 10);
    EXPECT_EQ(take().size(), 10u) << seconds;
  }
  HealthCheckSpecifier endless = checks_of("app");
  endless.mutable_interval()->set_seconds(INT64_MAX);
  order(endless);
  pass(1'000'000);
  EXPECT_THAT(take(), IsEmpty());
}

TEST_F(HealthReporterTest, WhatComesNextReplacesWhatWas) {
  begin();
  order(checks_of("other", 10));
  EXPECT_THAT(applied, ElementsAre("app", "other"));
  pass(10'000);
  EXPECT_THAT(take_reports(), ElementsAre("other"));
  EXPECT_EQ(events[HealthEvent::kUpdate], 2);
}

TEST_F(HealthReporterTest, TheSameAgainChangesNothing) {
  begin();
  order(checks_of("app", 10));
  EXPECT_THAT(applied, ElementsAre("app"));
  EXPECT_EQ(events[HealthEvent::kRequest], 2);
  EXPECT_EQ(events[HealthEvent::kUpdate], 1);
}

TEST_F(HealthReporterTest, AServerThatTalksAllTheTimeIsToldAllTheSame) {
  begin();
  for (int i = 0; i < 10; ++i) {
    pass(3'000);
    order(checks_of("app-" + std::to_string(i), 10));
  }
  EXPECT_THAT(take_reports(), ElementsAre("app-2", "app-5", "app-8"));
  // Another interval begins anew.
  order(checks_of("app", 2));
  pass(1'999);
  EXPECT_THAT(take(), IsEmpty());
  pass(1);
  EXPECT_THAT(take_reports(), ElementsAre("app"));
}

TEST_F(HealthReporterTest, WhatIsWrongIsToldAndTheLastGoodOneStays) {
  begin();
  order(checks_of("wrong", 1));
  EXPECT_EQ(events[HealthEvent::kRefused], 1);
  EXPECT_EQ(last_details, "it is wrong");
  EXPECT_EQ(events[HealthEvent::kUpdate], 1);
  EXPECT_TRUE(wire.is_open());
  pass(20'000);
  EXPECT_THAT(take_reports(), ElementsAre("app", "app")) << "at the interval of the good one";
}

TEST_F(HealthReporterTest, WithNothingGoodThereIsNothingToTell) {
  reporter().start();
  take();
  order(checks_of("wrong", 1));
  pass(20'000);
  EXPECT_THAT(take(), IsEmpty());
  order(checks_of("app", 1));
  pass(1'000);
  EXPECT_THAT(take_reports(), ElementsAre("app"));
}

TEST_F(HealthReporterTest, ComesBackAndTellsTheNextStream) {
  wire.random_value = 400;
  begin();
  wire.break_off();
  EXPECT_EQ(events[HealthEvent::kFailure], 1);
  EXPECT_EQ(last_details, "reset");
  pass(399);
  EXPECT_FALSE(wire.is_open());
  pass(1);
  EXPECT_TRUE(wire.is_open());
  const auto messages = take();
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(messages[0].health_check_request().node().id(), "proxy-1");
  pass(60'000);
  EXPECT_THAT(take(), IsEmpty()) << "the new stream has asked for nothing yet";
  // What it asks for is in force still, and is not begun anew.
  order(checks_of("app", 10));
  EXPECT_THAT(applied, ElementsAre("app"));
  pass(10'000);
  EXPECT_THAT(take_reports(), ElementsAre("app"));
}

TEST_F(HealthReporterTest, AStreamThatAsksForWhatIsWrongIsToldOfTheLastGoodOne) {
  begin();
  wire.break_off();
  pass(1'000);
  ASSERT_TRUE(wire.is_open());
  take();
  order(checks_of("wrong"));
  pass(10'000);
  EXPECT_THAT(take_reports(), ElementsAre("app"));
}

TEST_F(HealthReporterTest, BackOffDoublesUntilAMessageComes) {
  reporter().start();
  std::vector<int64_t> waits;
  for (int i = 0; i < 10; ++i) {
    wire.random_value = (int64_t{1} << 40) - 1;
    wire.break_off();
    waits.push_back(*wire.wake_at_ms - wire.now_ms());
    pass(waits.back());
  }
  for (const int64_t wait : waits) EXPECT_LE(wait, 30'000);
  EXPECT_GT(waits.back(), 500);
  order(checks_of("app"));
  wire.break_off();
  EXPECT_LT(*wire.wake_at_ms - wire.now_ms(), 500);
}

TEST_F(HealthReporterTest, WhatIsNoMessageBreaksTheStream) {
  reporter().start();
  wire.deliver("\xff");
  EXPECT_FALSE(wire.is_open());
  EXPECT_EQ(events[HealthEvent::kFailure], 1);
  EXPECT_EQ(events[HealthEvent::kRequest], 0);
}

TEST_F(HealthReporterTest, WhoDoesNotReadIsNotSentMore) {
  begin();
  wire.full = true;
  pass(30'000);
  EXPECT_THAT(take(), IsEmpty());
  wire.full = false;
  pass(10'000);
  EXPECT_THAT(take_reports(), ElementsAre("app"));
}

}  // namespace
}  // namespace weir::xds
