#include "proxy/server.h"

#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <iostream>

#include "config/diagnostic_format.h"
#include "config/istio_compat.h"
#include "config/resolve.h"
#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "filters/registry.h"
#include "proxy/listener_compile.h"

namespace weir {
namespace {

uint32_t processors() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) != 0) return 1;
  return static_cast<uint32_t>(CPU_COUNT(&set));
}

// Nobody works where nothing is served.
uint32_t worker_count(const Options& options) {
  if (options.validate_only) return 1;
  if (options.concurrency != 0) return options.concurrency;
  return std::min(processors(), Options::kMaxWorkers);
}

// Envoy's messages and our own.
config::Support supported() {
  config::Support support = config::default_support();
  support.add(filters::own_messages());
  return support;
}

}  // namespace

Result<void> raise_descriptor_limit(const Options& options) {
  constexpr uint64_t kOfProcess = 32;
  constexpr uint64_t kOfWorker = 4;
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return {};
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  const uint32_t workers = worker_count(options);
  if (kOfProcess + kOfWorker * workers <= limit.rlim_max) return {};
  return Error{"limit", "the system grants " + std::to_string(limit.rlim_max) +
                            " file descriptors, which are too few for " + std::to_string(workers) +
                            " workers; see ulimit -n and --concurrency"};
}

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

// ---- the start: names of the bootstrap's clusters are waited for, but not for long ----

class Server::ReadyTimer : private net::Timer::Owner {
 public:
  explicit ReadyTimer(Server& server) : server_(server), timer_(*this) {
    timer_.set(server.loop_.timers(), server.loop_.now_ms() + kMaxWaitMs);
  }

 private:
  void on_timer(net::Timer& /*timer*/) override {
    if (server_.stage_ != Stage::kPrimaryClusters) return;
    server_.clusters_.publish_primary();
    server_.advance();
  }

  Server& server_;
  net::Timer timer_;
};

// ---- the server ----

Server::Server(Options options)
    : options_(std::move(options)),
      logs_({worker_count(options_), options_.file_flush_interval_ms, !options_.validate_only},
            stats_),
      check_(supported()),
      hot_restart_(loop_, log_, options_),
      concurrency_(worker_count(options_)),
      workers_(concurrency_, stats_, options_.drain_time_s * 1000),
      reader_(check_, options_.reject_unknown_dynamic_fields, stats_, log_),
      runtime_(loop_, workers_, reader_, planes_),
      clusters_({loop_, stats_, workers_, last_owner_, reader_, secrets_, logs_, planes_}),
      resources_(workers_, last_owner_, reader_, planes_, stats_),
      listeners_({loop_, log_, stats_, workers_, last_owner_, reader_, resources_, secrets_,
                  planes_, [this] { return app_parts(); },
                  [this](const std::string& listener, const net::Address& address) {
                    return hot_restart_.inherited(listener, address);
                  }}),
      secret_feed_(secrets_, reader_, planes_,
                   [this](const std::string& name) { return has_cluster(name); }),
      planes_({loop_, log_, stats_,
               [this](const std::string& name) { return clusters_.on_main_loop(name); },
               options_.reject_unknown_dynamic_fields}),
      load_reports_({loop_, log_, stats_, workers_, clusters_, planes_,
                     [this](const std::string& name) { return clusters_.on_main_loop(name); }}),
      health_reports_({loop_,
                       log_,
                       stats_,
                       reader_,
                       planes_,
                       [this](const std::string& name) { return clusters_.on_main_loop(name); },
                       {&secrets_, &stats_, &logs_}}) {
  clusters_.on_published([this](const std::string& name, const upstream::ClusterConfig* config) {
    load_reports_.note(name, config);
  });
  clusters_.on_warm([this] { advance(); });
  runtime_.on_loaded([this] { advance(); });
  runtime_.on_changed([this](const Runtime& now) {
    using upstream::DropLimit;
    clusters_.set_drop_limit(now.limit(DropLimit::kRuntimeKey, DropLimit::kMaxPercent));
  });
  listeners_.on_warm([this] { advance(); });
  secrets_.on_settled([this] {
    clusters_.secrets_settled();
    listeners_.activate_ready();
  });
}

Server::~Server() = default;

Result<void> Server::set_up_log() {
  Result<LogLevel> level = log_level_by_name(options_.log_level);
  if (!level) return level.error();
  log_.set_level(*level);
  if (!options_.component_log_level.empty()) {
    if (Result<void> set = log_.set_component_levels(options_.component_log_level); !set)
      return set.error();
  }
  if (!options_.log_format.empty()) {
    if (Result<void> set = log_.set_format(options_.log_format); !set) return set.error();
  }
  if (options_.log_path.empty()) return {};
  return log_.open(options_.log_path);
}

void Server::print(config::Diagnostics& diagnostics) const {
  const bool is_asked = options_.validate_only && options_.json_output;
  if (diagnostics.items().empty() && !is_asked) return;
  config::resolve_positions(diagnostics);
  if (options_.json_output) {
    std::cout << config::format_json(diagnostics) << std::flush;
    return;
  }
  std::cerr << config::format_text(diagnostics, isatty(STDERR_FILENO) != 0) << std::flush;
}

bool Server::has_cluster(std::string_view name) const {
  if (names_in_file_) return names_in_file_->contains(name) || clusters_.has_dynamic(name);
  return clusters_.has(name);
}

AppParts Server::app_parts() {
  AppParts parts{.stats = stats_,
                 .filter_types = filters::http_filters(),
                 .has_cluster = [this](std::string_view name) { return has_cluster(name); },
                 .logs = logs_,
                 .health_check_failing = &health_check_failing_,
                 .workers = concurrency_,
                 .kept_filter_state = &kept_filter_state_,
                 .overload = &overload_,
                 .secrets = &secrets_,
                 .clusters_may_follow = true};
  parts.when_gone = [this] { loop_.post([this] { resources_.sweep(); }); };
  parts.runtime = runtime_.live();
  if (plan_ != nullptr) {
    parts.service_cluster = plan_->node_cluster;
  }
  parts.check_source = [this, has_cluster = parts.has_cluster](
                           const envoy::config::core::v3::ConfigSource& source,
                           xds::ResourceType type, const config::FieldPath& path,
                           config::Diagnostics& diagnostics) {
    return planes_.check(source, type, path, has_cluster, diagnostics);
  };
  return parts;
}

Server::Loaded Server::load() {
  config::Diagnostics diagnostics;
  Loaded loaded;
  loaded.bootstrap = config::load_bootstrap(options_.load, check_, diagnostics);
  const auto old_listener = [this](const std::string& name) { return listeners_.find(name); };
  if (loaded.bootstrap != nullptr) {
    reader_.set_istio_compat(options_.load.istio_compat ||
                             config::is_istio_node(loaded.bootstrap->node()));
    runtime_.prepare(*loaded.bootstrap);
    names_in_file_.emplace();
    for (const auto& cluster : loaded.bootstrap->static_resources().clusters())
      names_in_file_->insert(cluster.name());
    loaded.plan = compile_plan(*loaded.bootstrap, AppBuild(app_parts(), diagnostics),
                               {planes_, old_listener, plan_ == nullptr});
  }
  names_in_file_.reset();
  kept_filter_state_.sweep();
  print(diagnostics);
  malloc_trim(0);  // reading takes several times the memory of what it leaves; give that back
  return loaded;
}

int Server::run() {
  if (Result<void> set = set_up_log(); !set) {
    std::cerr << "weir: " << set.error().message << "\n";
    return 2;
  }
  Loaded loaded = load();
  if (loaded.plan == nullptr) {
    hot_restart_.report("the configuration is refused");
    return 1;
  }
  if (options_.validate_only) {
    if (!options_.json_output)
      std::cout << "configuration '" << options_.load.config_path << "' OK\n" << std::flush;
    return 0;
  }
  signals_ = std::make_unique<Signals>(*this);
  started_ms_ = loop_.now_ms();
  logs_.start();
  Result<void> ready;
  if (options_.log_format.empty()) ready = log_.set_format(loaded.plan->log_format);
  if (ready) ready = hot_restart_.begin();
  if (hot_restart_.has_parent()) listeners_.sockets().hold_back();
  if (ready) ready = open_admin(*loaded.plan);
  if (ready) ready = prepare(loaded);
  if (!ready) {
    fail(ready.error().message);
    logs_.stop();
    return 1;
  }
  put_into_force(std::move(loaded));
  ready_timer_ = std::make_unique<ReadyTimer>(*this);
  advance();
  secrets_.watch(loop_);
  loop_.run();
  workers_.stop();
  hot_restart_.finish();
  admin_.reset();
  logs_.stop();
  return failed_ ? 1 : 0;
}

// Before it serves; a process that this one was to follow serves on.
void Server::fail(const std::string& why) {
  log_.critical(Component::kMain, why);
  hot_restart_.report(why);
  failed_ = true;
  loop_.stop();
}

// ---- start ----

// Called whenever something came that a stage may wait for.
void Server::advance() {
  if (stage_ == Stage::kServing) return finish_reload();
  // Clusters may be there before the listeners of the bootstrap are known.
  if (stage_ == Stage::kPrimaryClusters && ready_timer_ == nullptr) return;
  if (stage_ == Stage::kPrimaryClusters && clusters_.primary_warm()) ask_for_clusters();
  if (stage_ == Stage::kClusters && runtime_.loaded() && clusters_loaded_ && clusters_.warm())
    ask_for_listeners();
  if (stage_ == Stage::kListeners && listeners_loaded_ && listeners_.warm()) start_serving();
}

void Server::ask_for_clusters() {
  stage_ = Stage::kClusters;
  runtime_.subscribe();
  const auto& dynamic = bootstrap_->dynamic_resources();
  clusters_loaded_ = !dynamic.has_cds_config();
  if (!clusters_loaded_) {
    const auto& from = dynamic.cds_config();
    clusters_.subscribe(*planes_.source(from, xds::ResourceType::kCluster), fetch_timeout_ms(from),
                        [this] {
                          clusters_loaded_ = true;
                          advance();
                        });
  }
  planes_.start();
  load_reports_.start(*bootstrap_);
  health_reports_.start(*bootstrap_);
}

void Server::ask_for_listeners() {
  stage_ = Stage::kListeners;
  const auto& dynamic = bootstrap_->dynamic_resources();
  listeners_loaded_ = !dynamic.has_lds_config();
  if (listeners_loaded_) return;
  const auto& from = dynamic.lds_config();
  listeners_.subscribe(*planes_.source(from, xds::ResourceType::kListener), fetch_timeout_ms(from),
                       [this] {
                         listeners_loaded_ = true;
                         advance();
                       });
}

// What was posted to the workers until now, clusters first, runs when their loops start.
void Server::start_serving() {
  if (stage_ == Stage::kServing || failed_) return;
  if (Result<void> listening = listeners_.sockets().listen_all(); !listening) {
    fail(listening.error().message);
    return;
  }
  stage_ = Stage::kServing;
  ready_timer_.reset();
  // Connections come from here on, though nobody has accepted one yet.
  log_.info(Component::kMain, "serving with ", concurrency_, " workers");
  workers_.start();
  take_over();
}

void Server::begin_drain() {
  if (drain_watch_ != nullptr) return drain_watch_->hurry();
  log_.info(Component::kMain, "draining");
  if (stage_ != Stage::kServing) return loop_.stop();
  cancel_reload();
  hot_restart_.withdraw();
  listeners_.stop();
  workers_.each([](Worker& worker) { worker.drain(); });
  end_when_drained(options_.drain_time_s * 1000, {});
}

void Server::end_when_drained(int64_t time_ms, std::function<bool()> awaits) {
  drain_watch_ = std::make_unique<DrainWatch>(loop_, workers_, time_ms, std::move(awaits),
                                              [this] { loop_.stop(); });
}

}  // namespace weir
