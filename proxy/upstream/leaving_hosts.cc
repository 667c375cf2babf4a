#include "proxy/upstream/leaving_hosts.h"

#include <algorithm>
#include <utility>

#include "proxy/upstream/worker_cluster.h"

namespace weir::upstream {

LeavingHosts::LeavingHosts(net::Loop& loop) : loop_(loop) {}

LeavingHosts::~LeavingHosts() = default;

void LeavingHosts::add(std::unique_ptr<Host> host) {
  host->removed = true;
  fresh_.push_back(std::move(host));
}

// Those that end do so after the turn: their connections may still be on the loop's list of things
// to delete.
void LeavingHosts::work() {
  for (size_t n = 0; n < kHostsPerTurn && !fresh_.empty(); ++n) {
    std::unique_ptr<Host> host = std::move(fresh_.back());
    fresh_.pop_back();
    host->drain();
    if (host->unused()) {
      loop_.retire(std::move(host));
      continue;
    }
    const net::Address address = host->endpoint().address;
    draining_.emplace(address, std::move(host));
  }
  if (!fresh_.empty()) return timer_.set(loop_.timers(), loop_.now_ms() + 1);
  fresh_.shrink_to_fit();
  if (!draining_.empty()) timer_.set(loop_.timers(), loop_.now_ms() + kSweepMs);
}

void LeavingHosts::on_timer(net::Timer& /*timer*/) {
  if (fresh_.empty()) sweep();
  work();
}

// A connection that ended after the last request told nobody.
void LeavingHosts::sweep() {
  for (auto at = draining_.begin(); at != draining_.end();) {
    if (!at->second->unused()) {
      ++at;
      continue;
    }
    loop_.retire(std::move(at->second));
    at = draining_.erase(at);
  }
}

std::unique_ptr<Host> LeavingHosts::take(const net::Address& address) {
  if (draining_.empty()) return nullptr;
  const auto found = draining_.find(address);
  if (found == draining_.end()) return nullptr;
  std::unique_ptr<Host> host = std::move(found->second);
  draining_.erase(found);
  host->removed = false;
  return host;
}

void LeavingHosts::check(Host& host) {
  if (!host.unused()) return;
  const auto [begin, end] = draining_.equal_range(host.endpoint().address);
  const auto found =
      std::find_if(begin, end, [&](const auto& entry) { return entry.second.get() == &host; });
  if (found == end) return;  // has not begun to drain
  loop_.retire(std::move(found->second));
  draining_.erase(found);
}

bool LeavingHosts::unused() const {
  return fresh_.empty() && std::all_of(draining_.begin(), draining_.end(),
                                       [](const auto& entry) { return entry.second->unused(); });
}

}  // namespace weir::upstream
