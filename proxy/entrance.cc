#include "proxy/entrance.h"

#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxy/worker.h"

namespace weir {
namespace {

void set_keepalive(int fd, const ListenerConfig& config) {
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
  const auto set = [&](int option, uint32_t value) {
    if (value == 0) return;
    const int v = static_cast<int>(value);
    setsockopt(fd, IPPROTO_TCP, option, &v, sizeof(v));
  };
  set(TCP_KEEPCNT, config.keepalive_probes);
  set(TCP_KEEPIDLE, config.keepalive_time_s);
  set(TCP_KEEPINTVL, config.keepalive_interval_s);
}

}  // namespace

Entrance::Entrance(Worker& worker, std::shared_ptr<const ListenerConfig> config)
    : worker_(worker),
      config_(std::move(config)),
      single_chain_(config_->single_chain()),
      greets_(config_->greets()) {
  if (config_->addresses.size() == 1 && !config_->addresses[0].is_any() &&
      config_->addresses[0].port() != 0)
    local_ = config_->addresses[0];
  const auto open = [&](const ChainConfig& chain) {
    const auto* hcm = std::get_if<std::shared_ptr<const HcmConfig>>(&chain.app);
    doors_.push_back(hcm == nullptr ? nullptr : std::make_unique<HttpDoor>(worker_, *this, *hcm));
  };
  for (const ChainConfig& chain : config_->chains) open(chain);
  if (config_->default_chain) open(*config_->default_chain);
}

Entrance::~Entrance() {
  close_all();
}

void Entrance::admit(int fd, const net::Address& peer) {
  stats::Shard& stats = worker_.stats();
  stats.inc(config_->stats.cx_total);
  if (config_->max_connections > 0 && connections_ >= config_->max_connections) {
    stats.inc(config_->stats.cx_overflow);
    close(fd);
    return;
  }
  ++connections_;
  stats.add(config_->stats.cx_active, 1);
  set_up(fd, peer);
  if (greets_) return greet(fd, peer);
  const ChainConfig* chain = single_chain_;
  if (chain == nullptr)
    chain = choose(Approach{.local = local_of(fd), .peer = peer, .direct_peer = peer});
  if (chain == nullptr) {
    close(fd);
    return connection_closed();
  }
  http::Arrival arrival;
  arrival.socket.fd = fd;
  arrival.peer = peer;
  enter(*chain, std::move(arrival), {});
}

void Entrance::set_up(int fd, const net::Address& peer) const {
  if (peer.is_ip()) net::Connection::set_no_delay(fd);
  if (config_->tcp_keepalive) set_keepalive(fd, *config_);
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

const ChainConfig* Entrance::choose(const Approach& approach) {
  const ChainConfig* chain = single_chain_;
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

void Entrance::enter(const ChainConfig& chain, http::Arrival arrival, std::string server_name) {
  arrival.id = worker_.next_connection_id();
  arrival.buffer_limit = config_->buffer_limit_bytes;
  if (arrival.own_local == nullptr) arrival.local = fixed_local();
  const auto* tcp = std::get_if<std::shared_ptr<const TcpProxyConfig>>(&chain.app);
  if (tcp == nullptr) return door_of(chain).accept(std::move(arrival));
  auto relay = std::make_unique<TcpRelay>(worker_, *this, *tcp);
  TcpRelay& started = *relay;
  worker_.add_relay(std::move(relay));
  started.start(std::move(arrival), std::move(server_name));
}

HttpDoor& Entrance::door_of(const ChainConfig& chain) {
  const bool is_default = config_->default_chain && &chain == &*config_->default_chain;
  return *(is_default ? doors_.back() : doors_[static_cast<size_t>(&chain - &config_->chains[0])]);
}

void Entrance::connection_closed() {
  --connections_;
  worker_.stats().add(config_->stats.cx_active, -1);
  worker_.stats().inc(config_->stats.cx_destroy);
}

void Entrance::drain(int64_t grace_ms) {
  // From the end, because one that closes is replaced by the last one.
  for (size_t i = greeters_.size(); i > 0; --i)
    if (i <= greeters_.size()) greeters_[i - 1]->drain(grace_ms);
  for (const auto& door : doors_)
    if (door != nullptr) door->drain(grace_ms);
}

void Entrance::close_all() {
  while (!greeters_.empty()) greeters_.back()->close();
  for (const auto& door : doors_)
    if (door != nullptr) door->close_all();
}

}  // namespace weir
