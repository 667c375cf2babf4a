#include "envoy/config/route/v3/route_components.pb.h"
#include "proxy/http/header_name.h"
#include "proxy/http/route_compile.h"
#include "proxy/http/unsupported.h"

namespace weir::http {
namespace {

using config::Code;
using config::FieldPath;
using Config = envoy::config::route::v3::WeightedCluster;
using Entry = Config::ClusterWeight;

constexpr UnsupportedField<Entry> kUnsupportedEntry[] = {
    {"metadata_match", [](const Entry& e) { return e.has_metadata_match(); },
     "make each subset a cluster of its own"},
};

void compile_target(const Entry& config, const FieldPath& path, const RouteScope& scope,
                    WeightedCluster& out) {
  out.cluster = config.name();
  out.cluster_header = lower_case(config.cluster_header());
  if (out.cluster.empty() == out.cluster_header.empty())
    scope.diagnostics().error(Code::kOneofConflict, path,
                              "a weighted cluster has either name or cluster_header",
                              "set one of them");
  if (!out.cluster.empty()) check_cluster(out.cluster, path.field("name"), scope);
  if (!out.cluster_header.empty())
    check_header_name(out.cluster_header, path.field("cluster_header"), scope.diagnostics());
}

WeightedCluster compile_entry(const Entry& config, const FieldPath& path, const RouteScope& scope) {
  WeightedCluster out;
  refuse_unsupported(config, kUnsupportedEntry, path, scope.diagnostics());
  compile_target(config, path, scope, out);
  out.weight = config.weight().value();
  out.host_rewrite = config.host_rewrite_literal();
  if (!out.host_rewrite.empty())
    check_host_text(out.host_rewrite, path.field("host_rewrite_literal"), scope.diagnostics());
  out.request_headers = compile_request_changes(config, path, scope);
  out.response_headers = compile_response_changes(config, path, scope);
  out.filters = compile_route_filters(config.typed_per_filter_config(), path, scope);
  return out;
}

void check_total(const Config& config, uint64_t total, const FieldPath& path,
                 const RouteScope& scope) {
  const std::string sum = std::to_string(total);
  if (total == 0)
    scope.diagnostics().error(Code::kSemantic, path, "the weights add up to 0",
                              "give at least one cluster a weight");
  else if (total > UINT32_MAX)
    scope.diagnostics().error(Code::kOutOfRange, path, "the weights add up to " + sum,
                              "they may add up to 4294967295");
  else if (config.has_total_weight() && config.total_weight().value() != total)
    scope.diagnostics().error(Code::kSemantic, path.field("total_weight"),
                              "the weights add up to " + sum + ", not to total_weight",
                              "leave total_weight out");
}

}  // namespace

void compile_weighted(const Config& config, const FieldPath& path, const RouteScope& scope,
                      ForwardAction& out) {
  out.weighted_header = lower_case(config.header_name());
  if (!out.weighted_header.empty())
    check_header_name(out.weighted_header, path.field("header_name"), scope.diagnostics());
  out.weighted_runtime_prefix = config.runtime_key_prefix();
  uint64_t total = 0;
  for (int i = 0; i < config.clusters_size(); ++i) {
    out.weighted.push_back(compile_entry(config.clusters(i), path.field("clusters", i), scope));
    total += out.weighted.back().weight;
  }
  check_total(config, total, path, scope);
  out.total_weight = static_cast<uint32_t>(total);
}

}  // namespace weir::http
