#include "proxy/stats_config.h"

#include <gtest/gtest.h>

#include "config/message_check.h"
#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "proxy/stats/prometheus.h"

namespace weir {
namespace {

std::shared_ptr<const StatsSettings> load(const std::string& yaml, config::Diagnostics& errors) {
  config::MessageCheck check(config::default_support());
  config::LoadOptions options;
  options.config_yaml = "stats_config: " + yaml;
  const auto bootstrap = config::load_bootstrap(options, check, errors);
  return bootstrap == nullptr ? nullptr : StatsSettings::compile(*bootstrap, errors);
}

class StatsConfigTest : public testing::Test {
 protected:
  void use(const std::string& yaml) {
    config::Diagnostics errors;
    settings_ = load(yaml, errors);
    ASSERT_EQ(errors.error_count(), 0u) << errors.items()[0].message;
    registry_.set_filter(settings_->accepts);
  }
  std::string prometheus() const {
    return stats::prometheus_text(registry_, stats::MetricFilter(), settings_->rules);
  }
  bool shows(const std::string& text) const { return prometheus().find(text) != std::string::npos; }

  stats::Registry registry_;
  std::shared_ptr<const StatsSettings> settings_;
};

TEST_F(StatsConfigTest, AFirstGroupGoesAndASecondIsTheValue) {
  use(R"({stats_tags: [{tag_name: kafka_name, regex: '^kafka(\.(\S*[0-9]))\.'}]})");
  registry_.counter("kafka.pool.7.requests");
  EXPECT_TRUE(shows("envoy_kafka_requests{kafka_name=\"pool.7\"} 0")) << prometheus();
}

TEST_F(StatsConfigTest, AnOnlyGroupIsTheValueToo) {
  use(R"({stats_tags: [{tag_name: a.b, regex: '^x\.(y\.)'}]})");
  registry_.counter("x.y.z");
  EXPECT_TRUE(shows("envoy_x_z{a_b=\"y.\"} 0")) << prometheus();
}

TEST_F(StatsConfigTest, APatternReplacesTheDefaultOfItsName) {
  use(R"({stats_tags: [{tag_name: envoy.cluster_name, regex: '^cluster\.((\w+)\|\w+\.)'}]})");
  registry_.counter("cluster.web|v1.upstream_rq_2xx");
  EXPECT_TRUE(
      shows("envoy_cluster_upstream_rq_xx{envoy_cluster_name=\"web\","
            "envoy_response_code_class=\"2\"} 0"))
      << prometheus();
}

TEST_F(StatsConfigTest, ATagOfAnotherNameStandsBesideTheDefault) {
  use(R"({stats_tags: [{tag_name: team, regex: '^cluster\.((\w+)_\w+\.)'}]})");
  registry_.counter("cluster.blue_web.upstream_rq_total");
  EXPECT_TRUE(
      shows("envoy_cluster_upstream_rq_total{team=\"blue\",envoy_cluster_name=\"blue_web\"}"))
      << prometheus();
}

TEST_F(StatsConfigTest, DefaultsMayBeLeftOut) {
  use("{use_all_default_tags: false, stats_tags: [{tag_name: envoy.response_code_class}]}");
  registry_.counter("cluster.app.upstream_rq_2xx");
  EXPECT_TRUE(shows("envoy_cluster_app_upstream_rq_xx{envoy_response_code_class=\"2\"} 0"))
      << prometheus();
}

TEST_F(StatsConfigTest, FixedTagsAreEverywhere) {
  use("{stats_tags: [{tag_name: zone, fixed_value: z1}]}");
  registry_.counter("a.b");
  registry_.gauge("c");
  EXPECT_TRUE(shows("envoy_a_b{zone=\"z1\"} 0"));
  EXPECT_TRUE(shows("envoy_c{zone=\"z1\"} 0"));
}

TEST_F(StatsConfigTest, HistogramsHaveTheBucketsOfTheFirstMatch) {
  use("{histogram_bucket_settings: [{match: {suffix: rq_time}, buckets: [20, 10]},"
      " {match: {prefix: cluster}, buckets: [7]}]}");
  registry_.main_shard().record(registry_.histogram("cluster.app.upstream_rq_time"), 12);
  registry_.main_shard().record(registry_.histogram("cluster.app.other"), 12);
  EXPECT_TRUE(shows("upstream_rq_time_bucket{envoy_cluster_name=\"app\",le=\"10\"} 0"));
  EXPECT_TRUE(shows("upstream_rq_time_bucket{envoy_cluster_name=\"app\",le=\"20\"} 1"));
  EXPECT_TRUE(shows("other_bucket{envoy_cluster_name=\"app\",le=\"7\"} 0"));
  EXPECT_FALSE(shows("le=\"25\""));
}

TEST_F(StatsConfigTest, AnExclusionListLeavesOut) {
  registry_.counter("early.secret");
  use("{stats_matcher: {exclusion_list: {patterns: [{suffix: secret}]}}}");
  registry_.counter("late.secret");
  registry_.counter("late.open");
  EXPECT_FALSE(shows("secret"));
  EXPECT_TRUE(shows("envoy_late_open"));
  registry_.main_shard().inc(registry_.counter("late.secret"));
  EXPECT_EQ(registry_.value("late.secret"), 0u);
}

TEST_F(StatsConfigTest, AnInclusionListLeavesIn) {
  use("{stats_matcher: {inclusion_list: {patterns: [{prefix: cluster_manager},"
      " {safe_regex: {regex: 'vhost.*'}}]}}}");
  registry_.counter("cluster_manager.cluster_added");
  registry_.counter("vhost.a.b");
  registry_.counter("http.a");
  EXPECT_TRUE(shows("envoy_cluster_manager_cluster_added"));
  EXPECT_TRUE(shows("envoy_vhost"));
  EXPECT_FALSE(shows("envoy_http"));
}

TEST_F(StatsConfigTest, AllMayBeRejected) {
  use("{stats_matcher: {reject_all: true}}");
  registry_.counter("a");
  EXPECT_EQ(prometheus(), "");
}

// Istio's and Kuma's bootstraps have such tags.
TEST(StatsConfig, ATagThatLooksAheadIsLeftOutWithAWarning) {
  config::Diagnostics errors;
  const auto settings = load(
      R"({stats_tags: [{tag_name: kafka_type, regex: '^kafka\..*\.(.*?(?=_duration|$))'},
                       {tag_name: kafka_name, regex: '^kafka(\.(\S*[0-9]))\.'}]})",
      errors);
  ASSERT_NE(settings, nullptr);
  EXPECT_EQ(settings->rules.patterns.size(), 1u);
  ASSERT_EQ(errors.warning_count(), 1u);
  EXPECT_EQ(errors.error_count(), 0u);
  EXPECT_EQ(errors.items()[0].field_path, "stats_config.stats_tags[0].regex");
  EXPECT_EQ(
      errors.items()[0].message,
      "the tag 'kafka_type' is left out: its expression looks around, which RE2 does not ((?=)");
}

TEST(StatsConfig, WhatIsWrongIsNamed) {
  const auto problem = [](const std::string& yaml) {
    config::Diagnostics errors;
    load(yaml, errors);
    return errors.items().empty() ? std::string()
                                  : errors.items()[0].field_path + ": " + errors.items()[0].message;
  };
  EXPECT_EQ(problem("{stats_tags: [{tag_name: a, regex: '(b'}]}"),
            "stats_config.stats_tags[0].regex: the expression is wrong: missing ): (b");
  EXPECT_EQ(problem("{stats_tags: [{tag_name: a, regex: 'b'}]}"),
            "stats_config.stats_tags[0].regex: the expression has no group");
  EXPECT_EQ(problem("{stats_tags: [{tag_name: mine}]}"),
            "stats_config.stats_tags[0]: nothing says where 'mine' is found in a name");
  EXPECT_EQ(problem("{stats_tags: [{fixed_value: b}]}"),
            "stats_config.stats_tags[0].tag_name: the tag has no name");
}

}  // namespace
}  // namespace weir
