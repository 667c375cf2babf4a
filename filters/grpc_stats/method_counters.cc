#include "filters/grpc_stats/method_counters.h"

#include "proxy/stats/clean_name.h"

namespace weir::filters {

const MethodCounters& CounterTable::find(uint32_t worker, std::string_view cluster,
                                         std::string_view method) {
  Names& names = by_worker_[worker % by_worker_.size()];
  std::string key;
  key.reserve(cluster.size() + method.size() + 1);
  key.append(cluster).append("\n").append(method);
  const auto found = names.find(key);
  if (found != names.end()) return found->second;
  // What untrusted clients call does not fill the memory.
  if (names.size() >= kMaxNames && !method.empty()) return find(worker, cluster, {});
  return names.emplace(std::move(key), make(cluster, method)).first->second;
}

MethodCounters CounterTable::make(std::string_view cluster, std::string_view method) {
  std::string prefix = "cluster." + stats::clean_name(cluster) + ".grpc.";
  if (!method.empty()) prefix.append(stats::clean_name(method)).append(".");
  MethodCounters out{.success = stats_.counter(prefix + "success"),
                     .failure = stats_.counter(prefix + "failure"),
                     .total = stats_.counter(prefix + "total"),
                     .request_messages = stats_.counter(prefix + "request_message_count"),
                     .response_messages = stats_.counter(prefix + "response_message_count"),
                     .upstream_rq_time = {},
                     .by_status = {}};
  if (with_times_) out.upstream_rq_time = stats_.histogram(prefix + "upstream_rq_time");
  for (uint32_t code = 0; code < http::kGrpcStatusCount; ++code)
    out.by_status[code] = stats_.counter(prefix + std::to_string(code));
  return out;
}

}  // namespace weir::filters
