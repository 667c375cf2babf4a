#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "config/bootstrap.h"
#include "config/diagnostic.h"
#include "proxy/stats/export_rules.h"

namespace weir {

// config.metrics.v3.StatsConfig, compiled. Immutable.
struct StatsSettings {
  stats::ExportRules rules;
  std::function<bool(std::string_view metric)> accepts;  // stats_matcher; empty: all

  // Of a bootstrap, with Envoy's defaults for what it does not say. What is wrong is in the
  // diagnostics.
  static std::shared_ptr<const StatsSettings> compile(const config::Bootstrap& bootstrap,
                                                      config::Diagnostics& diagnostics);
};

}  // namespace weir
