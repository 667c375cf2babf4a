#include <latch>
#include <map>
#include <set>
#include <utility>

#include "filters/registry.h"
#include "proxy/listener_compile.h"
#include "proxy/server.h"
#include "proxy/stats_config.h"

// What the admin endpoints see of the server.
namespace weir {
namespace {

admin::BreakerState breaker_state(const upstream::Thresholds& in) {
  return {in.max_connections, in.max_pending_requests, in.max_requests, in.max_retries};
}

void set_health(const upstream::ClusterHealth* health, const upstream::Endpoint& endpoint,
                admin::EndpointState& out) {
  upstream::HealthFlags flags;
  flags.configured = endpoint.health;
  if (health != nullptr) flags = health->flags(endpoint);
  out.degraded = flags.configured == upstream::Health::kDegraded;
  out.unhealthy_by_config = flags.configured == upstream::Health::kUnhealthy;
  out.failed_active_health_check = flags.failed_active;
  out.active_health_check_timeout = flags.timed_out;
  out.degraded_active_health_check = flags.degraded_active;
  out.pending_active_health_check = flags.waits_for_check;
  out.pending_dynamic_removal = flags.awaits_removal;
  out.excluded_by_its_word = flags.excluded;
  out.failed_outlier_check = flags.failed_outlier;
  out.success_rate = flags.success_rate;
  out.local_origin_success_rate = flags.local_origin_success_rate;
}

admin::EndpointState endpoint_state(const upstream::Endpoint& in, const Clusters::State& cluster) {
  const std::vector<upstream::LocalityInfo>& localities = cluster.hosts->localities;
  admin::EndpointState out;
  out.address = in.address;
  out.hostname = in.hostname;
  out.weight = in.weight;
  out.priority = in.priority;
  if (in.locality < localities.size()) {
    const upstream::Locality& locality = localities[in.locality].locality;
    out.locality_weight = localities[in.locality].weight;
    out.region = locality.region;
    out.zone = locality.zone;
    out.sub_zone = locality.sub_zone;
  }
  set_health(cluster.health, in, out);
  return out;
}

void add_report(const HostReport& in, admin::EndpointState& out) {
  out.cx_active += in.cx_active;
  out.cx_connect_fail += in.counters.cx_connect_fail;
  out.cx_total += in.counters.cx_total;
  out.rq_active += in.rq_active;
  out.rq_error += in.counters.rq_error;
  out.rq_success += in.counters.rq_success;
  out.rq_timeout += in.counters.rq_timeout;
  out.rq_total += in.counters.rq_total;
}

// Those of the set in its order, then those that clients chose (ORIGINAL_DST).
std::vector<admin::EndpointState> endpoint_states(const Clusters::State& cluster,
                                                  const std::vector<HostReport>& reports) {
  const upstream::HostSet& set = *cluster.hosts;
  std::vector<admin::EndpointState> out;
  out.reserve(set.endpoints.size());
  for (const upstream::Endpoint& endpoint : set.endpoints)
    out.push_back(endpoint_state(endpoint, cluster));
  std::map<std::string_view, size_t> others;
  for (const HostReport& report : reports) {
    size_t place = report.index;
    if (place >= set.endpoints.size() || set.endpoints.shared(place) != report.endpoint) {
      place = others.try_emplace(report.endpoint->address_text, out.size()).first->second;
      if (place == out.size()) out.push_back(endpoint_state(*report.endpoint, cluster));
    }
    add_report(report, out[place]);
  }
  return out;
}

// Where each resource stands, and which of them were told.
class StatusByName {
 public:
  explicit StatusByName(std::vector<ControlPlanes::Plane> planes) : planes_(std::move(planes)) {
    for (const ControlPlanes::Plane& plane : planes_)
      for (const xds::ResourceStatus& one : plane.resources)
        by_name_.try_emplace({one.type, one.name}, &one);
  }

  // Null: nothing is known of it. Tells of it once or more.
  const xds::ResourceStatus* find(xds::ResourceType type, const std::string& name) {
    const auto found = by_name_.find({type, name});
    if (found == by_name_.end()) return nullptr;
    told_.insert(found->second);
    return found->second;
  }
  // Those that were refused, and of which no version is in force.
  std::vector<const xds::ResourceStatus*> refused_and_absent() const {
    std::vector<const xds::ResourceStatus*> out;
    for (const auto& [key, status] : by_name_)
      if (!status->error.empty() && !told_.contains(status)) out.push_back(status);
    return out;
  }

 private:
  std::vector<ControlPlanes::Plane> planes_;
  std::map<std::pair<xds::ResourceType, std::string>, const xds::ResourceStatus*> by_name_;
  std::set<const xds::ResourceStatus*> told_;
};

void set_verdict(const xds::ResourceStatus& status, admin::DynamicResource& to) {
  to.state = state_name(status.state);
  to.error = status.error;
  to.rejected_version = status.rejected_version;
  to.rejected_ms = status.rejected_ms;
}

}  // namespace

Result<void> Server::open_admin(const Plan& plan) {
  if (!plan.admin_address) return {};
  ListenerConfig listener;
  listener.name = "admin";
  listener.addresses = {*plan.admin_address};
  listener.reuse_port = false;
  const std::vector<int> there = hot_restart_.inherited("", *plan.admin_address);
  for (size_t i = 1; i < there.size(); ++i) close(there[i]);
  const Result<int> opened =
      there.empty() ? open_socket(*plan.admin_address, listener) : Result<int>(there[0]);
  if (!opened) return opened.error();
  admin_socket_ = *opened;
  // Until this process takes over, the one before answers there.
  return hot_restart_.has_parent() ? Result<void>() : start_admin();
}

Result<void> Server::start_admin() {
  const int fd = std::exchange(admin_socket_, -1);
  if (fd < 0) return {};
  admin_ = std::make_unique<AdminServer>(loop_, fd, admin_hooks());
  sockaddr_storage bound;
  socklen_t length = sizeof(bound);
  getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &length);
  const net::Address bound_address =
      net::Address::from_sockaddr(reinterpret_cast<sockaddr*>(&bound), length);
  const std::string address = bound_address.text();
  log_.info(Component::kAdmin, "admin address: ", address);
  if (!bound_address.is_loopback())
    log_.warning(Component::kAdmin, "the admin port is open to the network");
  if (options_.admin_address_path.empty()) return {};
  std::FILE* file = std::fopen(options_.admin_address_path.c_str(), "w");
  if (file == nullptr)
    return Error{"io", "cannot write the admin address to " + options_.admin_address_path};
  std::fputs(address.c_str(), file);
  std::fclose(file);
  return {};
}

admin::ServerFacts Server::facts() {
  admin::ServerFacts facts;
  facts.version = version_text();
  facts.state = drain_watch_ != nullptr || health_check_failing_ ? admin::ServerState::kDraining
                : stage_ == Stage::kServing                      ? admin::ServerState::kLive
                                            : admin::ServerState::kInitializing;
  facts.uptime_s = (loop_.now_ms() - started_ms_) / 1000;
  facts.concurrency = concurrency_;
  facts.config_path = options_.load.config_path;
  facts.config_yaml = options_.load.config_yaml;
  facts.allow_unknown_static_fields = options_.load.allow_unknown_static_fields;
  facts.local_address_ip_version = options_.local_address_ip_version;
  facts.log_level = options_.log_level;
  facts.component_log_level = options_.component_log_level;
  facts.log_path = options_.log_path;
  facts.service_cluster = options_.load.service_cluster;
  facts.service_node = options_.load.service_node;
  facts.file_flush_interval_ms = options_.file_flush_interval_ms;
  facts.hot_restart_version = hot_restart_.version();
  facts.restart_epoch = options_.restart_epoch;
  facts.base_id = options_.base_id.value_or(0);
  facts.parent_shutdown_time_s = options_.parent_shutdown_time_s;
  facts.disable_hot_restart = options_.disable_hot_restart;
  facts.drain_time_s = options_.drain_time_s;
  facts.drain_strategy = options_.drain_strategy;
  facts.cpuset_threads = options_.cpuset_threads;
  return facts;
}

// Asks each worker in turn and waits: a worker answers within a turn of its loop.
std::vector<admin::ClusterState> Server::cluster_states() {
  std::map<std::string, std::vector<HostReport>> reports;
  for (uint32_t i = 0; stage_ == Stage::kServing && i < workers_.size(); ++i) {
    Worker& worker = workers_.at(i);
    std::latch answered(1);
    worker.loop().post([&] {
      worker.report(reports);
      answered.count_down();
    });
    answered.wait();
  }
  std::vector<admin::ClusterState> states;
  for (const Clusters::State& cluster : clusters_.states()) {
    const upstream::ClusterConfig& config = *cluster.config;
    admin::ClusterState state;
    state.name = config.name;
    state.observability_name = config.stat_name;
    state.eds_service_name = config.eds_service_name;
    state.added_via_api = cluster.dynamic;
    state.default_priority = breaker_state(config.thresholds[0]);
    state.high_priority = breaker_state(config.thresholds[1]);
    state.overprovisioning_factor = cluster.hosts->overprovisioning_factor;
    if (cluster.hosts->drops != nullptr)
      for (const auto& category : cluster.hosts->drops->categories())
        state.drops.push_back({category.name, static_cast<uint32_t>(category.share * 1e6 + 0.5)});
    state.endpoints = endpoint_states(cluster, reports[config.name]);
    states.push_back(std::move(state));
  }
  return states;
}

std::vector<admin::ControlPlaneState> Server::control_plane_states() const {
  std::vector<admin::ControlPlaneState> out;
  for (const ControlPlanes::Plane& plane : planes_.status()) {
    admin::ControlPlaneState state{plane.name, plane.connected, plane.identifier, {}};
    for (const xds::ResourceStatus& one : plane.resources)
      state.resources.push_back({.type = std::string(xds::short_name(one.type)),
                                 .type_url = std::string(xds::type_url(one.type)),
                                 .name = one.name,
                                 .state = std::string(state_name(one.state)),
                                 .version = one.version,
                                 .rejected_version = one.rejected_version,
                                 .error = one.error,
                                 .rejected_ms = one.rejected_ms,
                                 .since_ms = one.since_ms,
                                 .updated_ms = one.updated_ms});
    out.push_back(std::move(state));
  }
  return out;
}

std::vector<admin::DynamicResource> Server::dynamic_resources() const {
  std::vector<DynamicResource> resources;
  clusters_.describe(resources);
  listeners_.describe(resources);
  resources_.describe(resources);
  secret_feed_.describe(resources);
  runtime_.describe(resources);
  std::vector<admin::DynamicResource> out;
  StatusByName statuses(planes_.status());
  for (DynamicResource& one : resources) {
    admin::DynamicResource entry{.type_url = std::string(xds::type_url(one.type)),
                                 .name = std::move(one.name),
                                 .version = std::move(one.version),
                                 .updated_s = one.updated_s,
                                 .content = std::move(one.content),
                                 .warming = one.warming};
    if (const xds::ResourceStatus* status = statuses.find(one.type, entry.name))
      set_verdict(*status, entry);
    out.push_back(std::move(entry));
  }
  for (const xds::ResourceStatus* status : statuses.refused_and_absent()) {
    admin::DynamicResource entry{.type_url = std::string(xds::type_url(status->type)),
                                 .name = status->name};
    set_verdict(*status, entry);
    out.push_back(std::move(entry));
  }
  return out;
}

DrainStrategy Server::drain_strategy() const {
  return options_.drain_strategy == "immediate" ? DrainStrategy::kImmediate
                                                : DrainStrategy::kGradual;
}

// A second graceful one while the first goes on changes nothing, as in Envoy.
void Server::drain_listeners(const admin::DrainRequest& request) {
  const auto which = request.inbound_only ? Worker::Which::kInbound : Worker::Which::kAll;
  if (!request.graceful) {
    workers_.each(
        [which](Worker& worker) { worker.begin_drain(which, 0, DrainStrategy::kImmediate); });
    return stop_listeners(which);
  }
  if (drain_timer_ != nullptr) return;
  const int64_t time_ms = options_.drain_time_s * 1000;
  workers_.each([which, time_ms, strategy = drain_strategy()](Worker& worker) {
    worker.begin_drain(which, time_ms, strategy);
  });
  drain_timer_ = std::make_unique<Later>(loop_, time_ms, [this, which] { stop_listeners(which); });
  if (request.skip_exit) drain_timer_->cancel();
}

void Server::stop_listeners(Worker::Which which) {
  listeners_.forget_sockets(which == Worker::Which::kInbound);
  workers_.each([which](Worker& worker) { worker.stop_listeners(which, true); });
}

admin::AdminHooks Server::admin_hooks() {
  admin::AdminHooks hooks;
  hooks.stats = &stats_;
  hooks.log = &log_;
  hooks.refresh_stats = [this] {
    process_stats_.look_at(facts());
    process_stats_.look_at(clusters_.published());
  };
  hooks.server = [this] { return facts(); };
  hooks.clusters = [this] { return cluster_states(); };
  hooks.listeners = [this] {
    std::vector<admin::ListenerState> states;
    for (Listeners::State& one : listeners_.states())
      states.push_back({std::move(one.name), std::move(one.addresses)});
    return states;
  };
  hooks.runtime = [this] {
    std::vector<admin::RuntimeLayer> layers;
    for (const RuntimeLayers::Layer& layer : runtime_.layers())
      layers.push_back({layer.name, {layer.values.begin(), layer.values.end()}});
    return layers;
  };
  hooks.certificates = [this] {
    std::vector<admin::CertificateState> states;
    for (tls::CertificateEntry& entry : secrets_.certificates())
      states.push_back({std::move(entry.path), std::move(entry.facts), entry.authority});
    return states;
  };
  hooks.bootstrap = [this] { return bootstrap_; };
  hooks.dynamic_resources = [this] { return dynamic_resources(); };
  hooks.control_planes = [this] { return control_plane_states(); };
  hooks.clusters_version = [this] { return planes_.version(xds::ResourceType::kCluster); };
  hooks.listeners_version = [this] { return planes_.version(xds::ResourceType::kListener); };
  hooks.config_updated_s = [this] { return config_updated_s_; };
  hooks.hot_restart_version = [this] { return hot_restart_.version(); };
  hooks.drain_listeners = [this](const admin::DrainRequest& request) { drain_listeners(request); };
  hooks.modify_runtime = [this](const auto& values) { return runtime_.modify(values); };
  hooks.export_rules = [this]() -> const stats::ExportRules& { return plan_->stats->rules; };
  hooks.fail_health_checks = [this](bool failing) { health_check_failing_ = failing; };
  hooks.reopen_logs = [this] { reopen_logs(); };
  hooks.quit = [this] { begin_drain(); };
  return hooks;
}

}  // namespace weir
