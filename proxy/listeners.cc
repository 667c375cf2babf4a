#include "proxy/listeners.h"

#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <utility>

#include "envoy/config/core/v3/config_source.pb.h"
#include "envoy/config/listener/v3/listener.pb.h"
#include "proxy/activated_sockets.h"
#include "proxy/control_planes.h"
#include "proxy/listener_compile.h"
#include "proxy/tls/transport_socket.h"

namespace weir {

using xds::ResourceType;

namespace {

template <class Visit>
void each_hcm(const ListenerConfig& listener, Visit visit) {
  listener.each_chain([&](const auto& chain) {
    const auto* hcm = std::get_if<std::shared_ptr<const HcmConfig>>(&chain->app);
    if (hcm != nullptr) visit(**hcm);
  });
}

}  // namespace

Listeners::Listeners(const Needs& needs)
    : needs_(needs),
      sockets_(needs.workers.size(), needs.inherited),
      handlers_([this](auto& source, auto& update) { return apply(source, update); },
                [this](auto&, auto, auto&) { loaded(); }),
      added_(needs.stats.counter("listener_manager.listener_added")),
      modified_(needs.stats.counter("listener_manager.listener_modified")),
      removed_(needs.stats.counter("listener_manager.listener_removed")),
      in_place_(needs.stats.counter("listener_manager.listener_in_place_updated")),
      created_(needs.stats.counter("listener_manager.listener_create_success")),
      failed_(needs.stats.counter("listener_manager.listener_create_failure")),
      active_gauge_(needs.stats.gauge("listener_manager.total_listeners_active")),
      warming_gauge_(needs.stats.gauge("listener_manager.total_listeners_warming")) {
  needs_.resources.on_ready([this] { activate_ready(); });
}

Listeners::~Listeners() {
  drop_prepared();
  drop_left();
}

// ---- what there is to be ----

Result<void> Listeners::prepare_static(const Configs& configs) {
  std::vector<Prepared> prepared;
  for (const ConfigPtr& config : configs) {
    const ListenerConfig* old = find(config->name);
    if (old != nullptr && config->same_sockets(*old)) continue;
    Result<WorkerSockets> sockets =
        sockets_.prepare(*config, [&](const std::string&, const net::Address& address) {
          return own_sockets(*config, false, address);
        });
    if (!sockets) {
      for (const Prepared& one : prepared) sockets_.drop(one.sockets);
      return sockets.error();
    }
    prepared.push_back({config, sockets.take()});
  }
  drop_prepared();
  prepared_ = std::move(prepared);
  return {};
}

void Listeners::drop_prepared() {
  for (const Prepared& one : std::exchange(prepared_, {})) sockets_.drop(one.sockets);
}

void Listeners::set_static(const Configs& configs) {
  const std::vector<Prepared> prepared = std::exchange(prepared_, {});
  std::vector<std::string> gone;
  for (const auto& [name, entry] : entries_) {
    const auto same = [&name = name](const ConfigPtr& config) { return config->name == name; };
    if (!entry.dynamic && std::none_of(configs.begin(), configs.end(), same)) gone.push_back(name);
  }
  for (const std::string& name : gone) remove(name);
  for (const ConfigPtr& config : configs) {
    const auto opened = std::find_if(prepared.begin(), prepared.end(), [&](const Prepared& one) {
      return one.config->name == config->name;
    });
    if (opened == prepared.end()) {
      put(config, false, {});
      continue;
    }
    if (Result<void> done = sockets_.listen_at(opened->sockets); !done) {
      needs_.log.error(Component::kConfig, done.error().message);
      needs_.stats.main_shard().inc(failed_);
      sockets_.drop(opened->sockets);
      continue;
    }
    // Connections wait there until the routes have come.
    Entry& entry = entries_[config->name];
    needs_.stats.main_shard().inc(entry.active == nullptr ? added_ : modified_);
    retire(std::move(entry.active));
    entry = Entry{.active = config, .updated_s = std::time(nullptr)};
    use_resources(*config);
    hand_over(entry, &opened->sockets);
  }
  activate_ready();
  needs_.resources.sweep();
  needs_.secrets.sweep();
}

// False: it was there already.
bool Listeners::put(const ConfigPtr& config, bool dynamic, xds::Resource resource) {
  Entry& entry = entries_[config->name];
  const ListenerConfig* newest = entry.next != nullptr ? entry.next.get() : entry.active.get();
  if (newest != nullptr && newest->hash == config->hash) {
    (entry.next != nullptr ? entry.next_resource : entry.resource) = std::move(resource);
    return false;
  }
  needs_.stats.main_shard().inc(newest == nullptr ? added_ : modified_);
  entry.dynamic = dynamic;
  entry.next = config;
  entry.next_resource = std::move(resource);
  use_resources(*config);
  return true;
}

void Listeners::use_resources(const ListenerConfig& config) {
  each_hcm(config, [&](const HcmConfig& hcm) { needs_.resources.use(hcm); });
}

bool Listeners::ready(const ListenerConfig& config) {
  bool all = true;
  config.each_chain(
      [&](const auto& chain) { all &= chain->tls == nullptr || chain->tls->settled(); });
  each_hcm(config, [&](const HcmConfig& hcm) { all &= HcmResources::ready(hcm); });
  return all;
}

void Listeners::activate_ready() {
  if (stopped_) return;
  for (auto& [name, entry] : entries_) {
    if (entry.next == nullptr || !ready(*entry.next)) continue;
    if (Result<void> done = activate(entry); !done)
      needs_.log.error(Component::kConfig, done.error().message);
  }
  close_left();
  count();
  if (told_warm_ && warm()) told_warm_();
}

bool Listeners::warm() const {
  const auto waits = [](const ConfigPtr& config) { return config != nullptr && !ready(*config); };
  return std::none_of(entries_.begin(), entries_.end(), [&](const auto& item) {
    return waits(item.second.next) || waits(item.second.active);
  });
}

bool Listeners::old_static_serve() const {
  return std::any_of(entries_.begin(), entries_.end(), [](const auto& item) {
    const Entry& entry = item.second;
    return !entry.dynamic && entry.active != nullptr && entry.next != nullptr;
  });
}

// On an error the version before goes on.
Result<void> Listeners::activate(Entry& entry) {
  const bool moved = entry.active == nullptr || !entry.next->same_sockets(*entry.active);
  Result<WorkerSockets> sockets = WorkerSockets();
  if (moved) sockets = open_sockets(*entry.next, entry.dynamic);
  if (!sockets) {
    entry.next = nullptr;
    needs_.stats.main_shard().inc(failed_);
    return sockets.error();
  }
  if (!moved && entry.active->frame_hash == entry.next->frame_hash)
    needs_.stats.main_shard().inc(in_place_);
  needs_.stats.main_shard().inc(created_, needs_.workers.size());
  if (moved) leave_sockets(entry);
  retire(std::move(entry.active));
  entry.active = std::exchange(entry.next, nullptr);
  entry.resource = std::exchange(entry.next_resource, {});
  entry.updated_s = std::time(nullptr);
  hand_over(entry, moved ? &*sockets : nullptr);
  return {};
}

void Listeners::hand_over(Entry& entry, const WorkerSockets* sockets) {
  const ConfigPtr config = entry.active;
  if (sockets != nullptr) {
    entry.sockets.clear();
    for (const auto& some : *sockets)
      entry.sockets.insert(entry.sockets.end(), some.begin(), some.end());
  }
  for (uint32_t i = 0; i < needs_.workers.size(); ++i) {
    std::vector<int> fds;
    if (sockets != nullptr) fds = (*sockets)[i];
    Worker& worker = needs_.workers.at(i);
    worker.loop().post([&worker, config, fds] { worker.set_listener(config, fds); });
  }
}

void Listeners::remove(const std::string& name) {
  const auto found = entries_.find(name);
  if (found == entries_.end()) return;
  leave_sockets(found->second);
  if (found->second.active != nullptr)
    needs_.workers.each([name](Worker& worker) { worker.remove_listener(name); });
  retire(std::move(found->second.active));
  entries_.erase(found);
  needs_.stats.main_shard().inc(removed_);
}

// With its filter chains and routes, which a worker may use longer than the rest of it.
void Listeners::retire(ConfigPtr config) {
  if (config == nullptr) return;
  config->each_chain([&](const auto& chain) {
    if (const auto* hcm = std::get_if<std::shared_ptr<const HcmConfig>>(&chain->app))
      needs_.last_owner.keep(*hcm);
    needs_.last_owner.keep(chain);
  });
  needs_.last_owner.keep(std::move(config));
}

const ListenerConfig* Listeners::find(const std::string& name) const {
  const auto found = entries_.find(name);
  if (found == entries_.end()) return nullptr;
  return found->second.next != nullptr ? found->second.next.get() : found->second.active.get();
}

// ---- sockets ----

std::vector<int> Listeners::sockets_at(const std::string& listener,
                                       const net::Address& address) const {
  std::vector<int> fitting;
  for (const auto& [name, entry] : entries_)
    for (int fd : entry.sockets)
      if (socket_fits(fd, name, listener, address)) fitting.push_back(fd);
  for (const Prepared& one : prepared_)
    for (const auto& some : one.sockets)
      for (int fd : some)
        if (socket_fits(fd, one.config->name, listener, address)) fitting.push_back(fd);
  return distinct_sockets(fitting);
}

Result<WorkerSockets> Listeners::open_sockets(const ListenerConfig& config, bool dynamic) {
  return sockets_.open(config, [&](const std::string&, const net::Address& address) {
    return own_sockets(config, dynamic, address);
  });
}

// In copies. Of other listeners too: two never have one address, so they are about to leave it. But
// those of control planes and the bootstrap's know nothing of each other.
std::vector<int> Listeners::own_sockets(const ListenerConfig& config, bool dynamic,
                                        const net::Address& address) const {
  std::vector<int> found;
  const auto look_at = [&](const std::string& name, const auto& options, const auto& sockets) {
    if (options != config.socket_options) return;  // they cannot be taken back
    for (int fd : sockets)
      if (socket_fits(fd, name, config.name, address)) found.push_back(fd);
  };
  for (const auto& [name, entry] : entries_)
    if (entry.active != nullptr && (entry.dynamic == dynamic || name == config.name))
      look_at(name, entry.active->socket_options, entry.sockets);
  for (const Prepared& one : prepared_)
    for (const auto& some : one.sockets)
      if (!dynamic) look_at(one.config->name, one.config->socket_options, some);
  for (const auto& left : left_)
    if (dynamic) look_at(left->name, left->options, left->sockets);
  return copies_of(distinct_sockets(found));
}

// Before the workers are told: they close their sockets at some time, and until then, or until a
// listener that waits has opened, another one at the address needs them. Where the kernel shares
// the address it needs none; those of the bootstrap have theirs already (prepare_static).
void Listeners::leave_sockets(const Entry& entry) {
  if (!entry.dynamic || entry.active == nullptr) return;
  std::vector<int> needed = distinct_sockets(entry.sockets);
  std::erase_if(needed, shares_port);
  if (needed.empty()) return;
  auto left = std::make_shared<Left>(
      Left{entry.active->name, entry.active->socket_options, copies_of(needed)});
  left_.push_back(left);
  const auto closed = [this, kept = std::weak_ptr(left)] {
    const auto one = kept.lock();
    if (one == nullptr) return;  // dropped; perhaps by the end of this object
    one->closed = true;
    close_left();
  };
  // A turn later, because the caller is about to post what closes them.
  needs_.loop.post([this, closed, kept = std::weak_ptr(left)] {
    if (!kept.expired())
      needs_.workers.each_then(
          needs_.loop, [](Worker&) {}, closed);
  });
}

void Listeners::close_left() {
  const auto needs = [](const ListenerConfig& config, const Left& left) {
    for (const net::Address& address : config.addresses)
      for (int fd : left.sockets)
        if (socket_fits(fd, left.name, config.name, address)) return true;
    return false;
  };
  std::erase_if(left_, [&](const auto& left) {
    const auto waits = [&](const auto& item) {
      return item.second.next != nullptr && needs(*item.second.next, *left);
    };
    if (!left->closed || std::any_of(entries_.begin(), entries_.end(), waits)) return false;
    for (int fd : left->sockets) close(fd);
    return true;
  });
}

void Listeners::drop_left() {
  for (const auto& left : std::exchange(left_, {}))
    for (int fd : left->sockets) close(fd);
}

void Listeners::forget_sockets(bool inbound_only) {
  drop_left();
  for (auto& [name, entry] : entries_)
    if (!inbound_only || (entry.active != nullptr && entry.active->inbound)) entry.sockets.clear();
}

void Listeners::stop() {
  stopped_ = true;
  drop_prepared();
  forget_sockets(false);
}

// ---- LDS ----

void Listeners::subscribe(xds::Source& source, int64_t initial_fetch_timeout_ms,
                          std::function<void()> loaded) {
  told_loaded_ = std::move(loaded);
  handlers_.attach(source, ResourceType::kListener);
  source.subscribe(ResourceType::kListener, "*", initial_fetch_timeout_ms);
}

void Listeners::loaded() {
  if (told_loaded_) std::exchange(told_loaded_, {})();
}

// What listeners need is asked for when all those of the answer are known.
std::vector<xds::Rejection> Listeners::apply(xds::Source& source, const xds::Update& update) {
  if (stopped_) return {};
  std::vector<xds::Rejection> rejections;
  HcmResources::pause(source);
  source.pause(ResourceType::kSecret);
  for (const std::string& name : update.removed) {
    const auto found = entries_.find(name);
    if (found != entries_.end() && found->second.dynamic) remove(name);
  }
  for (const xds::Resource& resource : update.added) {
    std::string errors = add(resource);
    if (!errors.empty()) rejections.push_back({resource.name, std::move(errors)});
  }
  needs_.resources.sweep();
  needs_.secrets.sweep();
  HcmResources::resume(source);
  source.resume(ResourceType::kSecret);
  close_left();
  count();
  loaded();
  return rejections;
}

std::string Listeners::add(const xds::Resource& resource) {
  const auto old = entries_.find(resource.name);
  if (old != entries_.end() && !old->second.dynamic)
    return "the bootstrap has a listener of this name, which a control plane cannot change";
  envoy::config::listener::v3::Listener message;
  config::Diagnostics diagnostics;
  if (!needs_.reader.read(*resource.content, message, diagnostics)) return error_text(diagnostics);
  const AppBuild build(needs_.parts(), diagnostics);
  const auto config =
      compile_listener(message, config::FieldPath::root(), build, find(resource.name));
  if (config == nullptr) return error_text(diagnostics);
  if (std::string taken = taken_address(*config); !taken.empty()) return taken;
  if (!put(config, true, resource)) return {};
  Entry& entry = entries_[config->name];
  if (!ready(*config)) return {};
  const Result<void> done = activate(entry);
  if (done) return {};
  if (entry.active == nullptr) entries_.erase(config->name);
  return done.error().message;
}

// Sockets would share the connections of an address among both listeners.
std::string Listeners::taken_address(const ListenerConfig& config) const {
  for (const auto& [name, entry] : entries_) {
    if (name == config.name) continue;
    for (const ConfigPtr& other : {entry.active, entry.next}) {
      const net::Address* both = other == nullptr ? nullptr : config.common_address(*other);
      if (both != nullptr)
        return "address: listener '" + name + "' accepts connections at " + both->text() +
               " already";
    }
  }
  return {};
}

// ---- what is told ----

void Listeners::count() {
  int64_t active = 0;
  int64_t warming = 0;
  for (const auto& [name, entry] : entries_) {
    active += entry.active != nullptr ? 1 : 0;
    warming += entry.next != nullptr ? 1 : 0;
  }
  needs_.stats.set(active_gauge_, active);
  needs_.stats.set(warming_gauge_, warming);
}

std::vector<Listeners::State> Listeners::states() const {
  std::vector<State> out;
  for (const auto& [name, entry] : entries_)
    if (entry.active != nullptr) out.push_back({name, entry.active->addresses});
  return out;
}

void Listeners::describe(std::vector<DynamicResource>& out) const {
  for (const auto& [name, entry] : entries_) {
    if (!entry.dynamic) continue;
    const auto add = [&](const xds::Resource& resource, bool warming) {
      if (resource.content != nullptr)
        out.push_back({ResourceType::kListener, name, resource.version, entry.updated_s,
                       resource.content, warming});
    };
    add(entry.resource, false);
    if (entry.next != nullptr) add(entry.next_resource, true);
  }
}

}  // namespace weir
