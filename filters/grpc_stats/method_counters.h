#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "proxy/http/grpc.h"
#include "proxy/stats/registry.h"

namespace weir::filters {

// The counters of one method on one cluster: cluster.<name>.grpc.<service>.<method>.<counter>.
struct MethodCounters {
  stats::CounterId success;
  stats::CounterId failure;
  stats::CounterId total;
  stats::CounterId request_messages;
  stats::CounterId response_messages;
  stats::HistogramId upstream_rq_time;  // milliseconds; only where it is asked for
  std::array<stats::CounterId, http::kGrpcStatusCount> by_status;
};

// Counters by cluster and method, for each worker its own table: clusters come and go, so that
// names are made when a call is first seen. Only then the registry's lock is taken.
class CounterTable {
 public:
  // So many different names a worker remembers; calls beyond are counted without their method.
  static constexpr size_t kMaxNames = 10'000;

  CounterTable(stats::Registry& stats, uint32_t workers, bool with_times)
      : stats_(stats), with_times_(with_times), by_worker_(workers) {}

  // `method` is "<service>.<method>", or empty for all of them together. Only `worker` itself may
  // ask for it. The reference stays valid.
  const MethodCounters& find(uint32_t worker, std::string_view cluster, std::string_view method);

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  // By "<cluster>\n<method>".
  using Names = std::unordered_map<std::string, MethodCounters, Hash, std::equal_to<>>;

  MethodCounters make(std::string_view cluster, std::string_view method);

  stats::Registry& stats_;
  bool with_times_;
  std::vector<Names> by_worker_;
};

}  // namespace weir::filters
