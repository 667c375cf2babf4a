#include <unistd.h>

#include <algorithm>
#include <utility>

#include "proxy/activated_sockets.h"
#include "proxy/server.h"

// How the server follows the process before it, and makes way for the one after it.
namespace weir {

// This process accepts already: for a moment both do, and no connection is lost.
void Server::take_over() {
  hot_restart_.take_over([this](const hot_restart::Counters& counters) {
    for (const auto& [name, value] : counters) stats_.main_shard().inc(stats_.counter(name), value);
  });
  if (Result<void> started = start_admin(); !started)
    log_.error(Component::kAdmin, started.error().message);
  hot_restart_.offer(heir_hooks());
  hot_restart_.report_ready();
}

hot_restart::Host::Hooks Server::heir_hooks() {
  hot_restart::Host::Hooks hooks;
  hooks.sockets = [this](const std::string& listener, const net::Address& address) {
    return sockets_for_heir(listener, address);
  };
  hooks.counters = [this] {
    hot_restart::Counters counters;
    stats_.for_each([&](const stats::Sample& sample) {
      if (sample.kind == stats::Kind::kCounter && sample.used)
        counters.emplace_back(sample.name, sample.value);
    });
    return counters;
  };
  hooks.take_over = [this](int64_t shutdown_ms) { hand_over(shutdown_ms); };
  hooks.command = [this] {
    char directory[4096] = {};
    if (getcwd(directory, sizeof(directory)) == nullptr) directory[0] = '\0';
    return hot_restart::Command{directory, options_.command_line};
  };
  return hooks;
}

std::vector<int> Server::sockets_for_heir(const std::string& listener,
                                          const net::Address& address) const {
  if (!listener.empty()) return listeners_.sockets_at(listener, address);
  if (admin_ == nullptr || !socket_fits(admin_->socket(), "", "", address)) return {};
  return {admin_->socket()};
}

// What waits in the queues is the successor's: it has the same sockets.
void Server::hand_over(int64_t shutdown_ms) {
  handed_over_ = true;
  drain_timer_.reset();
  cancel_reload();
  admin_.reset();
  listeners_.stop();
  const int64_t time_ms = std::min(options_.drain_time_s * 1000, shutdown_ms);
  workers_.each([time_ms, strategy = drain_strategy()](Worker& worker) {
    worker.stop_listeners(Worker::Which::kAll, false);
    worker.begin_drain(Worker::Which::kAll, time_ms, strategy);
  });
  // What the process before this one still counts, goes through this one to the successor.
  end_when_drained(shutdown_ms, [this] { return hot_restart_.hears_parent(); });
}

}  // namespace weir
