#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "xds/clock.h"
#include "xds/report_stream.h"

namespace envoy::config::core::v3 {
class Node;
}
namespace envoy::config::endpoint::v3 {
class ClusterStats;
}
namespace envoy::service::load_stats::v3 {
class LoadStatsResponse;
}

namespace weir::xds {

// Requests to one endpoint as one worker counted them since it knows the endpoint.
struct HostLoad {
  uint64_t succeeded = 0;
  uint64_t failed = 0;
  uint64_t issued = 0;
  friend bool operator==(const HostLoad&, const HostLoad&) = default;
};

// One endpoint of a cluster in one worker.
struct HostReport {
  uint32_t worker = 0;
  uint64_t incarnation = 0;  // another one began to count at 0
  HostLoad load;
  uint64_t active = 0;  // requests under way
  std::string address;  // an IP address or, without a port, a Unix path
  uint32_t port = 0;
  uint32_t priority = 0;
  std::string region;
  std::string zone;
  std::string sub_zone;
};

// Requests that one worker dropped for one reason that a control plane gave (drop_overloads).
struct DropReport {
  uint32_t worker = 0;
  uint64_t incarnation = 0;  // another one began to count at 0
  std::string category;
  uint64_t requests = 0;
};

struct ClusterReport {
  std::string name;
  std::string service_name;  // of EDS; may be empty
  uint64_t refused = 0;      // requests, by circuit breakers, since the cluster is known
  std::vector<DropReport> drops;
  std::vector<HostReport> hosts;
};

enum class LoadEvent : uint8_t {
  kRequest,  // the server said what it wants
  kReport,   // a report was sent
  kFailure,  // the stream broke off or could not be opened
};

struct LoadReporterOptions {
  std::shared_ptr<const envoy::config::core::v3::Node> node;
  int64_t back_off_base_ms = 500;
  int64_t back_off_max_ms = 30'000;
  // Tells where all clusters stand that may be reported, by one call of `then`, now or later.
  using Then = std::function<void(const std::vector<ClusterReport>&)>;
  std::function<void(Then then)> gather;
  std::function<void(LoadEvent event, const std::string& details)> on_event;  // may be empty
};

// The client's side of envoy.service.load_stats.v3 (LRS): tells one server how many requests went
// to which locality of the clusters that it names, as often as it says. A period of a cluster
// begins when the server names it, or when the cluster comes to be, and does not end with the
// stream: what was not reported is reported to the next one. Main thread.
class LoadReporter : private ReportStream::Reporter {
 public:
  // What is passed in outlives the reporter.
  LoadReporter(Wire& wire, LoadReporterOptions options);
  ~LoadReporter() override;

  void start() { stream_.start(); }
  // The wire's wake_at.
  void tick() { stream_.tick(); }

 private:
  // What was told of a cluster already.
  using HostKey = std::pair<uint32_t, uint64_t>;                // worker and incarnation
  using DropKey = std::tuple<uint32_t, uint64_t, std::string>;  // the same, and the category
  struct Period {
    std::map<HostKey, HostLoad> told;
    std::map<DropKey, uint64_t> told_drops;
    uint64_t refused = 0;
    int64_t since_ms = 0;
  };
  using Stats = envoy::config::endpoint::v3::ClusterStats;

  std::string first_message() override;
  std::string on_message(std::string_view bytes) override;
  void on_lost(const std::string& reason) override;
  void on_due() override;

  // Calls `then` with what was gathered, unless the server has said something else meanwhile.
  void gather(void (LoadReporter::*then)(const std::vector<ClusterReport>&));
  void begin_periods(const std::vector<ClusterReport>& clusters);
  void report(const std::vector<ClusterReport>& clusters);
  void take_orders(const envoy::service::load_stats::v3::LoadStatsResponse& response);
  bool wanted(const std::string& cluster) const { return all_ || names_.contains(cluster); }
  void begin_period(const ClusterReport& cluster, Period& period);
  void fill(const ClusterReport& cluster, const Period& period, Stats& out) const;
  static void fill_drops(const ClusterReport& cluster, const Period& period, Stats& out);
  void event(LoadEvent what, const std::string& details = {}) const;

  Clock& clock_;
  LoadReporterOptions options_;
  ReportStream stream_;
  // As the server said last.
  std::set<std::string> names_;
  bool all_ = false;
  bool by_endpoint_ = false;
  int64_t interval_ms_ = 0;
  int64_t epoch_ms_ = 0;  // when clusters that come to be began to count at the earliest
  std::map<std::string, Period> periods_;
  std::shared_ptr<uint64_t> epoch_;  // what was gathered for an older one is of no use
};

}  // namespace weir::xds
