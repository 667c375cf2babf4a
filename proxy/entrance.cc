#include "proxy/entrance.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <unordered_set>

#include "proxy/worker.h"

namespace weir {
Entrance::Entrance(Worker& worker, std::shared_ptr<const ListenerConfig> config)
    : worker_(worker),
      config_(std::move(config)),
      single_chain_(config_->single_chain()),
      greets_(config_->greets()) {
  if (config_->addresses.size() == 1 && !config_->addresses[0].is_any() &&
      config_->addresses[0].port() != 0)
    local_ = config_->addresses[0];
}

Entrance::~Entrance() {
  close_all();
}

void Entrance::admit(int fd, const net::Address& peer) {
  stats::Shard& stats = worker_.stats();
  if (!count_in()) {
    close(fd);
    return;
  }
  ++connections_;
  stats.inc(config_->stats.cx_total);
  stats.add(config_->stats.cx_active, 1);
  if (peer.is_ip()) net::Connection::set_no_delay(fd);
  if (greets_) return greet(fd, peer);
  if (single_chain_ != nullptr) return enter_plain(single_chain_, fd, peer);
  const Approach approach{.local = local_of(fd), .peer = peer, .direct_peer = peer};
  const auto chain = choose(approach);
  if (chain == nullptr) return turn_away(fd, approach);
  enter_plain(chain, fd, peer);
}

void Entrance::turn_away(int fd, const Approach& approach) {
  close(fd);
  http::StreamInfo info;
  info.flags = http::kNoRouteFound;
  info.details = kNoChainDetails;
  log_unserved(info, approach, worker_.loop().now_ns());
  connection_closed(worker_.loop().now_ms());
}

// Whether there may be one more; if so, it counts.
bool Entrance::count_in() {
  stats::Shard& stats = worker_.stats();
  Overload* overload = config_->overload;
  if (overload != nullptr && !config_->bypass_overload &&
      overload->refused_connections.hits(worker_.loop().random())) {
    stats.inc(config_->stats.cx_overload_reject);
    return false;
  }
  if (!config_->open->try_add(config_->max_connections())) {
    stats.inc(config_->stats.cx_overflow);
    return false;
  }
  if (overload == nullptr || config_->ignore_connection_limit ||
      overload->connections.try_add(config_->max_connections_of_all()))
    return true;
  config_->open->remove();
  stats.inc(config_->stats.global_cx_overflow);
  return false;
}

void Entrance::enter_plain(const std::shared_ptr<const ChainConfig>& chain, int fd,
                           const net::Address& peer) {
  http::Arrival arrival;
  arrival.socket.fd = fd;
  arrival.peer = peer;
  enter(chain, std::move(arrival), {});
}

void Entrance::greet(int fd, const net::Address& peer) {
  greeters_.push_back(std::make_unique<Greeter>(worker_, *this, fd, peer));
  greeters_.back()->slot = static_cast<uint32_t>(greeters_.size() - 1);
  greeters_.back()->start();
}

void Entrance::dismiss(Greeter& greeter) {
  const uint32_t slot = greeter.slot;
  std::unique_ptr<Greeter> gone = std::move(greeters_[slot]);
  if (slot + 1 < greeters_.size()) {
    greeters_[slot] = std::move(greeters_.back());
    greeters_[slot]->slot = slot;
  }
  greeters_.pop_back();
  worker_.loop().retire(std::move(gone));
}

std::shared_ptr<const ChainConfig> Entrance::choose(const Approach& approach) {
  auto chain = single_chain_;
  if (chain == nullptr) chain = config_->chain_for(approach);
  if (chain == nullptr) worker_.stats().inc(config_->stats.no_chain_match);
  return chain;
}

net::Address Entrance::local_of(int fd) const {
  if (local_) return *local_;
  sockaddr_storage address;
  socklen_t length = sizeof(address);
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0) return {};
  return net::Address::from_sockaddr(reinterpret_cast<sockaddr*>(&address), length);
}

void Entrance::enter(const std::shared_ptr<const ChainConfig>& chain, http::Arrival arrival,
                     std::string server_name) {
  arrival.id = worker_.next_connection_id();
  arrival.buffer_limit = config_->buffer_limit_bytes;
  if (arrival.own_local == nullptr) arrival.local = fixed_local();
  // When the connection ends, there is no socket to ask.
  if (logs() && arrival.own_local == nullptr && arrival.local == nullptr)
    arrival.own_local = std::make_unique<const net::Address>(local_of(arrival.socket.fd));
  if (const auto* hcm = std::get_if<std::shared_ptr<const HcmConfig>>(&chain->app))
    return door_of(chain, *hcm).accept(std::move(arrival));
  const auto* tcp = std::get_if<std::shared_ptr<const TcpProxyConfig>>(&chain->app);
  auto relay = std::make_unique<TcpRelay>(worker_, *this, *tcp, chain->name);
  TcpRelay& started = *relay;
  worker_.add_relay(std::move(relay));
  started.start(std::move(arrival), std::move(server_name));
}

HttpDoor& Entrance::door_of(const std::shared_ptr<const ChainConfig>& chain,
                            const std::shared_ptr<const HcmConfig>& hcm) {
  Door& entry = doors_[chain.get()];
  if (entry.door == nullptr) {
    entry.chain = chain;
    entry.door = std::make_unique<HttpDoor>(worker_, *this, hcm, chain->name);
  }
  return *entry.door;
}

void Entrance::update(std::shared_ptr<const ListenerConfig> config, int64_t grace_ms) {
  const auto old = std::exchange(config_, std::move(config));
  single_chain_ = config_->single_chain();
  greets_ = config_->greets();
  std::unordered_set<const ChainConfig*> present;
  config_->each_chain([&](const auto& chain) { present.insert(chain.get()); });
  // A chain may come again before its connections are gone.
  std::erase_if(leaving_, [&](const Leaving& one) { return present.contains(one.chain.get()); });
  old->each_chain([&](const auto& chain) {
    if (!present.contains(chain.get())) let_go(chain, grace_ms);
  });
}

void Entrance::let_go(const std::shared_ptr<const ChainConfig>& chain, int64_t grace_ms) {
  leaving_.push_back({chain, worker_.loop().now_ms() + grace_ms});
  worker_.sweep_later();
  const auto found = doors_.find(chain.get());
  if (found != doors_.end()) found->second.door->drain(grace_ms);
}

bool Entrance::sweep(int64_t now_ms) {
  std::erase_if(leaving_, [&](const Leaving& one) { return !sweep_one(one, now_ms); });
  return !leaving_.empty();
}

// True: it has to stay.
bool Entrance::sweep_one(const Leaving& leaving, int64_t now_ms) {
  const bool over = now_ms >= leaving.close_at_ms;
  if (const auto* tcp = std::get_if<std::shared_ptr<const TcpProxyConfig>>(&leaving.chain->app)) {
    if (over) worker_.close_relays(*this, tcp->get());
    return !over;
  }
  // A handshake that outlasts its chain opens the door again, until the time is over.
  const auto found = doors_.find(leaving.chain.get());
  if (found == doors_.end()) return !over;
  HttpDoor& door = *found->second.door;
  if (over) door.close_all();
  if (door.connections() > 0) return true;
  worker_.loop().retire(std::move(found->second.door));
  doors_.erase(found);
  return !over;
}

bool Entrance::has_older_connections() const {
  if (leaving_.empty()) return false;
  if (!greeters_.empty()) return true;
  return std::any_of(leaving_.begin(), leaving_.end(), [this](const Leaving& one) {
    if (const auto* tcp = std::get_if<std::shared_ptr<const TcpProxyConfig>>(&one.chain->app))
      return worker_.has_relays(*this, tcp->get());
    const auto found = doors_.find(one.chain.get());
    return found != doors_.end() && found->second.door->connections() > 0;
  });
}

void Entrance::connection_closed(int64_t opened_ms) {
  --connections_;
  config_->open->remove();
  if (config_->overload != nullptr && !config_->ignore_connection_limit)
    config_->overload->connections.remove();
  stats::Shard& stats = worker_.stats();
  stats.add(config_->stats.cx_active, -1);
  stats.inc(config_->stats.cx_destroy);
  stats.record(config_->stats.cx_length_ms,
               static_cast<uint64_t>(worker_.loop().now_ms() - opened_ms));
}

void Entrance::log(http::StreamInfo& info) {
  if (!logs()) return;
  net::Loop& loop = worker_.loop();
  info.end_ns = loop.now_ns();
  info.start_wall_us = loop.wall_us() - (info.end_ns - info.start_ns) / 1000;
  http::FormatInput input;
  input.info = &info;
  worker_.log(*config_->access_logs, input);
}

void Entrance::log_unserved(http::StreamInfo info, const Approach& approach, int64_t accepted_ns) {
  if (!logs()) return;
  info.start_ns = accepted_ns;
  info.connection_id = worker_.next_connection_id();
  info.downstream_local = &approach.local;
  info.downstream_remote = &approach.peer;
  info.downstream_direct_remote = &approach.direct_peer;
  info.requested_server_name = approach.server_name;
  if (approach.server_name.empty() && info.tls != nullptr)
    info.requested_server_name = info.tls->sni();
  log(info);
}

void Entrance::drain(int64_t grace_ms) {
  // From the end, because one that closes is replaced by the last one.
  for (size_t i = greeters_.size(); i > 0; --i)
    if (i <= greeters_.size()) greeters_[i - 1]->drain(grace_ms);
  for (auto& [chain, entry] : doors_) entry.door->drain(grace_ms);
}

bool Entrance::drain_more(int64_t grace_ms) {
  const int64_t now_ms = worker_.loop().now_ms();
  const double share = drain_clock_.take_share(now_ms);
  if (share > 0)
    for (auto& [chain, entry] : doors_) entry.door->drain_some(grace_ms, share);
  return drain_clock_.started() && drain_clock_.progress(now_ms) < 1;
}

bool Entrance::ends_connection() const {
  if (config_->health_check_failing != nullptr &&
      config_->health_check_failing->load(std::memory_order_relaxed))
    return true;
  if (!drain_clock_.started()) return false;
  net::Loop& loop = worker_.loop();
  return drain_clock_.ends_connection(loop.now_ms(), loop.random());
}

void Entrance::close_all() {
  while (!greeters_.empty()) greeters_.back()->close();
  for (auto& [chain, entry] : doors_) entry.door->close_all();
  worker_.close_relays(*this, nullptr);
}

}  // namespace weir
