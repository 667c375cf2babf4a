#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "proxy/base/result.h"
#include "proxy/stats/registry.h"

namespace re2 {
class RE2;
}

namespace weir::stats {

// Which metrics a reader wants: the query of /stats (`usedonly`, `filter`, `type`).
class MetricFilter {
 public:
  static constexpr size_t kMaxPatternBytes = 1024;

  MetricFilter();  // all of them
  ~MetricFilter();
  MetricFilter(MetricFilter&&) noexcept;
  MetricFilter& operator=(MetricFilter&&) noexcept;

  // `pattern` (RE2 syntax, matched anywhere in the name) and `type` ("All", "Counters", "Gauges",
  // "Histograms") may be empty.
  static Result<MetricFilter> compile(bool used_only, std::string_view pattern,
                                      std::string_view type);

  bool accepts(const Sample& sample) const;

 private:
  bool used_only_ = false;
  std::optional<Kind> kind_;
  std::unique_ptr<const re2::RE2> pattern_;  // null: every name
};

}  // namespace weir::stats
