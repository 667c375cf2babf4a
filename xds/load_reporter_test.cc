// LRS, without a network: what is told to a server that says what it wants.
#include "xds/load_reporter.h"

#include <gmock/gmock.h>

#include "envoy/service/load_stats/v3/lrs.pb.h"
#include "xds/testing/fake_wire.h"

namespace weir::xds {
namespace {

using envoy::config::endpoint::v3::ClusterStats;
using envoy::service::load_stats::v3::LoadStatsRequest;
using envoy::service::load_stats::v3::LoadStatsResponse;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

HostReport host(std::string zone, HostLoad load, uint64_t active = 0) {
  HostReport out;
  out.incarnation = std::hash<std::string>()(zone);
  out.load = load;
  out.active = active;
  out.address = "10.0.0.1";
  out.port = 80;
  out.zone = std::move(zone);
  return out;
}

LoadStatsResponse all_clusters(int seconds) {
  LoadStatsResponse out;
  out.set_send_all_clusters(true);
  out.mutable_load_reporting_interval()->set_seconds(seconds);
  return out;
}

// "z1: 2 ok, 1 failed, 3 issued, 1 active"
std::string text(const envoy::config::endpoint::v3::UpstreamLocalityStats& stats) {
  return stats.locality().zone() + ": " + std::to_string(stats.total_successful_requests()) +
         " ok, " + std::to_string(stats.total_error_requests()) + " failed, " +
         std::to_string(stats.total_issued_requests()) + " issued, " +
         std::to_string(stats.total_requests_in_progress()) + " active";
}
std::vector<std::string> localities(const ClusterStats& stats) {
  std::vector<std::string> out;
  for (const auto& one : stats.upstream_locality_stats()) out.push_back(text(one));
  return out;
}

class LoadReporterTest : public ::testing::Test {
 protected:
  LoadReporter& reporter() {
    if (reporter_ != nullptr) return *reporter_;
    LoadReporterOptions options;
    auto node = std::make_shared<envoy::config::core::v3::Node>();
    node->set_id("proxy-1");
    options.node = node;
    options.gather = [this](LoadReporterOptions::Then then) {
      if (late)
        waiting = std::move(then);
      else
        then(clusters);
    };
    options.on_event = [this](LoadEvent event, const std::string&) { ++events[event]; };
    reporter_ = std::make_unique<LoadReporter>(wire, options);
    return *reporter_;
  }
  void pass(int64_t ms) {
    wire.pass(ms, [this] { reporter().tick(); });
  }
  void order(const LoadStatsResponse& response) { wire.deliver(response.SerializeAsString()); }
  std::vector<LoadStatsRequest> take() {
    std::vector<LoadStatsRequest> out;
    for (const auto& sent : wire.sent)
      EXPECT_TRUE(out.emplace_back().ParseFromString(sent.message));
    wire.sent.clear();
    return out;
  }
  // The one cluster of the one report that was sent since.
  ClusterStats take_stats() {
    const std::vector<LoadStatsRequest> requests = take();
    EXPECT_EQ(requests.size(), 1u);
    if (requests.size() != 1 || requests[0].cluster_stats_size() != 1) return {};
    return requests[0].cluster_stats(0);
  }
  HostLoad& load(size_t cluster = 0, size_t index = 0) {
    return clusters[cluster].hosts[index].load;
  }
  // Reports of `app` go out every ten seconds.
  void begin() {
    clusters = {{.name = "app", .service_name = "eds", .hosts = {host("z1", {5, 1, 6})}}};
    reporter().start();
    order(all_clusters(10));
    take();
  }

  testing::FakeWire wire;
  std::vector<ClusterReport> clusters;
  std::map<LoadEvent, int> events;
  bool late = false;
  LoadReporterOptions::Then waiting;

 private:
  std::unique_ptr<LoadReporter> reporter_;
};

TEST_F(LoadReporterTest, SaysWhoItIsAndWhatItCan) {
  reporter().start();
  ASSERT_EQ(wire.opened.size(), 1u);
  EXPECT_EQ(wire.opened[0].service, "envoy.service.load_stats.v3.LoadReportingService");
  EXPECT_EQ(wire.opened[0].method, "StreamLoadStats");
  const std::vector<LoadStatsRequest> requests = take();
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_EQ(requests[0].node().id(), "proxy-1");
  EXPECT_THAT(requests[0].node().client_features(),
              ElementsAre("envoy.lrs.supports_send_all_clusters"));
  EXPECT_EQ(requests[0].cluster_stats_size(), 0);
  pass(100'000);
  EXPECT_THAT(take(), IsEmpty()) << "nobody said what is wanted";
}

TEST_F(LoadReporterTest, TellsWhatIsNewInEachInterval) {
  begin();
  pass(9'999);
  EXPECT_THAT(take(), IsEmpty());
  load() = {7, 2, 10};
  clusters[0].hosts[0].active = 1;
  clusters[0].refused = 3;
  pass(1);
  ClusterStats stats = take_stats();
  EXPECT_EQ(stats.cluster_name(), "app");
  EXPECT_EQ(stats.cluster_service_name(), "eds");
  EXPECT_THAT(localities(stats), ElementsAre("z1: 2 ok, 1 failed, 4 issued, 1 active"));
  EXPECT_EQ(stats.total_dropped_requests(), 3u);
  EXPECT_EQ(stats.load_report_interval().seconds(), 10);
  load() = {8, 2, 10};
  clusters[0].hosts[0].active = 0;
  pass(10'000);
  stats = take_stats();
  EXPECT_THAT(localities(stats), ElementsAre("z1: 1 ok, 0 failed, 0 issued, 0 active"));
  EXPECT_EQ(stats.total_dropped_requests(), 0u);
  pass(10'000);
  stats = take_stats();
  EXPECT_EQ(stats.cluster_name(), "app") << "told without localities when nothing happened";
  EXPECT_THAT(localities(stats), IsEmpty());
  EXPECT_EQ(events[LoadEvent::kReport], 3);
  EXPECT_EQ(events[LoadEvent::kRequest], 1);
}

TEST_F(LoadReporterTest, SumsWorkersAndKeepsLocalitiesAndPrioritiesApart) {
  begin();
  HostReport second = host("z1", {1, 0, 1});
  second.worker = 1;
  HostReport elsewhere = host("z2", {2, 0, 2});
  HostReport spare = host("z1", {4, 0, 4});
  spare.priority = 1;
  spare.incarnation = 99;
  clusters[0].hosts.insert(clusters[0].hosts.end(), {second, elsewhere, spare});
  load() = {6, 1, 7};
  pass(10'000);
  const ClusterStats stats = take_stats();
  EXPECT_THAT(localities(stats), ElementsAre("z1: 2 ok, 0 failed, 2 issued, 0 active",
                                             "z2: 2 ok, 0 failed, 2 issued, 0 active",
                                             "z1: 4 ok, 0 failed, 4 issued, 0 active"));
  EXPECT_EQ(stats.upstream_locality_stats(2).priority(), 1u);
  EXPECT_EQ(stats.upstream_locality_stats(0).upstream_endpoint_stats_size(), 0);
}

TEST_F(LoadReporterTest, EndpointsAreToldWhenTheyAreAskedFor) {
  begin();
  LoadStatsResponse response = all_clusters(10);
  response.set_report_endpoint_granularity(true);
  order(response);
  HostReport second = host("z1", {1, 0, 1});
  second.worker = 1;
  HostReport pipe = host("z1", {2, 0, 2});
  pipe.incarnation = 7;
  pipe.address = "/run/app";
  pipe.port = 0;
  clusters[0].hosts.insert(clusters[0].hosts.end(), {second, pipe});
  load() = {6, 2, 9};
  pass(10'000);
  const ClusterStats stats = take_stats();
  ASSERT_EQ(stats.upstream_locality_stats_size(), 1);
  const auto& locality = stats.upstream_locality_stats(0);
  ASSERT_EQ(locality.upstream_endpoint_stats_size(), 2);
  const auto& first = locality.upstream_endpoint_stats(0);
  EXPECT_EQ(first.address().socket_address().address(), "10.0.0.1");
  EXPECT_EQ(first.address().socket_address().port_value(), 80u);
  EXPECT_EQ(first.total_successful_requests(), 2u) << "of both workers";
  EXPECT_EQ(first.total_error_requests(), 1u);
  EXPECT_EQ(locality.upstream_endpoint_stats(1).address().pipe().path(), "/run/app");
}

TEST_F(LoadReporterTest, OnlyClustersThatAreNamed) {
  begin();
  clusters.push_back({.name = "other", .hosts = {host("z1", {1, 0, 1})}});
  LoadStatsResponse response;
  response.add_clusters("other");
  response.add_clusters("nobody");
  response.mutable_load_reporting_interval()->set_seconds(1);
  order(response);
  load(1) = {2, 0, 2};
  pass(1'000);
  const ClusterStats stats = take_stats();
  EXPECT_EQ(stats.cluster_name(), "other");
  EXPECT_THAT(localities(stats), ElementsAre("z1: 1 ok, 0 failed, 1 issued, 0 active"));
}

TEST_F(LoadReporterTest, APeriodGoesOnWhenTheServerNamesItsClusterAgain) {
  begin();
  load() = {6, 1, 7};
  pass(5'000);
  order(all_clusters(10));
  load() = {7, 1, 8};
  pass(10'000);
  const ClusterStats stats = take_stats();
  EXPECT_THAT(localities(stats), ElementsAre("z1: 2 ok, 0 failed, 2 issued, 0 active"));
  EXPECT_EQ(stats.load_report_interval().seconds(), 15);
}

TEST_F(LoadReporterTest, AClusterThatIsNewIsToldFromItsBeginning) {
  begin();
  pass(5'000);
  clusters = {{.name = "new", .refused = 1, .hosts = {host("z1", {3, 0, 3})}}};
  pass(5'000);
  const ClusterStats stats = take_stats();
  EXPECT_EQ(stats.cluster_name(), "new");
  EXPECT_THAT(localities(stats), ElementsAre("z1: 3 ok, 0 failed, 3 issued, 0 active"));
  EXPECT_EQ(stats.total_dropped_requests(), 1u);
}

// "throttle:3 lb:1"
std::string categories(const ClusterStats& stats) {
  std::string out;
  for (const auto& one : stats.dropped_requests())
    out += (out.empty() ? "" : " ") + one.category() + ":" + std::to_string(one.dropped_count());
  return out;
}

TEST_F(LoadReporterTest, WhatWasDroppedIsToldByCategoryAndWithTheRest) {
  begin();
  clusters[0].refused = 4;
  clusters[0].drops = {{0, 1, "throttle", 3}, {0, 1, "lb", 1}, {1, 2, "throttle", 2}};
  pass(10'000);
  ClusterStats stats = take_stats();
  EXPECT_EQ(categories(stats), "lb:1 throttle:5");
  EXPECT_EQ(stats.total_dropped_requests(), 10u);
  // One category goes on, one is gone, one is new.
  clusters[0].drops = {{0, 1, "throttle", 3}, {1, 2, "throttle", 4}, {1, 2, "new", 1}};
  pass(10'000);
  stats = take_stats();
  EXPECT_EQ(categories(stats), "new:1 throttle:2");
  EXPECT_EQ(stats.total_dropped_requests(), 3u);
  // A worker's cluster began anew.
  clusters[0].drops = {{0, 7, "throttle", 5}, {1, 2, "throttle", 4}, {1, 2, "new", 1}};
  pass(10'000);
  stats = take_stats();
  EXPECT_EQ(categories(stats), "throttle:5");
  EXPECT_EQ(stats.total_dropped_requests(), 5u);
  pass(10'000);
  stats = take_stats();
  EXPECT_EQ(categories(stats), "");
  EXPECT_EQ(stats.total_dropped_requests(), 0u);
}

TEST_F(LoadReporterTest, WhatWasDroppedBeforeThePeriodIsNotTold) {
  clusters = {{.name = "app", .drops = {{0, 1, "throttle", 3}}}};
  reporter().start();
  order(all_clusters(10));
  take();
  clusters[0].drops[0].requests = 4;
  pass(10'000);
  EXPECT_EQ(categories(take_stats()), "throttle:1");
}

TEST_F(LoadReporterTest, AnEndpointThatBeganAnewIsToldFromItsBeginning) {
  begin();
  clusters[0].hosts[0].incarnation = 77;
  load() = {9, 9, 18};
  pass(10'000);
  EXPECT_THAT(localities(take_stats()), ElementsAre("z1: 9 ok, 9 failed, 18 issued, 0 active"));
  load() = {1, 0, 1};
  pass(10'000);
  EXPECT_THAT(localities(take_stats()), ElementsAre("z1: 1 ok, 0 failed, 1 issued, 0 active"));
}

TEST_F(LoadReporterTest, ComesBackAndTellsWhatHappenedMeanwhile) {
  wire.random_value = 400;
  begin();
  load() = {6, 1, 7};
  wire.break_off();
  EXPECT_EQ(events[LoadEvent::kFailure], 1);
  EXPECT_FALSE(wire.is_open());
  pass(399);
  EXPECT_FALSE(wire.is_open());
  pass(1);
  EXPECT_TRUE(wire.is_open());
  EXPECT_EQ(take().size(), 1u);
  pass(60'000);
  EXPECT_THAT(take(), IsEmpty()) << "the new stream has said nothing yet";
  order(all_clusters(10));
  pass(10'000);
  EXPECT_THAT(localities(take_stats()), ElementsAre("z1: 1 ok, 0 failed, 1 issued, 0 active"));
}

TEST_F(LoadReporterTest, BackOffDoublesUntilAMessageComes) {
  wire.random_value = 1 << 20;  // of each bound, some part
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
  order(all_clusters(10));
  wire.break_off();
  EXPECT_LT(*wire.wake_at_ms - wire.now_ms(), 500);
}

TEST_F(LoadReporterTest, WhatIsNoMessageBreaksTheStream) {
  reporter().start();
  wire.deliver("\xff");
  EXPECT_FALSE(wire.is_open());
  EXPECT_EQ(events[LoadEvent::kFailure], 1);
}

TEST_F(LoadReporterTest, AnIntervalHasALeast) {
  begin();
  order(all_clusters(0));
  pass(ReportStream::kMinIntervalMs * 10);
  EXPECT_EQ(take().size(), 10u);
  order(all_clusters(-5));
  pass(ReportStream::kMinIntervalMs);
  EXPECT_EQ(take().size(), 1u);
}

TEST_F(LoadReporterTest, WhatIsGatheredTooLateIsDropped) {
  begin();
  load() = {6, 1, 7};
  late = true;
  pass(10'000);
  EXPECT_THAT(take(), IsEmpty());
  late = false;
  order(all_clusters(10));
  waiting(clusters);
  EXPECT_THAT(take(), IsEmpty()) << "it was for the interval before";
  pass(10'000);
  EXPECT_THAT(localities(take_stats()), ElementsAre("z1: 1 ok, 0 failed, 1 issued, 0 active"));
}

TEST_F(LoadReporterTest, ReportsMayBeGatheredLater) {
  begin();
  load() = {6, 1, 7};
  late = true;
  pass(10'000);
  waiting(clusters);
  EXPECT_THAT(localities(take_stats()), ElementsAre("z1: 1 ok, 0 failed, 1 issued, 0 active"));
}

}  // namespace
}  // namespace weir::xds
