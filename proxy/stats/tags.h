#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::stats {

struct Tag {
  std::string_view name;  // as in Prometheus: "envoy_cluster_name"
  std::string value;
};

// A metric's name without the parts that differ from one cluster, listener or status to the next,
// and those parts as tags: "cluster.app.upstream_rq_2xx" is "cluster.upstream_rq_xx" with
// envoy_cluster_name "app" and envoy_response_code_class "2". These are the rules that Envoy has
// built in for the metrics that Weir has.
struct TaggedName {
  std::string name;
  std::vector<Tag> tags;
};

// The same in parts: tags, and the ranges of the name that go, from the first byte to the one after
// the last.
struct TagParts {
  std::vector<Tag> tags;
  std::vector<std::pair<size_t, size_t>> gone;
};
// Adds what the built-in rules find. A tag that `wanted` does not like stays in the name.
void find_tags(std::string_view metric, const std::function<bool(std::string_view)>& wanted,
               TagParts& parts);
TaggedName join_tags(std::string_view metric, TagParts parts);

// The tags of the built-in rules, and others of Envoy's for metrics that Weir does not have.
bool is_default_tag(std::string_view name);

// The name in Prometheus' alphabet: "envoy_" and '_' for what is not a letter or a digit.
std::string prometheus_name(std::string_view name);

}  // namespace weir::stats
