#include "xds/load_reporter.h"

#include <algorithm>
#include <tuple>

#include "envoy/service/load_stats/v3/lrs.pb.h"
#include "xds/methods.h"

namespace weir::xds {
namespace {

using envoy::config::endpoint::v3::ClusterStats;
using envoy::config::endpoint::v3::UpstreamEndpointStats;
using envoy::config::endpoint::v3::UpstreamLocalityStats;
using envoy::service::load_stats::v3::LoadStatsRequest;
using envoy::service::load_stats::v3::LoadStatsResponse;

constexpr const char* kAllClusters = "envoy.lrs.supports_send_all_clusters";

LoadStatsRequest new_request(const LoadReporterOptions& options) {
  LoadStatsRequest out;
  if (options.node != nullptr) *out.mutable_node() = *options.node;
  out.mutable_node()->add_client_features(kAllClusters);
  return out;
}

// What is new since `told`; all of it if the counters began anew.
HostLoad since(const HostLoad& now, const HostLoad& told) {
  if (now.succeeded < told.succeeded || now.failed < told.failed || now.issued < told.issued)
    return now;
  return {now.succeeded - told.succeeded, now.failed - told.failed, now.issued - told.issued};
}

uint64_t since(uint64_t now, uint64_t told) {
  return now < told ? now : now - told;
}

template <class Counts>
void add(const HostLoad& load, uint64_t active, Counts& to) {
  to.set_total_successful_requests(to.total_successful_requests() + load.succeeded);
  to.set_total_error_requests(to.total_error_requests() + load.failed);
  to.set_total_issued_requests(to.total_issued_requests() + load.issued);
  to.set_total_requests_in_progress(to.total_requests_in_progress() + active);
}

// The localities and endpoints of one cluster that have something to tell.
class Localities {
 public:
  Localities(bool by_endpoint, ClusterStats& out) : by_endpoint_(by_endpoint), out_(out) {}

  void add_host(const HostReport& host, const HostLoad& load) {
    if (load == HostLoad() && host.active == 0) return;
    const auto key = std::tie(host.priority, host.region, host.zone, host.sub_zone);
    UpstreamLocalityStats*& locality = localities_[LocalityKey(key)];
    if (locality == nullptr) {
      locality = out_.add_upstream_locality_stats();
      locality->mutable_locality()->set_region(host.region);
      locality->mutable_locality()->set_zone(host.zone);
      locality->mutable_locality()->set_sub_zone(host.sub_zone);
      locality->set_priority(host.priority);
    }
    add(load, host.active, *locality);
    if (by_endpoint_) add(load, host.active, endpoint_of(host, *locality));
  }

 private:
  using LocalityKey = std::tuple<uint32_t, std::string, std::string, std::string>;
  using EndpointKey = std::tuple<const UpstreamLocalityStats*, std::string, uint32_t>;

  UpstreamEndpointStats& endpoint_of(const HostReport& host, UpstreamLocalityStats& locality) {
    UpstreamEndpointStats*& endpoint = endpoints_[EndpointKey(&locality, host.address, host.port)];
    if (endpoint != nullptr) return *endpoint;
    endpoint = locality.add_upstream_endpoint_stats();
    if (host.port == 0) {
      endpoint->mutable_address()->mutable_pipe()->set_path(host.address);
      return *endpoint;
    }
    endpoint->mutable_address()->mutable_socket_address()->set_address(host.address);
    endpoint->mutable_address()->mutable_socket_address()->set_port_value(host.port);
    return *endpoint;
  }

  bool by_endpoint_;
  ClusterStats& out_;
  std::map<LocalityKey, UpstreamLocalityStats*> localities_;
  std::map<EndpointKey, UpstreamEndpointStats*> endpoints_;
};

}  // namespace

LoadReporter::LoadReporter(Wire& wire, LoadReporterOptions options)
    : clock_(wire),
      options_(std::move(options)),
      stream_(wire, kLoadReportingService, kStreamLoadStats,
              BackOff(options_.back_off_base_ms, options_.back_off_max_ms), *this),
      epoch_(std::make_shared<uint64_t>(0)) {}

LoadReporter::~LoadReporter() = default;

// ---- the stream ----

std::string LoadReporter::first_message() {
  return new_request(options_).SerializeAsString();
}

std::string LoadReporter::on_message(std::string_view bytes) {
  LoadStatsResponse response;
  if (!response.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    return "what came is no LoadStatsResponse";
  take_orders(response);
  event(LoadEvent::kRequest);
  gather(&LoadReporter::begin_periods);
  return {};
}

void LoadReporter::on_lost(const std::string& reason) {
  ++*epoch_;
  event(LoadEvent::kFailure, reason);
}

void LoadReporter::on_due() {
  gather(&LoadReporter::report);
}

void LoadReporter::gather(void (LoadReporter::*then)(const std::vector<ClusterReport>&)) {
  const uint64_t wanted_epoch = *epoch_;
  // The pointer tells whether there still is a reporter.
  options_.gather([this, then, wanted_epoch, epoch = std::weak_ptr<uint64_t>(epoch_)](
                      const std::vector<ClusterReport>& clusters) {
    const std::shared_ptr<uint64_t> present = epoch.lock();
    if (present == nullptr || *present != wanted_epoch) return;
    (this->*then)(clusters);
  });
}

// ---- periods ----

void LoadReporter::take_orders(const LoadStatsResponse& response) {
  ++*epoch_;
  all_ = response.send_all_clusters();
  names_ = {response.clusters().begin(), response.clusters().end()};
  by_endpoint_ = response.report_endpoint_granularity();
  interval_ms_ = ReportStream::interval_ms(response.load_reporting_interval());
  epoch_ms_ = clock_.now_ms();
  stream_.report_in(interval_ms_);
  std::erase_if(periods_, [this](const auto& period) { return !wanted(period.first); });
}

void LoadReporter::begin_periods(const std::vector<ClusterReport>& clusters) {
  for (const ClusterReport& cluster : clusters)
    if (wanted(cluster.name) && !periods_.contains(cluster.name))
      begin_period(cluster, periods_[cluster.name]);
}

void LoadReporter::begin_period(const ClusterReport& cluster, Period& period) {
  period.told.clear();
  for (const HostReport& host : cluster.hosts)
    period.told[{host.worker, host.incarnation}] = host.load;
  period.told_drops.clear();
  for (const DropReport& drop : cluster.drops)
    period.told_drops[{drop.worker, drop.incarnation, drop.category}] = drop.requests;
  period.refused = cluster.refused;
  period.since_ms = clock_.now_ms();
}

void LoadReporter::report(const std::vector<ClusterReport>& clusters) {
  LoadStatsRequest request = new_request(options_);
  std::map<std::string, Period> periods;
  for (const ClusterReport& cluster : clusters) {
    if (!wanted(cluster.name)) continue;
    // One without a period came to be in this one.
    auto known = periods_.find(cluster.name);
    Period period =
        known == periods_.end() ? Period{{}, {}, 0, epoch_ms_} : std::move(known->second);
    fill(cluster, period, *request.add_cluster_stats());
    begin_period(cluster, period);
    periods.emplace(cluster.name, std::move(period));
  }
  periods_ = std::move(periods);
  epoch_ms_ = clock_.now_ms();
  stream_.report_in(interval_ms_);
  stream_.send(request.SerializeAsString());
  event(LoadEvent::kReport);
}

void LoadReporter::fill(const ClusterReport& cluster, const Period& period, Stats& out) const {
  out.set_cluster_name(cluster.name);
  out.set_cluster_service_name(cluster.service_name);
  Localities localities(by_endpoint_, out);
  for (const HostReport& host : cluster.hosts) {
    const auto told = period.told.find({host.worker, host.incarnation});
    localities.add_host(host,
                        told == period.told.end() ? host.load : since(host.load, told->second));
  }
  fill_drops(cluster, period, out);
  const int64_t passed_ms = clock_.now_ms() - period.since_ms;
  out.mutable_load_report_interval()->set_seconds(passed_ms / 1000);
  out.mutable_load_report_interval()->set_nanos(static_cast<int32_t>(passed_ms % 1000) * 1'000'000);
}

// The total has what was refused without a category, too.
void LoadReporter::fill_drops(const ClusterReport& cluster, const Period& period, Stats& out) {
  std::map<std::string, uint64_t> categories;
  uint64_t total = since(cluster.refused, period.refused);
  for (const DropReport& drop : cluster.drops) {
    const auto told = period.told_drops.find({drop.worker, drop.incarnation, drop.category});
    const uint64_t more =
        told == period.told_drops.end() ? drop.requests : since(drop.requests, told->second);
    if (more > 0) categories[drop.category] += more;
    total += more;
  }
  out.set_total_dropped_requests(total);
  for (const auto& [category, requests] : categories) {
    auto& dropped = *out.add_dropped_requests();
    dropped.set_category(category);
    dropped.set_dropped_count(requests);
  }
}

void LoadReporter::event(LoadEvent what, const std::string& details) const {
  if (options_.on_event) options_.on_event(what, details);
}

}  // namespace weir::xds
