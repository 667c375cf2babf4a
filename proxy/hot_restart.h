#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "proxy/activated_sockets.h"
#include "proxy/base/log.h"
#include "proxy/hot_restart_host.h"
#include "proxy/hot_restart_parent.h"
#include "proxy/net/address.h"
#include "proxy/net/loop.h"
#include "proxy/options.h"

namespace weir {

// What a process has from the one before it, and leaves to the one after it: sockets and counters,
// by hot restart or from the service manager. docs/hot_restart.md tells the steps. Main thread.
class HotRestart {
 public:
  HotRestart(net::Loop& loop, Logger& log, const Options& options)
      : loop_(loop), log_(log), options_(options) {}

  // Before anything is opened: reads the environment, and meets the process before.
  Result<void> begin();
  // Whether there is a process that serves until this one takes over.
  bool has_parent() const { return parent_ != nullptr; }
  // The sockets that are there already for a listener's address; the name is empty for the admin
  // port. They are the caller's.
  std::vector<int> inherited(const std::string& listener, const net::Address& address);
  // When this process accepts: the one before stops to. `counted` gets what that one counts.
  void take_over(std::function<void(const hot_restart::Counters&)> counted);
  // Whether the process before still counts, for this one and whoever follows it.
  bool hears_parent() const { return parent_ != nullptr && !parent_->ended(); }
  // From now on this process can be replaced.
  void offer(hot_restart::Host::Hooks hooks);
  // It no longer can: it ends.
  void withdraw() { host_.reset(); }
  // The last counters go to the successor, if there is one.
  void finish() {
    if (host_ != nullptr) host_->finish();
  }
  // It serves: the service manager is told, and whoever waits at --ready-fd.
  void report_ready();
  // Tells whoever waits at --ready-fd, once: "ready", or why not.
  void report(const std::string& line);
  // "1", or "disabled".
  std::string version() const;

 private:
  Result<void> meet_parent();
  Result<void> reserve_name();
  Result<void> choose_base_id();

  net::Loop& loop_;
  Logger& log_;
  const Options& options_;
  ActivatedSockets activated_;
  std::unique_ptr<hot_restart::Parent> parent_;
  uint32_t base_id_ = 0;
  int socket_ = -1;  // bound; -1: this process cannot be replaced
  std::unique_ptr<hot_restart::Host> host_;
  bool reported_ = false;
};

}  // namespace weir
