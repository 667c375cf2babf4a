#include "proxy/server_reload.h"

#include <atomic>
#include <memory>
#include <utility>

#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "proxy/server.h"

// How the server puts configurations into force, at its start and later.
namespace weir {

// ---- clusters that the bootstrap no longer has ----

void LeavingClusters::watch() {
  ++round_;
  again();
}

void LeavingClusters::pause() {
  ++round_;
  timer_.cancel();
}

void LeavingClusters::again() {
  if (needs_.clusters.some_leave())
    timer_.set(needs_.loop.timers(), needs_.loop.now_ms() + kLookMs);
}

// Each worker answers when it has done what was posted to it before, such as replacing listeners.
void LeavingClusters::on_timer(net::Timer& /*timer*/) {
  if (needs_.listeners.old_static_serve()) return again();
  needs_.clusters.let_go(needs_.loop.now_ms() + needs_.drain_ms);
  auto in_use = std::make_shared<std::atomic<bool>>(false);
  needs_.workers.each_then(
      needs_.loop,
      [in_use](Worker& worker) {
        if (worker.has_older_connections()) in_use->store(true);
      },
      [this, in_use, round = round_] {
        // Listeners were replaced meanwhile: the answers are old.
        if (round != round_) return;
        needs_.clusters.remove_let_go(!*in_use);
        again();
      });
}

// ---- the server ----

bool Server::reload() {
  if (handed_over_ || drain_watch_ != nullptr) {
    log_.warning(Component::kConfig, "this process is about to end; the configuration stays");
    return false;
  }
  log_.info(Component::kConfig, "reading the configuration again");
  Loaded loaded = load();
  if (loaded.plan == nullptr) {
    secrets_.drop_static();
    log_.error(Component::kConfig, "the configuration is refused; the last good one stays");
    return false;
  }
  if (Result<void> prepared = prepare(loaded); !prepared) {
    secrets_.drop_static();
    log_.error(Component::kConfig, prepared.error().message, "; the last good one stays");
    return false;
  }
  secrets_.reload();
  warming_ = std::move(loaded);
  waited_ = false;
  wait_limit_ = std::make_unique<Later>(loop_, kMaxWaitMs, [this] {
    clusters_.publish_primary();
    waited_ = true;
    finish_reload();
  });
  finish_reload();
  if (warming_) log_.info(Component::kConfig, "the new configuration waits for its clusters");
  advance();
  return true;
}

// Before this process serves, no configuration is in force that could serve instead.
void Server::finish_reload() {
  if (!warming_) return;
  if (stage_ == Stage::kServing && !clusters_.static_warm(waited_)) return;
  wait_limit_->cancel();
  put_into_force(*std::exchange(warming_, std::nullopt));
  log_.info(Component::kConfig, "the new configuration is in force");
}

// What was read last and waits for its clusters will not come into force.
void Server::cancel_reload() {
  warming_.reset();
  if (wait_limit_ != nullptr) wait_limit_->cancel();
}

// What may fail comes first, so that nothing is half applied. Clusters begin to warm.
Result<void> Server::prepare(const Loaded& loaded) {
  const Plan& plan = *loaded.plan;
  if (Result<void> opened = listeners_.prepare_static(plan.listeners); !opened)
    return opened.error();
  leaving_clusters_.pause();
  secrets_.commit_static();
  clusters_.set_zone(plan.node_locality, plan.local_cluster);
  clusters_.set_static(plan.clusters, plan.resolvers);
  return {};
}

void Server::put_into_force(Loaded loaded) {
  plan_ = std::move(loaded.plan);
  bootstrap_ = std::move(loaded.bootstrap);
  runtime_.set(*bootstrap_);
  overload_watch_.set(plan_->overload);
  listeners_.set_static(plan_->listeners);
  leaving_clusters_.watch();
  config_updated_s_ = loop_.wall_us() / 1'000'000;
}

}  // namespace weir
