#pragma once

#include <string>

#include "proxy/stats/filter.h"
#include "proxy/stats/registry.h"

namespace weir::stats {

// Envoy's /stats: one "name: value" a line, sorted by name; a histogram as
// "name: P0(nan,1) P25(nan,2) ...", of which the first number, Envoy's value for the last flush
// interval, is always nan here because values are only kept since the start.
std::string stats_text(const Registry& registry, const MetricFilter& filter);

// Envoy's /stats?format=json.
std::string stats_json(const Registry& registry, const MetricFilter& filter);

}  // namespace weir::stats
