#include "filters/grpc_stats/grpc_stats.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "envoy/extensions/filters/http/grpc_stats/v3/config.pb.h"
#include "filters/grpc_stats/method_counters.h"
#include "proxy/http/grpc.h"
#include "proxy/http/grpc_frame.h"

namespace weir::filters {
namespace {

using envoy::extensions::filters::http::grpc_stats::v3::FilterConfig;
using http::BodyPiece;
using http::FilterContext;
using http::HeaderMap;
using http::Verdict;

struct StatsConfig : http::FilterConfig {
  StatsConfig(stats::Registry& stats, uint32_t workers, bool counts_times)
      : with_times(counts_times), counters(stats, workers, counts_times) {}
  http::Filter* make(FilterContext& context) const override;

  bool all_methods = false;
  bool with_times;
  bool replaces_dots = false;
  std::set<std::string, std::less<>> methods;  // "/service/method"
  // Each worker has its own part of it.
  mutable CounterTable counters;
};

// Counts calls and their messages. What a call is counted under is known once its cluster is.
class StatsFilter : public http::Filter {
 public:
  explicit StatsFilter(const StatsConfig& config) : config_(config) {}

  // Here, and not when the filter is made: filters before this one may turn a request into a call.
  Verdict on_request(FilterContext& context, bool end) override;
  Verdict on_request_body(FilterContext& context, BodyPiece& piece) override {
    uncounted_requests_ += requests_.feed(piece.bytes);
    count_messages(context);
    return Verdict::kContinue;
  }
  // A filter behind this one, as grpc_http1_bridge, may have put the status before the body.
  Verdict on_response(FilterContext&, http::ResponseHead& head, bool) override {
    status_ = http::grpc_status_of(nullptr, &head.headers);
    is_grpc_response_ = head.status == 200 &&
                        http::is_grpc_content_type(head.headers.get(http::Known::kContentType));
    return Verdict::kContinue;
  }
  Verdict on_response_body(FilterContext& context, BodyPiece& piece) override {
    // The bytes of an error page are no messages.
    if (is_grpc_response_) uncounted_responses_ += responses_.feed(piece.bytes);
    count_messages(context);
    return Verdict::kContinue;
  }
  Verdict on_response_trailers(FilterContext&, HeaderMap& trailers) override {
    if (const auto status = http::grpc_status_of(&trailers, nullptr)) status_ = status;
    return Verdict::kContinue;
  }
  void on_done(FilterContext& context) override;

 private:
  const MethodCounters* counters(FilterContext& context) {
    const http::StreamInfo& info = context.info();
    const std::string_view cluster = info.cluster_alias.empty() ? info.cluster : info.cluster_alias;
    if (counters_ == nullptr && counts_ && !cluster.empty())
      counters_ = &config_.counters.find(context.worker(), cluster, method_);
    return counters_;
  }
  void count_messages(FilterContext& context);

  const StatsConfig& config_;
  std::string method_;  // "<service>.<method>"; empty: all of them together
  bool counts_ = false;
  const MethodCounters* counters_ = nullptr;
  http::GrpcFrameCounter requests_;
  http::GrpcFrameCounter responses_;
  bool is_grpc_response_ = false;
  uint64_t uncounted_requests_ = 0;
  uint64_t uncounted_responses_ = 0;
  std::optional<uint32_t> status_;
};

void StatsFilter::count_messages(FilterContext& context) {
  if (uncounted_requests_ + uncounted_responses_ == 0) return;
  const MethodCounters* to = counters(context);
  if (to == nullptr) return;
  context.stats().inc(to->request_messages, std::exchange(uncounted_requests_, 0));
  context.stats().inc(to->response_messages, std::exchange(uncounted_responses_, 0));
}

void StatsFilter::on_done(FilterContext& context) {
  count_messages(context);
  const MethodCounters* to = counters(context);
  // A call that broke off has no status: the upstream's own counters tell of it.
  if (to == nullptr || !status_) return;
  stats::Shard& stats = context.stats();
  stats.inc(to->total);
  stats.inc(*status_ == 0 ? to->success : to->failure);
  if (*status_ < to->by_status.size()) stats.inc(to->by_status[*status_]);
  const http::StreamInfo& info = context.info();
  if (!config_.with_times || info.last_upstream_rx_ns == 0) return;
  const int64_t took_ns = info.last_upstream_rx_ns - info.last_upstream_tx_ns;
  stats.record(to->upstream_rq_time,
               static_cast<uint64_t>(std::max<int64_t>(took_ns, 0) / 1'000'000));
}

// "/service/method" as the names of counters have it; nothing for another path.
std::optional<std::string> method_name(std::string_view path, bool replace_dots) {
  if (!path.starts_with('/')) return {};
  const size_t slash = path.find('/', 1);
  if (slash == std::string_view::npos || slash == 1 || slash + 1 == path.size()) return {};
  if (path.find('/', slash + 1) != std::string_view::npos) return {};
  std::string service(path.substr(1, slash - 1));
  if (replace_dots) std::replace(service.begin(), service.end(), '.', '_');
  return service.append(".").append(path.substr(slash + 1));
}

Verdict StatsFilter::on_request(FilterContext& context, bool) {
  if (!http::is_grpc(context.request())) return Verdict::kContinue;
  const std::string_view path = context.request().path_without_query();
  auto name = method_name(path, config_.all_methods && config_.replaces_dots);
  counts_ = name.has_value() || !config_.all_methods;
  if (name && (config_.all_methods || config_.methods.contains(path))) method_ = std::move(*name);
  return Verdict::kContinue;
}

http::Filter* StatsConfig::make(FilterContext& context) const {
  return http::place<StatsFilter>(context, *this);
}

std::unique_ptr<http::FilterConfig> compile(const google::protobuf::Message& message,
                                            const http::FilterBuild& build) {
  const auto& config = static_cast<const FilterConfig&>(message);
  if (config.emit_filter_state()) {
    build.diagnostics.error(config::Code::kNotSupported, build.path.field("emit_filter_state"),
                            "filter state is not supported",
                            "remove it; the counters have the numbers of messages");
    return nullptr;
  }
  auto out = std::make_unique<StatsConfig>(build.stats, std::max(build.workers, 1u),
                                           config.enable_upstream_stats());
  out->all_methods = config.stats_for_all_methods().value();
  out->replaces_dots = config.replace_dots_in_grpc_service_name();
  for (const auto& service : config.individual_method_stats_allowlist().services())
    for (const std::string& method : service.method_names())
      out->methods.insert("/" + service.name() + "/" + method);
  return out;
}

}  // namespace

http::FilterType grpc_stats() {
  return {.message = "envoy.extensions.filters.http.grpc_stats.v3.FilterConfig",
          .compile = compile};
}

}  // namespace weir::filters
