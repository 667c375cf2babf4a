#pragma once

#include <atomic>
#include <cstdint>

namespace weir {

// How many connections are open, over all workers. Any thread, without locks.
class ConnectionCount {
 public:
  // Counts one more; false: there are `most` already. 0: as many as come.
  bool try_add(uint64_t most) {
    const uint64_t before = open_.fetch_add(1, std::memory_order_relaxed);
    if (most == 0 || before < most) return true;
    remove();
    return false;
  }
  void remove() { open_.fetch_sub(1, std::memory_order_relaxed); }
  uint64_t open() const { return open_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> open_{0};
};

// How much of something is to be given up, between nothing and all of it. The main thread sets it;
// workers draw lots.
class OverloadShare {
 public:
  void set(double share) {
    share_.store(static_cast<uint32_t>(share * kWhole), std::memory_order_relaxed);
  }
  bool any() const { return share_.load(std::memory_order_relaxed) != 0; }
  bool all() const { return share_.load(std::memory_order_relaxed) >= kWhole; }
  bool hits(uint64_t random) const {
    return random % kWhole < share_.load(std::memory_order_relaxed);
  }

 private:
  static constexpr uint32_t kWhole = 1u << 20;
  std::atomic<uint32_t> share_{0};
};

// What the process does without while something is short: envoy.config.overload.v3, as
// OverloadWatch decides it on the main thread. Any thread.
struct Overload {
  ConnectionCount connections;               // of all listeners
  std::atomic<uint64_t> max_connections{0};  // 0: what the runtime says

  OverloadShare refused_requests;     // stop_accepting_requests
  OverloadShare refused_connections;  // reject_incoming_connections
  OverloadShare unaccepted;           // stop_accepting_connections: when it is all
  OverloadShare ended_connections;    // disable_http_keepalive
};

}  // namespace weir
