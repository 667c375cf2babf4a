#include <latch>

#include "filters/registry.h"
#include "proxy/listener_compile.h"
#include "proxy/server.h"

// What the admin endpoints see of the server.
namespace weir {
namespace {

admin::BreakerState breaker_state(const upstream::Thresholds& in) {
  return {in.max_connections, in.max_pending_requests, in.max_requests, in.max_retries};
}

admin::EndpointState endpoint_state(const EndpointReport& in,
                                    const std::vector<upstream::LocalityInfo>& localities) {
  admin::EndpointState out;
  out.address = in.endpoint.address;
  out.hostname = in.endpoint.hostname;
  out.weight = in.endpoint.weight;
  out.priority = in.endpoint.priority;
  if (in.endpoint.locality < localities.size()) {
    const upstream::Locality& locality = localities[in.endpoint.locality].locality;
    out.region = locality.region;
    out.zone = locality.zone;
    out.sub_zone = locality.sub_zone;
  }
  out.degraded = in.endpoint.health == upstream::Health::kDegraded;
  out.unhealthy_by_config = in.endpoint.health == upstream::Health::kUnhealthy;
  out.cx_active = in.cx_active;
  out.cx_connect_fail = in.counters.cx_connect_fail;
  out.cx_total = in.counters.cx_total;
  out.rq_active = in.rq_active;
  out.rq_error = in.counters.rq_error;
  out.rq_success = in.counters.rq_success;
  out.rq_timeout = in.counters.rq_timeout;
  out.rq_total = in.counters.rq_total;
  return out;
}

}  // namespace

Result<void> Server::open_admin(const Plan& plan) {
  if (!plan.admin_address) return {};
  ListenerConfig listener;
  listener.name = "admin";
  listener.addresses = {*plan.admin_address};
  listener.reuse_port = false;
  Result<std::vector<int>> opened = open_sockets(listener);
  if (!opened) return opened.error();
  const int fd = opened->front();
  admin_ = std::make_unique<AdminServer>(loop_, fd, admin_hooks());
  sockaddr_storage bound;
  socklen_t length = sizeof(bound);
  getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &length);
  const std::string address =
      net::Address::from_sockaddr(reinterpret_cast<sockaddr*>(&bound), length).text();
  log_.info(Component::kAdmin, "admin address: ", address);
  if (!plan.admin_address->is_loopback())
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
                : serving_                                       ? admin::ServerState::kLive
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
  facts.drain_time_s = options_.drain_time_s;
  facts.drain_strategy = options_.drain_strategy;
  facts.cpuset_threads = options_.cpuset_threads;
  return facts;
}

// Asks each worker in turn and waits: a worker answers within a turn of its loop.
std::vector<admin::ClusterState> Server::cluster_states() {
  std::map<std::string, std::vector<EndpointReport>> reports;
  if (serving_) {
    for (auto& worker : workers_) {
      std::latch answered(1);
      worker->loop().post([&worker = *worker, &reports, &answered] {
        worker.report(reports);
        answered.count_down();
      });
      answered.wait();
    }
  }
  std::vector<admin::ClusterState> states;
  for (const auto& [name, cluster] : clusters_) {
    admin::ClusterState state;
    state.name = name;
    state.observability_name = cluster->config->stat_name;
    state.default_priority = breaker_state(cluster->config->thresholds[0]);
    state.high_priority = breaker_state(cluster->config->thresholds[1]);
    const auto& localities = cluster->config->hosts.localities.empty()
                                 ? cluster->config->target_localities
                                 : cluster->config->hosts.localities;
    for (const EndpointReport& report : reports[name])
      state.endpoints.push_back(endpoint_state(report, localities));
    states.push_back(std::move(state));
  }
  return states;
}

admin::AdminHooks Server::admin_hooks() {
  admin::AdminHooks hooks;
  hooks.stats = &stats_;
  hooks.log = &log_;
  hooks.server = [this] { return facts(); };
  hooks.clusters = [this] { return cluster_states(); };
  hooks.listeners = [this] {
    std::vector<admin::ListenerState> states;
    for (const auto& [name, listener] : listeners_) states.push_back({name, listener->addresses});
    return states;
  };
  hooks.runtime = [this] {
    admin::RuntimeLayer layer{"static", {}};
    if (plan_ != nullptr && plan_->runtime != nullptr)
      layer.values.assign(plan_->runtime->values().begin(), plan_->runtime->values().end());
    return std::vector<admin::RuntimeLayer>{std::move(layer)};
  };
  hooks.certificates = [this] {
    std::vector<admin::CertificateState> states;
    for (tls::CertificateEntry& entry : secrets_.certificates())
      states.push_back({std::move(entry.path), std::move(entry.facts), entry.authority});
    return states;
  };
  hooks.bootstrap = [this] { return bootstrap_; };
  hooks.config_updated_s = [this] { return config_updated_s_; };
  hooks.drain_listeners = [this](const admin::DrainRequest&) {
    on_each_worker([](Worker& worker) { worker.drain(); });
  };
  hooks.fail_health_checks = [this](bool failing) { health_check_failing_ = failing; };
  hooks.reopen_logs = [this] { reopen_logs(); };
  hooks.quit = [this] { begin_drain(); };
  return hooks;
}

}  // namespace weir
