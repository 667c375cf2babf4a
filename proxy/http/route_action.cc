#include <algorithm>

#include "envoy/config/route/v3/route_components.pb.h"
#include "proxy/http/header_name.h"
#include "proxy/http/path_template.h"
#include "proxy/http/route_compile.h"
#include "proxy/http/unsupported.h"

namespace weir::http {
namespace {

using config::Code;
using config::FieldPath;
using envoy::config::route::v3::RouteAction;
using MatchConfig = envoy::config::route::v3::RouteMatch;

constexpr UnsupportedField<RouteAction> kUnsupported[] = {
    {"cluster_specifier_plugin",
     [](const RouteAction& a) { return a.has_cluster_specifier_plugin(); },
     "use cluster, cluster_header or weighted_clusters"},
    {"inline_cluster_specifier_plugin",
     [](const RouteAction& a) { return a.has_inline_cluster_specifier_plugin(); },
     "use cluster, cluster_header or weighted_clusters"},
    {"metadata_match", [](const RouteAction& a) { return a.has_metadata_match(); },
     "make each subset a cluster of its own"},
    {"early_data_policy", [](const RouteAction& a) { return a.has_early_data_policy(); }, ""},
    {"retry_policy_typed_config",
     [](const RouteAction& a) { return a.has_retry_policy_typed_config(); }, "use retry_policy"},
    {"cors", [](const RouteAction& a) { return a.has_cors(); }, ""},
    {"internal_redirect_policy",
     [](const RouteAction& a) { return a.has_internal_redirect_policy(); }, ""},
    {"internal_redirect_action",
     [](const RouteAction& a) {
       return a.internal_redirect_action() != RouteAction::PASS_THROUGH_INTERNAL_REDIRECT;
     },
     ""},
    {"max_internal_redirects", [](const RouteAction& a) { return a.has_max_internal_redirects(); },
     ""},
    {"hedge_policy", [](const RouteAction& a) { return a.has_hedge_policy(); }, ""},
};

uint16_t not_found_status(RouteAction::ClusterNotFoundResponseCode code) {
  switch (code) {
    case RouteAction::NOT_FOUND:
      return 404;
    case RouteAction::INTERNAL_SERVER_ERROR:
      return 500;
    default:
      return 503;
  }
}

// Fills in one ForwardAction, a group of fields at a time.
class ForwardCompiler {
 public:
  ForwardCompiler(const RouteAction& config, const MatchConfig& match, const FieldPath& path,
                  const RouteScope& scope, ForwardAction& out)
      : config_(config), match_(match), path_(path), scope_(scope), out_(out) {}

  void compile() {
    refuse_unsupported(config_, kUnsupported, path_, scope_.diagnostics());
    target();
    path_rewrite();
    host_rewrite();
    timeouts();
    policies();
    upgrades();
  }

 private:
  void target() {
    out_.cluster_not_found_status = not_found_status(config_.cluster_not_found_response_code());
    out_.high_priority = config_.priority() == envoy::config::core::v3::HIGH;
    switch (config_.cluster_specifier_case()) {
      case RouteAction::kCluster:
        out_.cluster = config_.cluster();
        return check_cluster(out_.cluster, path_.field("cluster"), scope_);
      case RouteAction::kClusterHeader:
        out_.cluster_header = lower_case(config_.cluster_header());
        check_header_name(out_.cluster_header, path_.field("cluster_header"), scope_.diagnostics());
        return;
      case RouteAction::kWeightedClusters:
        return compile_weighted(config_.weighted_clusters(), path_.field("weighted_clusters"),
                                scope_, out_);
      case RouteAction::CLUSTER_SPECIFIER_NOT_SET:
        return scope_.diagnostics().error(Code::kConstraint, path_,
                                          "the route names no cluster to send to",
                                          "set cluster, cluster_header or weighted_clusters");
      default:
        return;  // reported as unsupported
    }
  }

  void path_rewrite() {
    const bool prefix = !config_.prefix_rewrite().empty();
    const int given = static_cast<int>(prefix) + static_cast<int>(config_.has_regex_rewrite()) +
                      static_cast<int>(config_.has_path_rewrite_policy());
    if (given > 1)
      scope_.diagnostics().error(Code::kOneofConflict, path_, "the path is rewritten in two ways",
                                 "keep one of prefix_rewrite, regex_rewrite and "
                                 "path_rewrite_policy");
    if (prefix) {
      check_path_text(config_.prefix_rewrite(), path_.field("prefix_rewrite"),
                      scope_.diagnostics());
      out_.prefix_rewrite = config_.prefix_rewrite();
    } else if (config_.has_regex_rewrite()) {
      const FieldPath field = path_.field("regex_rewrite");
      check_path_text(config_.regex_rewrite().substitution(), field.field("substitution"),
                      scope_.diagnostics());
      out_.regex_rewrite =
          keep(compile_regex_rewrite(config_.regex_rewrite(), field, scope_.diagnostics()));
    } else if (config_.has_path_rewrite_policy()) {
      const FieldPath field = path_.field("path_rewrite_policy.typed_config");
      out_.regex_rewrite = keep(compile_path_template_rewrite(
          config_.path_rewrite_policy().typed_config(), match_.path_match_policy().typed_config(),
          field, scope_.diagnostics()));
    }
  }

  void host_rewrite() {
    out_.append_forwarded_host = config_.append_x_forwarded_host();
    switch (config_.host_rewrite_specifier_case()) {
      case RouteAction::kHostRewriteLiteral:
        out_.host_rewrite = config_.host_rewrite_literal();
        if (!out_.host_rewrite.empty())
          check_host_text(out_.host_rewrite, path_.field("host_rewrite_literal"),
                          scope_.diagnostics());
        return;
      case RouteAction::kAutoHostRewrite:
        out_.auto_host_rewrite = config_.auto_host_rewrite().value();
        return;
      case RouteAction::kHostRewriteHeader:
        out_.host_rewrite_header = lower_case(config_.host_rewrite_header());
        check_header_name(out_.host_rewrite_header, path_.field("host_rewrite_header"),
                          scope_.diagnostics());
        return;
      case RouteAction::kHostRewritePathRegex:
        out_.host_rewrite_path_regex = keep(
            compile_regex_rewrite(config_.host_rewrite_path_regex(),
                                  path_.field("host_rewrite_path_regex"), scope_.diagnostics()));
        return;
      case RouteAction::HOST_REWRITE_SPECIFIER_NOT_SET:
        return;
    }
  }

  void timeouts() {
    if (config_.has_timeout()) out_.timeout_ms = duration(config_.timeout(), "timeout").value_or(0);
    if (config_.has_idle_timeout())
      out_.idle_timeout_ms = duration(config_.idle_timeout(), "idle_timeout");
    if (config_.has_max_stream_duration()) {
      stream_duration();
    } else if (config_.has_max_grpc_timeout()) {
      GrpcTimeout timeout;
      timeout.most_ms = duration(config_.max_grpc_timeout(), "max_grpc_timeout");
      if (config_.has_grpc_timeout_offset())
        timeout.offset_ms =
            duration(config_.grpc_timeout_offset(), "grpc_timeout_offset").value_or(0);
      out_.grpc_timeout = std::make_unique<const GrpcTimeout>(timeout);
    }
  }

  // Stands in for the older fields, `timeout` included, as it does in Envoy.
  void stream_duration() {
    const auto& limits = config_.max_stream_duration();
    out_.timeout_ms = 0;
    if (limits.has_max_stream_duration())
      out_.max_stream_duration_ms =
          duration(limits.max_stream_duration(), "max_stream_duration.max_stream_duration");
    GrpcTimeout timeout;
    timeout.of_stream = true;
    if (limits.has_grpc_timeout_header_max())
      timeout.most_ms =
          duration(limits.grpc_timeout_header_max(), "max_stream_duration.grpc_timeout_header_max");
    if (limits.has_grpc_timeout_header_offset())
      timeout.offset_ms = duration(limits.grpc_timeout_header_offset(),
                                   "max_stream_duration.grpc_timeout_header_offset")
                              .value_or(0);
    out_.grpc_timeout = std::make_unique<const GrpcTimeout>(timeout);
  }

  static std::unique_ptr<const RegexRewrite> keep(std::optional<RegexRewrite> rewrite) {
    if (!rewrite) return nullptr;
    return std::make_unique<const RegexRewrite>(std::move(*rewrite));
  }

  std::optional<int64_t> duration(const google::protobuf::Duration& value, std::string_view field) {
    return compile_duration_ms(value, path_.field(field), scope_.diagnostics());
  }

  void policies() {
    out_.retry =
        config_.has_retry_policy()
            ? std::make_shared<const RetryPolicy>(compile_retry(
                  config_.retry_policy(), path_.field("retry_policy"), scope_.diagnostics()))
            : scope_.retry;
    out_.hash = compile_hash(config_.hash_policy(), path_, scope_.diagnostics());
    out_.mirrors = config_.request_mirror_policies_size() > 0
                       ? compile_mirrors(config_.request_mirror_policies(), path_, scope_)
                       : scope_.mirrors;
  }

  void upgrades() {
    for (int i = 0; i < config_.upgrade_configs_size(); ++i) {
      const auto& upgrade = config_.upgrade_configs(i);
      const FieldPath path = path_.field("upgrade_configs", i);
      if (upgrade.has_connect_config())
        refuse_field(path.field("connect_config"), scope_.diagnostics(),
                     "CONNECT is passed on to the upstream, not ended here");
      ForwardAction::Upgrade out{lower_case(upgrade.upgrade_type()),
                                 !upgrade.has_enabled() || upgrade.enabled().value()};
      if (std::any_of(out_.upgrades.begin(), out_.upgrades.end(),
                      [&](const auto& other) { return other.type == out.type; }))
        scope_.diagnostics().error(Code::kSemantic, path.field("upgrade_type"),
                                   "the upgrade '" + out.type + "' is configured twice",
                                   "keep one of them; case does not matter");
      out_.upgrades.push_back(std::move(out));
    }
  }

  const RouteAction& config_;
  const MatchConfig& match_;
  const FieldPath& path_;
  const RouteScope& scope_;
  ForwardAction& out_;
};

}  // namespace

void check_cluster(const std::string& name, const FieldPath& path, const RouteScope& scope) {
  if (!scope.check_clusters || scope.build.has_cluster(name)) return;
  scope.diagnostics().error(Code::kReference, path, "there is no cluster '" + name + "'",
                            "define it, or set validate_clusters to false if it comes later");
}

void compile_forward(const RouteAction& config, const MatchConfig& match, const FieldPath& path,
                     const RouteScope& scope, ForwardAction& out) {
  ForwardCompiler(config, match, path, scope, out).compile();
}

}  // namespace weir::http
