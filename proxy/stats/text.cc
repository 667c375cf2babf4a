#include "proxy/stats/text.h"

#include <cstdint>

#include "proxy/stats/quantile.h"

namespace weir::stats {
namespace {

std::string value_text(const Sample& sample) {
  return sample.kind == Kind::kGauge ? std::to_string(static_cast<int64_t>(sample.value))
                                     : std::to_string(sample.value);
}

void append_quantiles(const Sample& sample, std::string& out) {
  if (!sample.used) {
    out += " No recorded values";
    return;
  }
  for (const double q : kQuantiles) {
    out += " P" + number_text(q * 100) + "(nan,";
    out += number_text(quantile(sample.buckets, q)) + ")";
  }
}

// Names are of the registry's alphabet, which JSON needs no escapes for.
std::string json_name(const Sample& sample) {
  return "{\"name\":\"" + std::string(sample.name) + "\"";
}

std::string json_histogram(const Sample& sample) {
  std::string out = json_name(sample) + ",\"values\":[";
  for (const double q : kQuantiles) {
    if (out.back() == '}') out += ',';
    const std::string value = sample.used ? number_text(quantile(sample.buckets, q)) : "null";
    out += "{\"interval\":null,\"cumulative\":" + value + "}";
  }
  return out + "]}";
}

std::string json_supported_quantiles() {
  std::string out;
  for (const double q : kQuantiles) out += (out.empty() ? "" : ",") + number_text(q * 100);
  return out;
}

}  // namespace

std::string stats_text(const Registry& registry, const MetricFilter& filter) {
  std::string out;
  registry.for_each([&](const Sample& sample) {
    if (!filter.accepts(sample)) return;
    out += sample.name;
    out += ':';
    if (sample.kind == Kind::kHistogram) {
      append_quantiles(sample, out);
    } else {
      out += ' ' + value_text(sample);
    }
    out += '\n';
  });
  return out;
}

std::string stats_json(const Registry& registry, const MetricFilter& filter) {
  std::string values;
  std::string histograms;
  registry.for_each([&](const Sample& sample) {
    if (!filter.accepts(sample)) return;
    if (sample.kind == Kind::kHistogram) {
      histograms += (histograms.empty() ? "" : ",") + json_histogram(sample);
    } else {
      values += (values.empty() ? "" : ",") + json_name(sample) +
                ",\"value\":" + value_text(sample) + "}";
    }
  });
  if (!histograms.empty()) {
    values += (values.empty() ? "" : ",");
    values += "{\"histograms\":{\"supported_quantiles\":[" + json_supported_quantiles() +
              "],\"computed_quantiles\":[" + histograms + "]}}";
  }
  return "{\"stats\":[" + values + "]}";
}

}  // namespace weir::stats
