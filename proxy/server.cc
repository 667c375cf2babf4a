#include "proxy/server.h"

#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cstdio>
#include <iostream>

#include "config/diagnostic_format.h"
#include "config/resolve.h"
#include "filters/registry.h"
#include "proxy/listener_compile.h"

namespace weir {
namespace {

constexpr int64_t kDrainPollMs = 24;

uint32_t processors() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) != 0) return 1;
  return static_cast<uint32_t>(CPU_COUNT(&set));
}

// As many descriptors as the system grants: every connection needs two.
void raise_descriptor_limit() {
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

// Envoy's messages and our own.
config::Support supported() {
  config::Support support = config::default_support();
  support.add(filters::own_messages());
  return support;
}

}  // namespace

// ---- signals, as events of the main loop ----

class Server::Signals : public net::Watch::Owner {
 public:
  explicit Signals(Server& server) : server_(server) {
    sigset_t set;
    sigemptyset(&set);
    for (int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR1}) sigaddset(&set, signal);
    // Inherited by the workers, so that none of them is interrupted.
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    signal(SIGPIPE, SIG_IGN);
    fd_ = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    watch_.start_level(server.loop_, fd_, *this);
  }
  ~Signals() override {
    watch_.stop();
    close(fd_);
  }

  void on_ready(uint8_t /*ready*/) override {
    signalfd_siginfo info;
    while (read(fd_, &info, sizeof(info)) == sizeof(info)) {
      if (info.ssi_signo == SIGHUP) {
        server_.reload();
      } else if (info.ssi_signo == SIGUSR1) {
        server_.reopen_logs();
      } else {
        server_.begin_drain();
      }
    }
  }

 private:
  Server& server_;
  net::Watch watch_;
  int fd_ = -1;
};

// ---- the end: waits until the workers are empty, or the drain time is over ----

class Server::DrainWatch : private net::Timer::Owner {
 public:
  explicit DrainWatch(Server& server)
      : server_(server),
        timer_(*this),
        deadline_ms_(server.loop_.now_ms() + server.options_.drain_time_s * 1000) {
    poll();
  }

  // A second signal is impatience.
  void hurry() { deadline_ms_ = server_.loop_.now_ms(); }

 private:
  void poll() {
    timer_.set(server_.loop_.timers(), server_.loop_.now_ms() + kDrainPollMs);
    open_.store(0);
    answers_.store(0);
    server_.on_each_worker([this](Worker& worker) {
      open_ += worker.connections();
      ++answers_;
    });
  }

  void on_timer(net::Timer& /*timer*/) override {
    const bool all_answered = answers_.load() == server_.workers_.size();
    if (all_answered && open_.load() == 0) return server_.loop_.stop();
    if (server_.loop_.now_ms() >= deadline_ms_) {
      server_.on_each_worker([](Worker& worker) { worker.close_connections(); });
      return server_.loop_.stop();
    }
    if (!all_answered) {
      timer_.set(server_.loop_.timers(), server_.loop_.now_ms() + kDrainPollMs);
      return;
    }
    poll();
  }

  Server& server_;
  net::Timer timer_;
  int64_t deadline_ms_;
  std::atomic<size_t> open_{0};
  std::atomic<size_t> answers_{0};
};

// ---- the start: listeners wait a while for names to be resolved ----

class Server::ReadyTimer : private net::Timer::Owner {
 public:
  explicit ReadyTimer(Server& server) : server_(server), timer_(*this) {
    timer_.set(server.loop_.timers(), server.loop_.now_ms() + kMaxWaitMs);
  }

 private:
  static constexpr int64_t kMaxWaitMs = 5'000;
  void on_timer(net::Timer& /*timer*/) override { server_.start_serving(); }

  Server& server_;
  net::Timer timer_;
};

// ---- the server ----

Server::Server(Options options)
    : options_(std::move(options)),
      logs_({options_.concurrency != 0 ? options_.concurrency : processors(),
             options_.file_flush_interval_ms, !options_.validate_only},
            stats_),
      check_(supported()),
      concurrency_(options_.concurrency != 0 ? options_.concurrency : processors()) {}

Server::~Server() = default;

Result<void> Server::set_up_log() {
  Result<LogLevel> level = log_level_by_name(options_.log_level);
  if (!level) return level.error();
  log_.set_level(*level);
  if (!options_.component_log_level.empty()) {
    if (Result<void> set = log_.set_component_levels(options_.component_log_level); !set)
      return set.error();
  }
  if (options_.log_path.empty()) return {};
  return log_.open(options_.log_path);
}

void Server::print(config::Diagnostics& diagnostics) const {
  if (diagnostics.items().empty()) return;
  config::resolve_positions(diagnostics);
  if (options_.json_output) {
    std::cout << config::format_json(diagnostics) << "\n" << std::flush;
    return;
  }
  std::cerr << config::format_text(diagnostics, isatty(STDERR_FILENO) != 0) << std::flush;
}

AppBuild Server::app_build(config::Diagnostics& diagnostics) {
  AppBuild build{diagnostics,  stats_, filters::http_filters(), {}, logs_,  &health_check_failing_,
                 concurrency_, 0,      &kept_filter_state_,     {}, nullptr};
  build.secrets = &secrets_;
  return build;
}

Server::Loaded Server::load() {
  config::Diagnostics diagnostics;
  Loaded loaded;
  loaded.bootstrap = config::load_bootstrap(options_.load, check_, diagnostics);
  if (loaded.bootstrap != nullptr)
    loaded.plan = compile_plan(*loaded.bootstrap, app_build(diagnostics));
  kept_filter_state_.sweep();
  print(diagnostics);
  malloc_trim(0);  // reading takes several times the memory of what it leaves; give that back
  return loaded;
}

void Server::on_each_worker(const std::function<void(Worker&)>& task) {
  for (auto& worker : workers_) worker->loop().post([&worker = *worker, task] { task(worker); });
}

void Server::start_workers() {
  for (uint32_t i = 0; i < concurrency_; ++i)
    workers_.push_back(
        std::make_unique<Worker>(i, stats_.new_shard(), options_.drain_time_s * 1000));
}

int Server::run() {
  if (Result<void> set = set_up_log(); !set) {
    std::cerr << "weir: " << set.error().message << "\n";
    return 2;
  }
  raise_descriptor_limit();
  Loaded loaded = load();
  if (loaded.plan == nullptr) return 1;
  if (options_.validate_only) {
    if (!options_.json_output)
      std::cout << "configuration '" << options_.load.config_path << "' OK\n" << std::flush;
    return 0;
  }
  signals_ = std::make_unique<Signals>(*this);
  started_ms_ = loop_.now_ms();
  start_workers();
  logs_.start();
  Result<void> ready = open_admin(*loaded.plan);
  if (ready) ready = apply(std::move(loaded));
  if (!ready) {
    log_.critical(Component::kMain, ready.error().message);
    logs_.stop();
    return 1;
  }
  serve_when_ready();
  secrets_.watch(loop_);
  loop_.run();
  for (auto& worker : workers_) worker->loop().stop();
  for (auto& worker : workers_) worker->join();
  admin_.reset();
  discovery_.reset();
  logs_.stop();
  return 0;
}

// ---- start ----

void Server::serve_when_ready() {
  if (discovery_ == nullptr || discovery_->initialised()) return start_serving();
  ready_timer_ = std::make_unique<ReadyTimer>(*this);
}

// What was posted to the workers until now, clusters first, runs when their loops start.
void Server::start_serving() {
  if (serving_) return;
  serving_ = true;
  for (auto& worker : workers_) worker->start();
  log_.info(Component::kMain, "serving with ", concurrency_, " workers");
}

void Server::discover(std::shared_ptr<const upstream::ClusterConfig> config) {
  if (discovery_ == nullptr) {
    upstream::DiscoveryEvents events;
    events.publish = [this](const std::string& name, auto hosts) { publish_hosts(name, hosts); };
    events.initialised = [this](const std::string&) {
      if (ready_timer_ != nullptr && discovery_->initialised()) start_serving();
    };
    discovery_ = std::make_unique<upstream::Discovery>(loop_, std::move(events));
  }
  discovery_->add(std::move(config));
}

void Server::begin_drain() {
  if (drain_watch_ != nullptr) return drain_watch_->hurry();
  log_.info(Component::kMain, "draining");
  start_serving();
  on_each_worker([](Worker& worker) { worker.drain(); });
  drain_watch_ = std::make_unique<DrainWatch>(*this);
}

// ---- applying configuration ----

bool Server::reload() {
  log_.info(Component::kConfig, "reading the configuration again");
  Loaded loaded = load();
  if (loaded.plan == nullptr) {
    log_.error(Component::kConfig, "the configuration is refused; the last good one stays");
    return false;
  }
  if (Result<void> applied = apply(std::move(loaded)); !applied) {
    log_.error(Component::kConfig, applied.error().message, "; the last good one stays");
    return false;
  }
  log_.info(Component::kConfig, "the new configuration is in force");
  return true;
}

// What may fail comes first, so that nothing is half applied.
Result<void> Server::apply(Loaded loaded) {
  const std::unique_ptr<const Plan>& plan = loaded.plan;
  OpenedSockets opened;
  for (const auto& listener : plan->listeners) {
    const auto old = listeners_.find(listener->name);
    if (old != listeners_.end() && old->second->addresses == listener->addresses) continue;
    auto sockets = sockets_for_workers(*listener);
    if (!sockets) {
      for (auto& [name, per_worker] : opened)
        for (auto& fds : per_worker)
          for (int fd : fds) close(fd);
      return sockets.error();
    }
    opened[listener->name] = sockets.take();
  }
  apply_clusters(*plan);
  apply_listeners(*plan, opened);
  plan_ = std::move(loaded.plan);
  bootstrap_ = std::move(loaded.bootstrap);
  config_updated_s_ = loop_.wall_us() / 1'000'000;
  return {};
}

void Server::apply_clusters(const Plan& plan) {
  for (const auto& [name, config] : plan.clusters) {
    const auto old = clusters_.find(name);
    if (old != clusters_.end() && old->second->config->hash == config->hash) continue;
    publish_cluster(config);
  }
  std::erase_if(clusters_, [&](const auto& entry) {
    if (plan.clusters.contains(entry.first)) return false;
    if (discovery_ != nullptr) discovery_->remove(entry.first);
    on_each_worker([name = entry.first](Worker& worker) { worker.remove_cluster(name); });
    return true;
  });
}

void Server::publish_cluster(std::shared_ptr<const upstream::ClusterConfig> config) {
  PublishedCluster published;
  published.cluster = std::make_shared<upstream::Cluster>(config, stats_, concurrency_);
  published.hosts = std::make_shared<upstream::HostSet>(config->hosts);
  published.plan = upstream::plan_balancing(config->balancing, published.hosts);
  clusters_[config->name] = published.cluster;
  on_each_worker([published](Worker& worker) { worker.set_cluster(published); });
  if (!config->targets.empty()) discover(std::move(config));
}

void Server::publish_hosts(const std::string& name,
                           std::shared_ptr<const upstream::HostSet> hosts) {
  const auto found = clusters_.find(name);
  if (found == clusters_.end()) return;
  auto plan = upstream::plan_balancing(found->second->config->balancing, hosts);
  on_each_worker([=](Worker& worker) { worker.update_hosts(name, hosts, plan); });
}

void Server::apply_listeners(const Plan& plan, OpenedSockets& opened) {
  std::map<std::string, std::shared_ptr<const ListenerConfig>> present;
  for (const auto& listener : plan.listeners) {
    present[listener->name] = listener;
    const auto old = listeners_.find(listener->name);
    const auto sockets = opened.find(listener->name);
    if (old != listeners_.end() && sockets == opened.end() && old->second->hash == listener->hash) {
      present[listener->name] = old->second;
      continue;
    }
    for (size_t i = 0; i < workers_.size(); ++i) {
      std::vector<int> fds;
      if (sockets != opened.end()) fds = sockets->second[i];
      Worker& worker = *workers_[i];
      worker.loop().post([&worker, listener, fds] { worker.set_listener(listener, fds); });
    }
  }
  for (const auto& [name, listener] : listeners_)
    if (!present.contains(name))
      on_each_worker([name = name](Worker& worker) { worker.remove_listener(name); });
  listeners_ = std::move(present);
}

Result<std::vector<std::vector<int>>> Server::sockets_for_workers(const ListenerConfig& config) {
  std::vector<std::vector<int>> all(workers_.size());
  for (size_t i = 0; i < workers_.size(); ++i) {
    // Where the kernel does not share an address among sockets, the workers share one socket.
    const bool share = i > 0 && (!config.reuse_port || !config.addresses[0].is_ip());
    if (share) {
      for (int fd : all[0]) all[i].push_back(dup(fd));
      continue;
    }
    Result<std::vector<int>> opened = open_sockets(config);
    if (!opened) {
      for (auto& fds : all)
        for (int fd : fds) close(fd);
      return opened.error();
    }
    all[i] = opened.take();
  }
  return all;
}

}  // namespace weir
