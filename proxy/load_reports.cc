#include "proxy/load_reports.h"

#include <string_view>
#include <utility>

#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "envoy/config/core/v3/config_source.pb.h"

namespace weir {
namespace {

using envoy::config::core::v3::ApiConfigSource;
using xds::ClusterReport;
using xds::DropReport;
using xds::HostReport;
using xds::LoadEvent;

// What is asked of the workers, and what each of them answers.
struct Gathering {
  struct Part {
    std::vector<HostReport> hosts;
    std::vector<DropReport> drops;
  };
  std::vector<ClusterReport> clusters;
  // Of each worker, for each cluster: a worker writes its own.
  std::vector<std::vector<Part>> by_worker;
};

HostReport report_of(const upstream::Host& host, const upstream::HostSet& set, uint32_t worker) {
  const upstream::Endpoint& endpoint = host.endpoint();
  HostReport out;
  out.worker = worker;
  out.incarnation = reinterpret_cast<uintptr_t>(&host);
  out.load = {host.counters.rq_success, host.counters.rq_error, host.counters.rq_total};
  out.active = host.attached;
  out.address = endpoint.address.ip_text();
  out.port = endpoint.address.port();
  out.priority = endpoint.priority;
  if (endpoint.locality >= set.localities.size()) return out;
  const upstream::Locality& locality = set.localities[endpoint.locality].locality;
  out.region = locality.region;
  out.zone = locality.zone;
  out.sub_zone = locality.sub_zone;
  return out;
}

void add_drops(const upstream::DropCounts& counts, uint32_t worker, std::vector<DropReport>& out) {
  for (const auto& [category, requests] : counts.counts())
    if (requests > 0)
      out.push_back({worker, reinterpret_cast<uintptr_t>(&counts), category, requests});
}

// On the worker's thread. Endpoints that were never used have nothing to tell.
void gather_from(Worker& worker, Gathering& all) {
  auto& mine = all.by_worker[worker.index()];
  mine.resize(all.clusters.size());
  for (size_t i = 0; i < all.clusters.size(); ++i) {
    const upstream::WorkerCluster* cluster = worker.cluster(all.clusters[i].name);
    if (cluster == nullptr) continue;
    for (const auto& host : cluster->worker_hosts())
      if (host != nullptr && host->counters.rq_total > 0)
        mine[i].hosts.push_back(report_of(*host, cluster->hosts(), worker.index()));
    if (const auto* counts = cluster->drop_counts())
      add_drops(*counts, worker.index(), mine[i].drops);
  }
}

void merge(Gathering& all) {
  for (const auto& worker : all.by_worker)
    for (size_t i = 0; i < worker.size(); ++i) {
      ClusterReport& out = all.clusters[i];
      out.hosts.insert(out.hosts.end(), worker[i].hosts.begin(), worker[i].hosts.end());
      out.drops.insert(out.drops.end(), worker[i].drops.begin(), worker[i].drops.end());
    }
}

std::string_view stat_of(LoadEvent event) {
  switch (event) {
    case LoadEvent::kRequest:
      return "load_reporter.requests";
    case LoadEvent::kReport:
      return "load_reporter.responses";
    case LoadEvent::kFailure:
      break;
  }
  return "load_reporter.errors";
}

}  // namespace

void LoadReports::start(const config::Bootstrap& bootstrap) {
  const auto& manager = bootstrap.cluster_manager();
  if (!manager.has_load_stats_config()) return;
  auto& server = servers_[{}];
  if (server != nullptr) return;
  server = std::make_unique<Server>();
  open(*server, manager.load_stats_config());
}

void LoadReports::note(const std::string& cluster, const upstream::ClusterConfig* config) {
  const auto* source = config == nullptr ? nullptr : config->lrs_source.get();
  const std::string key = source == nullptr ? std::string() : source->SerializeAsString();
  const auto old = server_of_.find(cluster);
  const bool had_one = old != server_of_.end();
  if (had_one ? old->second == key : source == nullptr) return;
  if (had_one) {
    const auto left = servers_.find(old->second);
    left->second->clusters.erase(cluster);
    if (left->second->clusters.empty()) servers_.erase(left);
    server_of_.erase(old);
  }
  if (source == nullptr) return;
  const auto api = needs_.planes.load_service(*source);
  if (api == nullptr) return;
  server_of_[cluster] = key;
  auto& server = servers_[key];
  const bool is_new = server == nullptr;
  if (is_new) server = std::make_unique<Server>();
  server->clusters.insert(cluster);
  if (is_new) open(*server, *api);
}

void LoadReports::open(Server& server, const ApiConfigSource& api) {
  config::Diagnostics none;
  auto service = upstream::GrpcServiceConfig::compile(api.grpc_services(0),
                                                      config::FieldPath::root(), {}, none);
  server.name = service->cluster;
  xds::LoadReporterOptions options;
  options.node = needs_.planes.node();
  options.back_off_base_ms = service->back_off_base_ms;
  options.back_off_max_ms = service->back_off_max_ms;
  options.gather = [this, &server](xds::LoadReporterOptions::Then then) {
    gather(server, std::move(then));
  };
  options.on_event = [this, &server](LoadEvent event, const std::string& details) {
    on_event(server, event, details);
  };
  server.wire = std::make_unique<GrpcWire>(needs_.loop, needs_.find_cluster, std::move(*service));
  server.reporter = std::make_unique<xds::LoadReporter>(*server.wire, std::move(options));
  server.wire->set_tick([reporter = server.reporter.get()] { reporter->tick(); });
  server.reporter->start();
}

void LoadReports::gather(const Server& server, xds::LoadReporterOptions::Then then) {
  auto all = std::make_shared<Gathering>();
  for (const Clusters::State& state : needs_.clusters.states()) {
    const upstream::ClusterConfig& config = *state.config;
    if (!server.clusters.empty() && !server.clusters.contains(config.name)) continue;
    const std::string overflow = "cluster." + config.stat_name + ".upstream_rq_pending_overflow";
    all->clusters.push_back({.name = config.name,
                             .service_name = config.eds_service_name,
                             .refused = needs_.stats.value(overflow)});
  }
  all->by_worker.resize(needs_.workers.size());
  needs_.workers.each_then(
      needs_.loop, [all](Worker& worker) { gather_from(worker, *all); },
      [all, then = std::move(then)] {
        merge(*all);
        then(all->clusters);
      });
}

void LoadReports::on_event(Server& server, LoadEvent event, const std::string& details) {
  needs_.stats.main_shard().inc(needs_.stats.counter(stat_of(event)));
  if (event == LoadEvent::kRequest) server.away = false;
  if (event != LoadEvent::kFailure || std::exchange(server.away, true)) return;
  needs_.log.warning(Component::kConfig, "load cannot be reported to '", server.name,
                     "' at present: ", details);
}

}  // namespace weir
