#pragma once

#include <string>

#include "proxy/stats/export_rules.h"
#include "proxy/stats/filter.h"
#include "proxy/stats/registry.h"

namespace weir::stats {

// The metrics in Prometheus' text format (version 0.0.4), under Envoy's names and with Envoy's
// tags (tags.h) as labels, as far as the rules do not say otherwise.
std::string prometheus_text(const Registry& registry, const MetricFilter& filter,
                            const ExportRules& rules = {});

inline constexpr const char* kPrometheusContentType = "text/plain; version=0.0.4; charset=utf-8";

}  // namespace weir::stats
