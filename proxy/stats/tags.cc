#include "proxy/stats/tags.h"

#include <algorithm>

namespace weir::stats {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

using Wanted = std::function<bool(std::string_view)>;

// Walks along a metric's name.
class TagExtractor {
 public:
  TagExtractor(std::string_view metric, const Wanted& wanted, TagParts& out)
      : metric_(metric), rest_(metric), wanted_(wanted), out_(out) {}

  void run() {
    take_response_code();
    if (!take_scope("cluster.", "envoy_cluster_name") && !take_http() && !take_listener() &&
        !take_server() && !take_virtual_host() && !take_scope("tcp.", "envoy_tcp_prefix") &&
        !take_scope("local_rate_limit.", "envoy_local_network_ratelimit_prefix") &&
        !take_scope("connection_limit.", "envoy_connection_limit_prefix"))
      take_owner_of("http_local_rate_limit.", "envoy_local_http_ratelimit_prefix");
  }

 private:
  void keep(size_t bytes) { rest_.remove_prefix(bytes); }
  // Takes `bytes` and the dot after them out of the name.
  void take(std::string_view tag, size_t bytes) {
    note(tag, rest_.substr(0, bytes), rest_.substr(0, bytes + 1));
    keep(bytes + 1);
  }
  void note(std::string_view tag, std::string_view value, std::string_view gone) {
    if (!wanted_(tag)) return;
    out_.tags.push_back({tag, std::string(value)});
    const auto at = static_cast<size_t>(gone.data() - metric_.data());
    out_.gone.emplace_back(at, at + gone.size());
  }

  // "<prefix><value>." keeps the prefix and makes the value a tag.
  bool take_scope(std::string_view prefix, std::string_view tag) {
    if (!rest_.starts_with(prefix)) return false;
    const size_t dot = rest_.find('.', prefix.size());
    if (dot == std::string_view::npos) return false;
    keep(prefix.size());
    take(tag, dot - prefix.size());
    return true;
  }

  bool take_http() {
    if (!take_scope("http.", "envoy_http_conn_manager_prefix")) return false;
    take_scope("rds.", "envoy_rds_route_config");
    return true;
  }

  // "listener.127.0.0.1_80." or "listener.[__1]_80."; other listener names stay in the metric.
  bool take_listener() {
    constexpr std::string_view kPrefix = "listener.";
    if (!rest_.starts_with(kPrefix)) return false;
    keep(kPrefix.size());
    const bool ipv6 = rest_.starts_with('[');
    const std::string_view alphabet = ipv6 ? "_[]0123456789abcdefABCDEF" : "_.0123456789";
    const size_t run = std::min(rest_.find_first_not_of(alphabet), rest_.size());
    const size_t end = ipv6 ? run : rest_.substr(0, run).rfind('.');
    if (end != std::string_view::npos && end > 0 && end < rest_.size() && rest_[end] == '.') {
      take("envoy_listener_address", end);
    } else if (const size_t http = rest_.find(".http."); http != std::string_view::npos) {
      keep(http + 1);  // past a stat_prefix, which stays
    }
    take_worker();
    take_http();
    return true;
  }

  bool take_server() {
    constexpr std::string_view kPrefix = "server.";
    if (!rest_.starts_with(kPrefix)) return false;
    keep(kPrefix.size());
    take_worker();
    return true;
  }

  // "worker_3.x" becomes "worker_x" with the number as a tag.
  void take_worker() {
    constexpr std::string_view kPrefix = "worker_";
    if (!rest_.starts_with(kPrefix)) return;
    const size_t end = rest_.find_first_not_of("0123456789", kPrefix.size());
    if (end == kPrefix.size() || end == std::string_view::npos || rest_[end] != '.') return;
    keep(kPrefix.size());
    take("envoy_worker_id", end - kPrefix.size());
  }

  bool take_virtual_host() {
    if (!take_scope("vhost.", "envoy_virtual_host")) return false;
    if (!take_scope("vcluster.", "envoy_virtual_cluster")) take_scope("route.", "envoy_route");
    return true;
  }

  // "<value>.<what>": the value is a tag.
  void take_owner_of(std::string_view what, std::string_view tag) {
    const size_t dot = rest_.find('.');
    if (dot != std::string_view::npos && rest_.substr(dot + 1).starts_with(what)) take(tag, dot);
  }

  // "..._rq_2xx" becomes "..._rq_xx", "..._rq_200" becomes "..._rq".
  void take_response_code() {
    const size_t at = rest_.rfind("_rq_");
    if (at == std::string_view::npos) return;
    const std::string_view code = rest_.substr(at + 4);
    if (code.size() != 3 || !is_digit(code[0])) return;
    if (code.substr(1) == "xx") {
      note("envoy_response_code_class", code.substr(0, 1), code.substr(0, 1));
    } else if (is_digit(code[1]) && is_digit(code[2])) {
      note("envoy_response_code", code, rest_.substr(at + 3));
    } else {
      return;
    }
    rest_ = rest_.substr(0, at);
  }

  const std::string_view metric_;
  std::string_view rest_;
  const Wanted& wanted_;
  TagParts& out_;
};

constexpr std::string_view kDefaultTags[] = {"envoy_clientssl_prefix",
                                             "envoy_cluster_name",
                                             "envoy_connection_limit_prefix",
                                             "envoy_dns_filter_prefix",
                                             "envoy_dynamo_operation",
                                             "envoy_dynamo_partition_id",
                                             "envoy_dynamo_table",
                                             "envoy_ext_authz_prefix",
                                             "envoy_fault_downstream_cluster",
                                             "envoy_google_grpc_client_prefix",
                                             "envoy_grpc_bridge_method",
                                             "envoy_grpc_bridge_service",
                                             "envoy_http_conn_manager_prefix",
                                             "envoy_http_user_agent",
                                             "envoy_listener_address",
                                             "envoy_local_http_ratelimit_prefix",
                                             "envoy_local_listener_ratelimit_prefix",
                                             "envoy_local_network_ratelimit_prefix",
                                             "envoy_mongo_callsite",
                                             "envoy_mongo_cmd",
                                             "envoy_mongo_collection",
                                             "envoy_mongo_prefix",
                                             "envoy_proxy_protocol_prefix",
                                             "envoy_proxy_protocol_version",
                                             "envoy_ratelimit_prefix",
                                             "envoy_rbac_http_prefix",
                                             "envoy_rbac_prefix",
                                             "envoy_rds_route_config",
                                             "envoy_redis_prefix",
                                             "envoy_response_code",
                                             "envoy_response_code_class",
                                             "envoy_route",
                                             "envoy_scoped_rds_config",
                                             "envoy_ssl_cipher",
                                             "envoy_ssl_cipher_suite",
                                             "envoy_ssl_curve",
                                             "envoy_ssl_sigalg",
                                             "envoy_ssl_version",
                                             "envoy_tcp_prefix",
                                             "envoy_thrift_prefix",
                                             "envoy_udp_prefix",
                                             "envoy_virtual_cluster",
                                             "envoy_virtual_host",
                                             "envoy_worker_id",
                                             "envoy_xds_resource_name"};

}  // namespace

void find_tags(std::string_view metric, const Wanted& wanted, TagParts& parts) {
  TagExtractor(metric, wanted, parts).run();
}

TaggedName join_tags(std::string_view metric, TagParts parts) {
  std::sort(parts.gone.begin(), parts.gone.end());
  TaggedName out{{}, std::move(parts.tags)};
  size_t at = 0;
  for (const auto& [begin, end] : parts.gone) {
    if (begin > at) out.name += metric.substr(at, begin - at);
    at = std::max(at, end);
  }
  out.name += metric.substr(std::min(at, metric.size()));
  return out;
}

bool is_default_tag(std::string_view name) {
  return std::find(std::begin(kDefaultTags), std::end(kDefaultTags), name) !=
         std::end(kDefaultTags);
}

std::string prometheus_name(std::string_view name) {
  std::string out = "envoy_";
  out += name;
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_';
  };
  std::replace_if(
      out.begin(), out.end(), [&](char c) { return !allowed(c); }, '_');
  return out;
}

}  // namespace weir::stats
