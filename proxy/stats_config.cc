#include "proxy/stats_config.h"

#include <re2/re2.h>

#include <algorithm>
#include <cctype>
#include <utility>

#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "envoy/config/metrics/v3/stats.pb.h"
#include "proxy/http/string_match.h"

namespace weir {
namespace {

namespace metricsv3 = envoy::config::metrics::v3;
using config::Code;
using config::Diagnostics;
using config::FieldPath;
using Matches = std::vector<http::StringMatch>;

// As a label in Prometheus.
std::string label_of(std::string name) {
  std::replace_if(
      name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
  return name;
}

void read_tag(const metricsv3::TagSpecifier& in, const FieldPath& path, stats::ExportRules& out,
              Diagnostics& diagnostics) {
  const std::string tag = label_of(in.tag_name());
  if (tag.empty())
    return diagnostics.error(Code::kConstraint, path.field("tag_name"), "the tag has no name");
  if (in.tag_value_case() == metricsv3::TagSpecifier::kFixedValue) {
    out.fixed.push_back({tag, in.fixed_value()});
    return;
  }
  if (in.regex().empty()) {
    if (!stats::is_default_tag(tag))
      return diagnostics.error(Code::kConstraint, path,
                               "nothing says where '" + in.tag_name() + "' is found in a name",
                               "set regex or fixed_value: it is none of the default tags");
    out.defaults.insert(tag);
    return;
  }
  auto regex = std::make_shared<const re2::RE2>(in.regex(), re2::RE2::Quiet);
  // What control planes write for Envoy's engine must not keep the whole process from starting.
  if (regex->error_code() == re2::RE2::ErrorBadPerlOp)
    return diagnostics.warning(Code::kNotSupported, path.field("regex"),
                               "the tag '" + in.tag_name() +
                                   "' is left out: its expression looks " +
                                   "around, which RE2 does not (" + regex->error_arg() + ")",
                               "what it would take stays part of the metric's name");
  if (!regex->ok())
    return diagnostics.error(Code::kInvalidValue, path.field("regex"),
                             "the expression is wrong: " + regex->error());
  if (regex->NumberOfCapturingGroups() == 0)
    return diagnostics.error(
        Code::kSemantic, path.field("regex"), "the expression has no group",
        "its first group goes from the name; the second, or else the first, is "
        "the tag's value");
  out.patterns.push_back({tag, std::move(regex)});
}

void read_buckets(const metricsv3::HistogramBucketSettings& in, const FieldPath& path,
                  stats::ExportRules& out, Diagnostics& diagnostics) {
  auto match = http::StringMatch::compile(in.match(), path.field("match"), diagnostics);
  if (!match) return;
  stats::ExportRules::Buckets rule;
  rule.matches = [match = std::move(*match)](std::string_view metric) {
    return match.matches(metric);
  };
  rule.bounds.assign(in.buckets().begin(), in.buckets().end());
  std::sort(rule.bounds.begin(), rule.bounds.end());
  out.buckets.push_back(std::move(rule));
}

std::shared_ptr<const Matches> read_list(const envoy::type::matcher::v3::ListStringMatcher& in,
                                         const FieldPath& path, Diagnostics& diagnostics) {
  auto out = std::make_shared<Matches>();
  const FieldPath patterns = path.field("patterns");
  for (int i = 0; i < in.patterns_size(); ++i)
    if (auto match = http::StringMatch::compile(in.patterns(i), patterns.at(i), diagnostics))
      out->push_back(std::move(*match));
  return out;
}

std::function<bool(std::string_view)> read_matcher(const metricsv3::StatsMatcher& in,
                                                   const FieldPath& path,
                                                   Diagnostics& diagnostics) {
  if (in.has_reject_all()) {
    if (!in.reject_all()) return {};
    return [](std::string_view) { return false; };
  }
  const bool including = in.has_inclusion_list();
  const auto list = including
                        ? read_list(in.inclusion_list(), path.field("inclusion_list"), diagnostics)
                        : read_list(in.exclusion_list(), path.field("exclusion_list"), diagnostics);
  return [including, list](std::string_view metric) {
    const bool found = std::any_of(list->begin(), list->end(), [&](const http::StringMatch& match) {
      return match.matches(metric);
    });
    return found == including;
  };
}

}  // namespace

std::shared_ptr<const StatsSettings> StatsSettings::compile(const config::Bootstrap& bootstrap,
                                                            Diagnostics& diagnostics) {
  auto out = std::make_shared<StatsSettings>();
  const metricsv3::StatsConfig& in = bootstrap.stats_config();
  const FieldPath path = FieldPath::root("stats_config");
  if (in.has_use_all_default_tags()) out->rules.all_defaults = in.use_all_default_tags().value();
  const FieldPath tags = path.field("stats_tags");
  for (int i = 0; i < in.stats_tags_size(); ++i)
    read_tag(in.stats_tags(i), tags.at(i), out->rules, diagnostics);
  const FieldPath buckets = path.field("histogram_bucket_settings");
  for (int i = 0; i < in.histogram_bucket_settings_size(); ++i)
    read_buckets(in.histogram_bucket_settings(i), buckets.at(i), out->rules, diagnostics);
  if (in.has_stats_matcher())
    out->accepts = read_matcher(in.stats_matcher(), path.field("stats_matcher"), diagnostics);
  return out;
}

}  // namespace weir
