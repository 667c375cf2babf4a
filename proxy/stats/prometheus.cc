#include "proxy/stats/prometheus.h"

#include <prometheus/client_metric.h>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <map>
#include <sstream>
#include <tuple>
#include <vector>

#include "proxy/stats/quantile.h"

namespace weir::stats {
namespace {

prometheus::MetricType type_of(Kind kind) {
  switch (kind) {
    case Kind::kCounter:
      return prometheus::MetricType::Counter;
    case Kind::kGauge:
      return prometheus::MetricType::Gauge;
    case Kind::kHistogram:
      return prometheus::MetricType::Histogram;
  }
  return prometheus::MetricType::Untyped;
}

prometheus::ClientMetric::Histogram histogram_of(const Sample& sample,
                                                 std::span<const double> bounds) {
  prometheus::ClientMetric::Histogram out;
  out.sample_count = sample.value;
  out.sample_sum = static_cast<double>(sample.sum);
  for (const double bound : bounds)
    out.bucket.push_back({count_at_most(sample.buckets, bound), bound});
  return out;
}

prometheus::ClientMetric metric_of(const Sample& sample, std::vector<Tag> tags,
                                   const ExportRules& rules) {
  prometheus::ClientMetric out;
  for (Tag& tag : tags) out.label.push_back({std::string(tag.name), std::move(tag.value)});
  switch (sample.kind) {
    case Kind::kCounter:
      out.counter.value = static_cast<double>(sample.value);
      break;
    case Kind::kGauge:
      out.gauge.value = static_cast<double>(static_cast<int64_t>(sample.value));
      break;
    case Kind::kHistogram:
      out.histogram = histogram_of(sample, rules.bounds(sample.name));
      break;
  }
  return out;
}

}  // namespace

std::string prometheus_text(const Registry& registry, const MetricFilter& filter,
                            const ExportRules& rules) {
  std::map<std::pair<std::string, Kind>, prometheus::MetricFamily> families;
  registry.for_each([&](const Sample& sample) {
    if (!filter.accepts(sample)) return;
    TaggedName tagged = rules.tagged(sample.name);
    std::string name = prometheus_name(tagged.name);
    prometheus::MetricFamily& family = families[{name, sample.kind}];
    family.name = std::move(name);
    family.type = type_of(sample.kind);
    family.metric.push_back(metric_of(sample, std::move(tagged.tags), rules));
  });
  std::vector<prometheus::MetricFamily> list;
  list.reserve(families.size());
  for (auto& [key, family] : families) list.push_back(std::move(family));
  std::ostringstream out;
  prometheus::TextSerializer().Serialize(out, list);
  return std::move(out).str();
}

}  // namespace weir::stats
