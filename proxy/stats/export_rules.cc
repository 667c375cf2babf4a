#include "proxy/stats/export_rules.h"

#include <re2/re2.h>

#include <algorithm>

#include "proxy/stats/quantile.h"

namespace weir::stats {

bool ExportRules::wants_default(std::string_view tag) const {
  const bool replaced = std::any_of(patterns.begin(), patterns.end(),
                                    [&](const Pattern& pattern) { return pattern.tag == tag; });
  return !replaced && (all_defaults || defaults.contains(tag));
}

TaggedName ExportRules::tagged(std::string_view metric) const {
  TagParts parts;
  for (const Pattern& pattern : patterns) {
    re2::StringPiece groups[3];
    const int count = std::min(pattern.regex->NumberOfCapturingGroups(), 2);
    const re2::StringPiece text(metric.data(), metric.size());
    if (!pattern.regex->Match(text, 0, text.size(), re2::RE2::UNANCHORED, groups, count + 1))
      continue;
    const re2::StringPiece& gone = groups[1];
    if (gone.data() == nullptr) continue;
    const re2::StringPiece& value = count == 2 && groups[2].data() != nullptr ? groups[2] : gone;
    parts.tags.push_back({pattern.tag, std::string(value.data(), value.size())});
    const auto at = static_cast<size_t>(gone.data() - metric.data());
    parts.gone.emplace_back(at, at + gone.size());
  }
  find_tags(
      metric, [this](std::string_view tag) { return wants_default(tag); }, parts);
  for (const Fixed& one : fixed) parts.tags.push_back({one.tag, one.value});
  return join_tags(metric, std::move(parts));
}

std::span<const double> ExportRules::bounds(std::string_view metric) const {
  for (const Buckets& rule : buckets)
    if (rule.matches(metric)) return rule.bounds;
  return kExportBounds;
}

}  // namespace weir::stats
