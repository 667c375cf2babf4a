#include "proxy/stats/filter.h"

#include <re2/re2.h>

#include <string>

namespace weir::stats {
namespace {

Result<std::optional<Kind>> kind_of_type(std::string_view type) {
  if (type.empty() || type == "All") return std::optional<Kind>();
  if (type == "Counters") return std::optional<Kind>(Kind::kCounter);
  if (type == "Gauges") return std::optional<Kind>(Kind::kGauge);
  if (type == "Histograms") return std::optional<Kind>(Kind::kHistogram);
  return Error{"bad-query", "'type' is one of All, Counters, Gauges, Histograms"};
}

}  // namespace

MetricFilter::MetricFilter() = default;
MetricFilter::~MetricFilter() = default;
MetricFilter::MetricFilter(MetricFilter&&) noexcept = default;
MetricFilter& MetricFilter::operator=(MetricFilter&&) noexcept = default;

Result<MetricFilter> MetricFilter::compile(bool used_only, std::string_view pattern,
                                           std::string_view type) {
  MetricFilter out;
  out.used_only_ = used_only;
  const Result<std::optional<Kind>> kind = kind_of_type(type);
  if (!kind) return kind.error();
  out.kind_ = *kind;
  if (pattern.empty()) return out;
  if (pattern.size() > kMaxPatternBytes)
    return Error{"bad-query", "'filter' is longer than 1024 bytes"};
  const std::string text(pattern);
  auto regex = std::make_unique<re2::RE2>(text, re2::RE2::Quiet);
  if (!regex->ok())
    return Error{"bad-query", "'filter' is no regular expression: " + regex->error()};
  out.pattern_ = std::move(regex);
  return out;
}

bool MetricFilter::accepts(const Sample& sample) const {
  if (used_only_ && !sample.used) return false;
  if (kind_ && *kind_ != sample.kind) return false;
  if (pattern_ == nullptr) return true;
  return re2::RE2::PartialMatch({sample.name.data(), sample.name.size()}, *pattern_);
}

}  // namespace weir::stats
