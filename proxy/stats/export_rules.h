#pragma once

#include <functional>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/stats/tags.h"

namespace re2 {
class RE2;
}

namespace weir::stats {

// How metrics are shown to Prometheus: what config.metrics.v3.StatsConfig may change of it.
// Immutable: any thread.
struct ExportRules {
  // Its first group goes from the name; its second, or else the first, is the tag's value.
  struct Pattern {
    std::string tag;  // as in Prometheus
    std::shared_ptr<const re2::RE2> regex;
  };
  struct Fixed {
    std::string tag;
    std::string value;
  };
  struct Buckets {
    std::function<bool(std::string_view metric)> matches;
    std::vector<double> bounds;  // rising
  };

  bool all_defaults = true;                     // use_all_default_tags
  std::set<std::string, std::less<>> defaults;  // those wanted if not all are
  std::vector<Pattern> patterns;                // in place of defaults of the same name
  std::vector<Fixed> fixed;                     // every metric has them
  std::vector<Buckets> buckets;

  TaggedName tagged(std::string_view metric) const;
  // Of a histogram: those of the first match, or kExportBounds.
  std::span<const double> bounds(std::string_view metric) const;

 private:
  bool wants_default(std::string_view tag) const;
};

}  // namespace weir::stats
