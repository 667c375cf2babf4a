#include "proxy/stats/tags.h"

#include <algorithm>

namespace weir::stats {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// What is left of a metric's name, and what was taken out of it.
class TagExtractor {
 public:
  explicit TagExtractor(std::string_view metric) : rest_(metric) {}

  TaggedName run() {
    take_response_code();
    if (!take_scope("cluster.", "envoy_cluster_name") && !take_http() && !take_listener() &&
        !take_server() && !take_virtual_host() && !take_scope("tcp.", "envoy_tcp_prefix") &&
        !take_scope("local_rate_limit.", "envoy_local_network_ratelimit_prefix") &&
        !take_scope("connection_limit.", "envoy_connection_limit_prefix"))
      take_owner_of("http_local_rate_limit.", "envoy_local_http_ratelimit_prefix");
    out_.name += rest_;
    out_.name += suffix_;
    return std::move(out_);
  }

 private:
  void keep(size_t bytes) {
    out_.name += rest_.substr(0, bytes);
    rest_.remove_prefix(bytes);
  }
  // Takes `bytes` and the dot after them out of the name.
  void take(std::string_view tag, size_t bytes) {
    out_.tags.push_back({tag, std::string(rest_.substr(0, bytes))});
    rest_.remove_prefix(bytes + 1);
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
    if (end != std::string_view::npos && end > 0 && end < rest_.size() && rest_[end] == '.')
      take("envoy_listener_address", end);
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
      out_.tags.push_back({"envoy_response_code_class", std::string(code.substr(0, 1))});
      suffix_ = "_rq_xx";
    } else if (is_digit(code[1]) && is_digit(code[2])) {
      out_.tags.push_back({"envoy_response_code", std::string(code)});
      suffix_ = "_rq";
    } else {
      return;
    }
    rest_ = rest_.substr(0, at);
  }

  std::string_view rest_;
  std::string_view suffix_;
  TaggedName out_;
};

}  // namespace

TaggedName extract_tags(std::string_view metric) {
  return TagExtractor(metric).run();
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
