// The renderings of a registry: text, JSON, Prometheus; and what they are made with.

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "proxy/stats/filter.h"
#include "proxy/stats/prometheus.h"
#include "proxy/stats/quantile.h"
#include "proxy/stats/text.h"

namespace weir::stats {
namespace {

class RenderTest : public testing::Test {
 protected:
  RenderTest() : shard_(registry_.new_shard()) {
    shard_.inc(registry_.counter("cluster.app.upstream_rq_total"), 7);
    shard_.inc(registry_.counter("cluster.db.upstream_rq_total"), 2);
    shard_.inc(registry_.counter("cluster.app.upstream_rq_2xx"), 6);
    registry_.counter("cluster.app.upstream_rq_timeout");
    shard_.add(registry_.gauge("cluster.app.upstream_cx_active"), -1);
    const HistogramId time = registry_.histogram("cluster.app.upstream_rq_time");
    for (uint64_t ms = 1; ms <= 100; ++ms) shard_.record(time, ms);
    registry_.histogram("cluster.db.upstream_rq_time");
  }

  MetricFilter filter(bool used_only, std::string_view pattern, std::string_view type = "") {
    return MetricFilter::compile(used_only, pattern, type).take();
  }

  Registry registry_;
  Shard& shard_;
};

TEST_F(RenderTest, TextIsSortedAndHasQuantiles) {
  const std::string text = stats_text(registry_, MetricFilter());
  EXPECT_EQ(text.find("cluster.app.upstream_cx_active: -1\n"), 0u);
  EXPECT_NE(text.find("\ncluster.app.upstream_rq_timeout: 0\n"), std::string::npos);
  EXPECT_NE(text.find("cluster.app.upstream_rq_time: P0(nan,1) P25(nan,25) P50(nan,5"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("P99.5(nan,"), std::string::npos);
  EXPECT_NE(text.find("cluster.db.upstream_rq_time: No recorded values\n"), std::string::npos);
}

TEST_F(RenderTest, FiltersApply) {
  EXPECT_EQ(stats_text(registry_, filter(true, "app.*_rq_t", "Counters")),
            "cluster.app.upstream_rq_total: 7\n");
  EXPECT_EQ(stats_text(registry_, filter(false, "", "Gauges")),
            "cluster.app.upstream_cx_active: -1\n");
  EXPECT_EQ(stats_text(registry_, filter(true, "timeout")), "");
}

TEST_F(RenderTest, BadFiltersAreErrors) {
  EXPECT_NE(MetricFilter::compile(false, "(", "").error().message.find("no regular expression"),
            std::string::npos);
  EXPECT_FALSE(MetricFilter::compile(false, "", "Sums").ok());
  EXPECT_FALSE(MetricFilter::compile(false, std::string(1025, 'a'), "").ok());
}

TEST_F(RenderTest, JsonHasTheShapeOfEnvoys) {
  const auto json = nlohmann::json::parse(stats_json(registry_, MetricFilter()));
  const auto& stats = json["stats"];
  EXPECT_EQ(stats[0]["name"], "cluster.app.upstream_cx_active");
  EXPECT_EQ(stats[0]["value"], -1);
  const auto& histograms = stats.back()["histograms"];
  EXPECT_EQ(histograms["supported_quantiles"].size(), kQuantiles.size());
  EXPECT_EQ(histograms["supported_quantiles"][7], 99.5);
  const auto& computed = histograms["computed_quantiles"];
  EXPECT_EQ(computed[0]["name"], "cluster.app.upstream_rq_time");
  EXPECT_EQ(computed[0]["values"].size(), kQuantiles.size());
  EXPECT_EQ(computed[0]["values"][0]["cumulative"], 1);
  EXPECT_TRUE(computed[1]["values"][0]["cumulative"].is_null());
  EXPECT_EQ(stats_json(registry_, filter(true, "nothing")), "{\"stats\":[]}");
}

TEST_F(RenderTest, PrometheusGroupsFamilies) {
  const std::string text = prometheus_text(registry_, MetricFilter());
  EXPECT_NE(text.find("# TYPE envoy_cluster_upstream_rq_total counter\n"
                      "envoy_cluster_upstream_rq_total{envoy_cluster_name=\"app\"} 7\n"
                      "envoy_cluster_upstream_rq_total{envoy_cluster_name=\"db\"} 2\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("envoy_cluster_upstream_cx_active{envoy_cluster_name=\"app\"} -1\n"),
            std::string::npos);
  EXPECT_NE(text.find("envoy_cluster_upstream_rq_xx{envoy_response_code_class=\"2\","
                      "envoy_cluster_name=\"app\"} 6\n"),
            std::string::npos);
}

TEST_F(RenderTest, PrometheusHistogramIsCumulative) {
  const std::string text = prometheus_text(registry_, filter(true, "upstream_rq_time"));
  const std::string name = "envoy_cluster_upstream_rq_time";
  const std::string labels = "{envoy_cluster_name=\"app\"";
  EXPECT_NE(text.find(name + "_count" + labels + "} 100\n"), std::string::npos) << text;
  EXPECT_NE(text.find(name + "_sum" + labels + "} 5050\n"), std::string::npos);
  EXPECT_NE(text.find(name + "_bucket" + labels + ",le=\"0.5\"} 0\n"), std::string::npos);
  EXPECT_NE(text.find(name + "_bucket" + labels + ",le=\"10\"} 10\n"), std::string::npos);
  EXPECT_NE(text.find(name + "_bucket" + labels + ",le=\"50\"} 50\n"), std::string::npos);
  EXPECT_NE(text.find(name + "_bucket" + labels + ",le=\"+Inf\"} 100\n"), std::string::npos);
}

TEST(QuantileTest, StaysWithinABucketOfTheTruth) {
  std::vector<uint64_t> buckets(Histogram::kBuckets, 0);
  for (uint64_t value = 1; value <= 10'000; ++value) ++buckets[Histogram::bucket_of(value)];
  for (const double q : {0.01, 0.25, 0.5, 0.9, 0.99, 0.999})
    EXPECT_NEAR(quantile(buckets, q), q * 10'000, q * 10'000 * 0.0625) << q;
  EXPECT_EQ(quantile(buckets, 0), 1);
  EXPECT_TRUE(std::isnan(quantile(std::vector<uint64_t>(Histogram::kBuckets, 0), 0.5)));
}

TEST(QuantileTest, CountsAreMonotoneAndComplete) {
  std::vector<uint64_t> buckets(Histogram::kBuckets, 3);
  uint64_t last = 0;
  for (double bound = 0.5; bound < 4e12; bound *= 1.3) {
    const uint64_t count = count_at_most(buckets, bound);
    ASSERT_GE(count, last);
    last = count;
  }
  EXPECT_EQ(last, 3u * Histogram::kBuckets);
}

}  // namespace
}  // namespace weir::stats
