// Ejections by a clock of the test's own.
#include "proxy/upstream/outlier_detector.h"

#include <gtest/gtest.h>

#include "proxy/net/testing/loop_thread.h"

namespace weir::upstream {
namespace {

using Note = FeedbackBox::Note;
using Origin = HostFeedback::Origin;

class OutlierTest : public testing::Test {
 protected:
  OutlierTest() {
    config_.base_ejection_ms = 1'000;
    config_.max_ejection_ms = 3'000;
    config_.max_ejection_percent = 100;
    config_.enforcing.fill(100);
  }

  void open(size_t hosts) {
    shared_ = std::make_shared<const OutlierConfig>(config_);
    detector_ =
        std::make_unique<OutlierDetector>(shared_, registry_, "c", [this] { return random_; });
    for (size_t i = 0; i < hosts; ++i) add(std::to_string(i));
    detector_->set_hosts(hosts_);
  }
  void add(const std::string& key) {
    hosts_[key] = std::make_shared<HostFeedback>(box_, key, shared_);
  }
  HostFeedback& host(size_t i) { return *hosts_[std::to_string(i)]; }
  bool ejected(size_t i) const { return detector_->ejected(std::to_string(i)); }
  bool fail(size_t i, Ejection kind = Ejection::kConsecutive5xx) {
    return detector_->on_consecutive(std::to_string(i), kind, now_ms_);
  }
  // What the host's workers have posted.
  std::vector<Note> notes() {
    t_.run([] {});
    return std::exchange(notes_, {});
  }
  void respond(size_t i, uint16_t status, int times) {
    for (int n = 0; n < times; ++n) host(i).on_response(status);
  }
  bool sweep_after(int64_t ms) {
    now_ms_ += ms;
    return detector_->sweep(now_ms_);
  }
  uint64_t stat(const std::string& name) {
    return registry_.value("cluster.c.outlier_detection.ejections_" + name);
  }

  std::vector<Note> notes_;
  net::LoopThread t_;  // before the notes go
  const std::shared_ptr<FeedbackBox> box_ = std::make_shared<FeedbackBox>(
      t_.loop(), [this](const std::string&, Note note) { notes_.push_back(note); });
  stats::Registry registry_;
  OutlierConfig config_;
  std::shared_ptr<const OutlierConfig> shared_;
  OutlierDetector::Hosts hosts_;
  std::unique_ptr<OutlierDetector> detector_;
  int64_t now_ms_ = 1'000'000;
  uint64_t random_ = 0;
};

// ---- what workers count ----

TEST_F(OutlierTest, FailuresInARowAreToldOnce) {
  config_.consecutive_5xx = 3;
  config_.consecutive_gateway_failure = 2;
  open(1);
  respond(0, 500, 2);
  respond(0, 200, 1);
  respond(0, 500, 2);
  EXPECT_TRUE(notes().empty());
  respond(0, 500, 1);
  EXPECT_EQ(notes(), std::vector<Note>{Note::k5xx});
  respond(0, 500, 10);
  EXPECT_TRUE(notes().empty());
  // A 500 is none of a gateway, and ends their row.
  respond(0, 503, 1);
  respond(0, 500, 1);
  respond(0, 502, 1);
  EXPECT_TRUE(notes().empty());
  respond(0, 504, 1);
  EXPECT_EQ(notes(), std::vector<Note>{Note::kGatewayFailure});
}

TEST_F(OutlierTest, OwnFailuresCountAsTheServersUnlessTheyAreToldApart) {
  config_.consecutive_5xx = 3;
  config_.consecutive_gateway_failure = 10;
  open(1);
  host(0).on_connected();  // the response is still to come
  host(0).on_broken();
  host(0).on_timeout();
  host(0).on_connected();
  host(0).on_broken();
  EXPECT_EQ(notes(), std::vector<Note>{Note::k5xx});
  host(0).on_relay();
  EXPECT_EQ(host(0).take_window(Origin::kExternal).total, 4u);
  EXPECT_EQ(host(0).take_window(Origin::kLocal).total, 0u);
}

TEST_F(OutlierTest, OwnFailuresToldApart) {
  config_.split_local_origin = true;
  config_.consecutive_5xx = 1;
  config_.consecutive_local_origin_failure = 2;
  open(1);
  host(0).on_broken();
  host(0).on_connected();
  host(0).on_timeout();
  host(0).on_broken();
  EXPECT_EQ(notes(), std::vector<Note>{Note::kLocalOriginFailure});
  host(0).on_relay();
  const HostFeedback::Window window = host(0).take_window(Origin::kLocal);
  EXPECT_EQ(window.total, 5u);
  EXPECT_EQ(window.successes, 2u);
  EXPECT_EQ(host(0).take_window(Origin::kExternal).total, 0u);
}

TEST_F(OutlierTest, ZeroInARowIsNever) {
  config_.consecutive_5xx = 0;
  config_.consecutive_gateway_failure = 0;
  open(1);
  respond(0, 503, 100);
  EXPECT_TRUE(notes().empty());
}

// ---- ejections ----

TEST_F(OutlierTest, OutAndBackAndOutForLonger) {
  open(2);
  EXPECT_TRUE(fail(0));
  EXPECT_TRUE(ejected(0));
  EXPECT_FALSE(ejected(1));
  EXPECT_EQ(detector_->take_ejected(), std::vector<std::string>{"0"});
  EXPECT_EQ(stat("active"), 1u);
  EXPECT_EQ(stat("total"), 1u);
  EXPECT_EQ(stat("enforced_total"), 1u);
  EXPECT_EQ(stat("detected_consecutive_5xx"), 1u);
  EXPECT_EQ(stat("enforced_consecutive_5xx"), 1u);
  EXPECT_FALSE(fail(0)) << "it is out already";
  EXPECT_FALSE(sweep_after(999));
  EXPECT_TRUE(ejected(0));
  EXPECT_TRUE(sweep_after(1));
  EXPECT_FALSE(ejected(0));
  EXPECT_EQ(stat("active"), 0u);
  fail(0);
  EXPECT_FALSE(sweep_after(1'999));
  EXPECT_TRUE(sweep_after(1));
  for (int i = 0; i < 5; ++i) {
    fail(0);
    EXPECT_FALSE(sweep_after(2'999));
    EXPECT_TRUE(sweep_after(1)) << "never longer than max_ejection_time";
  }
}

TEST_F(OutlierTest, GoodTimesMakeTheNextEjectionShorter) {
  open(2);
  fail(0);
  sweep_after(1'000);
  sweep_after(1'000);  // an interval within: back to the base time
  fail(0);
  EXPECT_TRUE(sweep_after(1'000));
}

TEST_F(OutlierTest, Jitter) {
  config_.max_ejection_jitter_ms = 500;
  open(2);
  random_ = 99;  // within the 100 percent that are enforced, and the jitter
  fail(0);
  EXPECT_FALSE(sweep_after(1'098));
  EXPECT_TRUE(sweep_after(1));
}

TEST_F(OutlierTest, OnlySoManyPercentAreOut) {
  config_.max_ejection_percent = 50;
  open(4);
  EXPECT_TRUE(fail(0));
  EXPECT_TRUE(fail(1));
  EXPECT_FALSE(fail(2));
  EXPECT_EQ(stat("overflow"), 1u);
  EXPECT_EQ(stat("active"), 2u);
  EXPECT_EQ(stat("detected_consecutive_5xx"), 3u);
}

TEST_F(OutlierTest, OneIsAlwaysAllowedWhereTheConfigSaysSo) {
  config_.max_ejection_percent = 10;
  open(3);
  EXPECT_FALSE(fail(0)) << "a third is more than a tenth";
  config_.always_eject_one = true;
  open(3);
  EXPECT_TRUE(fail(0));
  EXPECT_FALSE(fail(1));
}

TEST_F(OutlierTest, DetectedButNotEnforced) {
  config_.enforcing[static_cast<size_t>(Ejection::kConsecutiveGatewayFailure)] = 0;
  open(2);
  EXPECT_FALSE(fail(0, Ejection::kConsecutiveGatewayFailure));
  EXPECT_EQ(stat("detected_consecutive_gateway_failure"), 1u);
  EXPECT_EQ(stat("enforced_consecutive_gateway_failure"), 0u);
  EXPECT_TRUE(fail(0, Ejection::kConsecutiveLocalOriginFailure));
  EXPECT_EQ(stat("enforced_consecutive_local_origin_failure"), 1u);
}

TEST_F(OutlierTest, APassedHealthCheckBringsItBack) {
  open(2);
  fail(0);
  EXPECT_TRUE(detector_->on_check_passed("0"));
  EXPECT_FALSE(ejected(0));
  EXPECT_FALSE(detector_->on_check_passed("0"));
  config_.uneject_on_check = false;
  open(2);
  fail(0);
  EXPECT_FALSE(detector_->on_check_passed("0"));
  EXPECT_TRUE(ejected(0));
}

TEST_F(OutlierTest, WhoStaysStaysOutAndWhoGoesIsForgotten) {
  open(3);
  fail(0);
  fail(1);
  hosts_.erase("1");
  detector_->set_hosts(hosts_);
  EXPECT_TRUE(ejected(0));
  EXPECT_FALSE(ejected(1));
  EXPECT_EQ(stat("active"), 1u);
  EXPECT_FALSE(fail(1)) << "it is no more";
}

TEST_F(OutlierTest, AFailureThatBringsItOutIsNotCountedAgain) {
  config_.consecutive_5xx = 2;
  open(2);
  respond(0, 500, 2);
  EXPECT_EQ(notes().size(), 1u);
  fail(0);
  sweep_after(1'000);
  respond(0, 500, 1);
  EXPECT_TRUE(notes().empty());
  respond(0, 500, 1);
  EXPECT_EQ(notes().size(), 1u);
}

// ---- comparisons ----

TEST_F(OutlierTest, FarBelowTheMeanIsOut) {
  open(6);
  for (size_t i = 0; i < 6; ++i) respond(i, 200, 100);
  respond(3, 500, 100);
  EXPECT_TRUE(sweep_after(10));
  for (size_t i = 0; i < 6; ++i) EXPECT_EQ(ejected(i), i == 3) << i;
  EXPECT_EQ(detector_->success_rate("3", Origin::kExternal), 50);
  EXPECT_EQ(detector_->success_rate("0", Origin::kExternal), 100);
  EXPECT_EQ(detector_->success_rate("0", Origin::kLocal), -1);
  EXPECT_EQ(stat("detected_success_rate"), 1u);
  EXPECT_EQ(stat("enforced_success_rate"), 1u);
  // The next interval has seen nothing.
  EXPECT_FALSE(sweep_after(10));
  EXPECT_EQ(detector_->success_rate("0", Origin::kExternal), -1);
}

TEST_F(OutlierTest, TooFewHostsOrRequestsProveNothing) {
  open(4);
  for (size_t i = 0; i < 4; ++i) respond(i, i == 0 ? 500 : 200, 1'000);
  EXPECT_FALSE(sweep_after(10));
  open(6);
  for (size_t i = 0; i < 6; ++i) respond(i, i == 0 ? 500 : 200, 40);
  EXPECT_FALSE(sweep_after(10));
}

TEST_F(OutlierTest, TooManyFailuresInPercent) {
  config_.failure_percentage_threshold = 40;
  config_.failure_percentage_min_hosts = 2;
  config_.failure_percentage_volume = 10;
  open(3);
  for (size_t i = 0; i < 3; ++i) respond(i, 200, 6);
  respond(0, 500, 3);
  respond(1, 500, 4);  // just as many as are too many
  respond(2, 200, 4);
  EXPECT_TRUE(sweep_after(10));
  EXPECT_FALSE(ejected(0)) << "nine requests are too few";
  EXPECT_FALSE(ejected(2));
  EXPECT_TRUE(ejected(1));
  EXPECT_EQ(stat("enforced_failure_percentage"), 1u);
}

TEST_F(OutlierTest, OwnFailuresAreComparedApart) {
  config_.split_local_origin = true;
  config_.failure_percentage_min_hosts = 1;
  config_.failure_percentage_volume = 10;
  config_.consecutive_local_origin_failure = 0;
  open(2);
  for (int i = 0; i < 10; ++i) host(0).on_broken();
  for (int i = 0; i < 10; ++i) host(1).on_connected();
  EXPECT_TRUE(sweep_after(10));
  EXPECT_TRUE(ejected(0));
  EXPECT_FALSE(ejected(1));
  EXPECT_EQ(stat("enforced_failure_percentage_local_origin"), 1u);
  EXPECT_EQ(detector_->success_rate("0", Origin::kLocal), 0);
}

}  // namespace
}  // namespace weir::upstream
