#pragma once

#include <string>

#include "proxy/stats/filter.h"
#include "proxy/stats/registry.h"

namespace weir::stats {

// The metrics in Prometheus' text format (version 0.0.4), under Envoy's names and with Envoy's
// tags (tags.h) as labels. Histograms have the buckets of kExportBounds.
std::string prometheus_text(const Registry& registry, const MetricFilter& filter);

inline constexpr const char* kPrometheusContentType = "text/plain; version=0.0.4; charset=utf-8";

}  // namespace weir::stats
