#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "proxy/base/log.h"
#include "proxy/dynamic_resource.h"
#include "proxy/hcm_compile.h"
#include "proxy/hcm_resources.h"
#include "proxy/last_owner.h"
#include "proxy/listener_config.h"
#include "proxy/listener_sockets.h"
#include "proxy/resource_reader.h"
#include "proxy/source_handlers.h"
#include "proxy/workers.h"

namespace weir {

class ControlPlanes;

// The listeners of the process: those of the bootstrap, and those that a control plane sends (LDS).
// A listener is opened, or replaced, when its routes, filters and secrets are there; until then the
// version before it serves. Sockets stay open while their addresses stay, also when it is another
// listener that has the address then. Main thread.
class Listeners {
 public:
  using Configs = std::vector<std::shared_ptr<const ListenerConfig>>;
  struct Needs {
    net::Loop& loop;
    Logger& log;
    stats::Registry& stats;
    Workers& workers;
    LastOwner& last_owner;
    ResourceReader& reader;
    HcmResources& resources;
    tls::Secrets& secrets;
    ControlPlanes& planes;
    std::function<AppParts()> parts;  // for compiling
    OpenSockets inherited;
  };
  explicit Listeners(const Needs& needs);
  ~Listeners();
  Listeners(const Listeners&) = delete;
  Listeners& operator=(const Listeners&) = delete;

  // Opens what the listeners of a bootstrap need and is not open yet, for a set_static to come; in
  // place of what was prepared before. On an error nothing is changed.
  Result<void> prepare_static(const Configs& configs);
  // The listeners of the bootstrap, those that were prepared last, in place of those that it had
  // before.
  void set_static(const Configs& configs);
  // Asks for further ones. `loaded` is called once, when something has come or will not.
  void subscribe(xds::Source& source, int64_t initial_fetch_timeout_ms,
                 std::function<void()> loaded);

  // The config that a listener of that name has, or is about to have; null: there is none.
  const ListenerConfig* find(const std::string& name) const;
  // Whether none waits for what it needs.
  bool warm() const;
  // Called when warm() may have become true.
  void on_warm(std::function<void()> told) { told_warm_ = std::move(told); }
  // Whether some of the bootstrap's serve as they were before, until what they need has come.
  bool old_static_serve() const;
  // Looks again whether those that wait have what they need.
  void activate_ready();

  ListenerSockets& sockets() { return sockets_; }
  // The sockets that are open at an address (see socket_fits), for a process that takes over. They
  // stay the workers'.
  std::vector<int> sockets_at(const std::string& listener, const net::Address& address) const;
  // The workers close the sockets of those listeners, or of all.
  void forget_sockets(bool inbound_only);
  // Nothing is opened or changed any more.
  void stop();

  struct State {
    std::string name;
    std::vector<net::Address> addresses;
  };
  std::vector<State> states() const;
  void describe(std::vector<DynamicResource>& out) const;

 private:
  using ConfigPtr = std::shared_ptr<const ListenerConfig>;
  struct Entry {
    bool dynamic = false;
    ConfigPtr active;  // null before it opened
    xds::Resource resource;
    int64_t updated_s = 0;
    ConfigPtr next;  // that waits, if one does
    xds::Resource next_resource;
    std::vector<int> sockets;  // that the workers have
  };
  // What a listener of a control plane accepted on until now, in copies: the workers close theirs
  // at some time. Its config is not kept, so that what that asks for ends.
  struct Left {
    std::string name;
    std::vector<SocketOption> options;
    std::vector<int> sockets;
    bool closed = false;  // by all workers
  };

  struct Prepared {
    ConfigPtr config;
    WorkerSockets sockets;
  };

  void drop_prepared();
  bool put(const ConfigPtr& config, bool dynamic, xds::Resource resource);
  void use_resources(const ListenerConfig& config);
  static bool ready(const ListenerConfig& config);
  void retire(ConfigPtr config);
  Result<void> activate(Entry& entry);
  Result<WorkerSockets> open_sockets(const ListenerConfig& config, bool dynamic);
  std::vector<int> own_sockets(const ListenerConfig& config, bool dynamic,
                               const net::Address& address) const;
  void leave_sockets(const Entry& entry);
  void close_left();
  void drop_left();
  void hand_over(Entry& entry, const WorkerSockets* sockets);
  void remove(const std::string& name);
  std::vector<xds::Rejection> apply(xds::Source& source, const xds::Update& update);
  std::string taken_address(const ListenerConfig& config) const;
  std::string add(const xds::Resource& resource);
  void loaded();
  void count();

  Needs needs_;
  std::map<std::string, Entry> entries_;
  ListenerSockets sockets_;
  std::vector<Prepared> prepared_;
  std::vector<std::shared_ptr<Left>> left_;
  bool stopped_ = false;
  SourceHandlers handlers_;
  std::function<void()> told_warm_;
  std::function<void()> told_loaded_;
  stats::CounterId added_, modified_, removed_, in_place_, created_, failed_;
  stats::GaugeId active_gauge_, warming_gauge_;
};

}  // namespace weir
