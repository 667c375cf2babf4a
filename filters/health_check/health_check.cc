#include "filters/health_check/health_check.h"

#include <algorithm>
#include <atomic>
#include <vector>

#include "envoy/extensions/filters/http/health_check/v3/health_check.pb.h"
#include "proxy/http/compile_duration.h"
#include "proxy/http/request_match.h"
#include "proxy/net/loop.h"

namespace weir::filters {
namespace {

namespace v3 = envoy::extensions::filters::http::health_check::v3;
using config::Code;
using http::Known;
using http::Verdict;

// The upstream's last answer to a health check, shared by all workers in one word: until when it
// counts, whether it was degraded, and its status.
class CachedAnswer {
 public:
  struct Answer {
    uint16_t status = 0;  // 0: none
    bool degraded = false;
  };

  void store(Answer answer, int64_t until_ms) {
    word_.store(
        static_cast<uint64_t>(until_ms) << 16 | (answer.degraded ? 1u << 15 : 0u) | answer.status,
        std::memory_order_relaxed);
  }
  Answer load(int64_t now_ms) const {
    const uint64_t word = word_.load(std::memory_order_relaxed);
    if (static_cast<int64_t>(word >> 16) <= now_ms) return {};
    return {static_cast<uint16_t>(word & 0x7fff), (word & 1u << 15) != 0};
  }

 private:
  std::atomic<uint64_t> word_{0};
};

struct HealthCheckConfig : http::FilterConfig {
  http::Filter* make(http::FilterContext& context) const override;

  bool failing() const { return failing_flag != nullptr && failing_flag->load(); }

  bool pass_through = false;
  int64_t cache_ms = 0;  // 0: every check goes to the upstream
  std::vector<http::HeaderMatch> headers;
  struct ClusterMinimum {
    std::string cluster;
    double percent;  // of its endpoints that have to be fit
  };
  std::vector<ClusterMinimum> minimums;
  const std::atomic<bool>* failing_flag = nullptr;
  std::string service_cluster;
  std::unique_ptr<CachedAnswer> cache = std::make_unique<CachedAnswer>();
};

class HealthCheckFilter : public http::Filter {
 public:
  explicit HealthCheckFilter(const HealthCheckConfig& config) : config_(config) {}

  Verdict on_request(http::FilterContext& context, bool) override {
    const auto fits = [&](const auto& match) { return match.matches(context.request()); };
    check_ = std::all_of(config_.headers.begin(), config_.headers.end(), fits);
    if (!check_) return Verdict::kContinue;
    context.info().health_check = true;
    if (config_.failing()) return answer(context, 503, "health_check_failed");
    if (!config_.pass_through) return answer_by_clusters(context);
    if (config_.cache_ms == 0) return Verdict::kContinue;
    const CachedAnswer::Answer cached = config_.cache->load(context.loop().now_ms());
    if (cached.status == 0) return Verdict::kContinue;
    return answer(context, cached.status, "health_check_cached", cached.degraded);
  }

  Verdict on_response(http::FilterContext& context, http::ResponseHead& head, bool) override {
    if (config_.failing()) head.headers.set(Known::kEnvoyImmediateHealthCheckFail, "true");
    if (!check_) return Verdict::kContinue;
    if (!config_.service_cluster.empty())
      head.headers.set("x-envoy-upstream-healthchecked-cluster", config_.service_cluster);
    if (config_.cache_ms > 0 && !answered_)
      config_.cache->store({head.status, head.headers.has(Known::kEnvoyDegraded)},
                           context.loop().now_ms() + config_.cache_ms);
    return Verdict::kContinue;
  }

 private:
  // Without minimums the proxy is well as long as it answers.
  Verdict answer_by_clusters(http::FilterContext& context) {
    for (const HealthCheckConfig::ClusterMinimum& minimum : config_.minimums) {
      const auto members = context.cluster_members(minimum.cluster);
      if (!members) return answer(context, 503, "health_check_no_cluster");
      // An empty cluster has no share: it is well only where nothing is asked of it.
      const bool enough = members->total == 0
                              ? minimum.percent == 0
                              : 100.0 * static_cast<double>(members->fit) >=
                                    minimum.percent * static_cast<double>(members->total);
      if (!enough) return answer(context, 503, "health_check_cluster_unhealthy");
    }
    return answer(context, 200, "health_check_ok");
  }

  Verdict answer(http::FilterContext& context, uint16_t status, std::string_view details,
                 bool degraded = false) {
    answered_ = true;
    http::LocalReply reply{.status = status, .details = details};
    if (status < 200 || status > 299) reply.flags = http::kFailedLocalHealthCheck;
    if (degraded) reply.headers.emplace_back("x-envoy-degraded", "");
    return context.respond(reply);
  }

  const HealthCheckConfig& config_;
  bool check_ = false;
  bool answered_ = false;
};

http::Filter* HealthCheckConfig::make(http::FilterContext& context) const {
  return http::place<HealthCheckFilter>(context, *this);
}

std::unique_ptr<http::FilterConfig> compile(const google::protobuf::Message& message,
                                            const http::FilterBuild& build) {
  const auto& config = static_cast<const v3::HealthCheck&>(message);
  const size_t errors = build.diagnostics.error_count();
  auto out = std::make_unique<HealthCheckConfig>();
  out->pass_through = config.pass_through_mode().value();
  http::compile_duration_ms(config.cache_time(), build.path.field("cache_time"), build.diagnostics,
                            out->cache_ms);
  out->failing_flag = build.health_check_failing;
  out->service_cluster = build.service_cluster;
  if (config.has_cache_time() && !out->pass_through)
    build.diagnostics.error(Code::kSemantic, build.path.field("cache_time"),
                            "there is no answer to keep unless pass_through_mode is true");
  if (out->pass_through && !config.cluster_min_healthy_percentages().empty())
    build.diagnostics.error(Code::kSemantic, build.path.field("cluster_min_healthy_percentages"),
                            "the upstream answers, so that the clusters' health is not asked for",
                            "leave it out, or use pass_through_mode: false");
  for (const auto& [cluster, percent] : config.cluster_min_healthy_percentages())
    out->minimums.push_back({cluster, percent.value()});
  for (int i = 0; i < config.headers_size(); ++i) {
    auto match = http::HeaderMatch::compile(config.headers(i), build.path.field("headers", i),
                                            build.diagnostics);
    if (match) out->headers.push_back(std::move(*match));
  }
  return build.diagnostics.error_count() == errors ? std::move(out) : nullptr;
}

}  // namespace

http::FilterType health_check() {
  return {.message = "envoy.extensions.filters.http.health_check.v3.HealthCheck",
          .compile = compile};
}

}  // namespace weir::filters
