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
  if (Result<void> applied = apply(std::move(loaded)); !applied) {
    secrets_.drop_static();
    log_.error(Component::kConfig, applied.error().message, "; the last good one stays");
    return false;
  }
  secrets_.reload();
  advance();
  log_.info(Component::kConfig, "the new configuration is in force");
  return true;
}

// What may fail comes first, so that nothing is half applied.
Result<void> Server::apply(Loaded loaded) {
  Result<Listeners::OpenedSockets> opened = listeners_.open_static(loaded.plan->listeners);
  if (!opened) return opened.error();
  plan_ = std::move(loaded.plan);
  bootstrap_ = std::move(loaded.bootstrap);
  secrets_.commit_static();
  runtime_.set(*bootstrap_);
  overload_watch_.set(plan_->overload);
  clusters_.set_zone(plan_->node_locality, plan_->local_cluster);
  clusters_.set_static(plan_->clusters, plan_->resolvers);
  listeners_.set_static(plan_->listeners, *opened);
  leaving_clusters_.watch();
  config_updated_s_ = loop_.wall_us() / 1'000'000;
  return {};
}

}  // namespace weir
